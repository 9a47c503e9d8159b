"""One value for every position → a bar each, on a scale shared by all panels of a figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from localsel.stages.report.figures import number
from localsel.stages.report.plots.axes import Frame, across, below, label, step, tick_text, ticks
from localsel.stages.report.plots.drawing import Point, box, line, svg
from localsel.stages.report.plots.series import Series

SIZE = (320, 165)


def bars(
    title: str, x_name: str, series: Series, points: Sequence[Point], top: float, even: float | None
) -> Markup:
    """`top` ends the scale of every panel; a dashed line marks what would be `even`."""
    places = [x for x, _ in points]
    scale = ticks(0.0, top, 3)
    frame = Frame(SIZE, (min(places) - 0.6, max(places) + 0.6), (0.0, scale[-1]))
    each = step(0.0, top, 3)
    body = [*across(frame, scale, lambda value: tick_text(value, each))]
    body += _bars(frame, series, points)
    body += [*below(frame, _named(places), lambda value: number(round(value)))]
    if even is not None:
        body.append(
            line("even", frame.at(frame.x_range[0], even), frame.at(frame.x_range[1], even))
        )
    return svg("plot", SIZE, title, _said(points), [*body, label(frame, x_name)])


def _bars(frame: Frame, series: Series, points: Sequence[Point]) -> Iterator[Markup]:
    width = 0.72 * (frame.x(1.0) - frame.x(0.0))
    for x, y in points:
        left, foot, head = frame.x(x) - width / 2, frame.y(0.0), frame.y(y)
        yield box(f"bar {series.colour}", (left, head), width, foot - head)


def _named(places: Sequence[float]) -> list[float]:
    """Every position while there is room, then every fifth or tenth."""
    apart = 1 if len(places) <= 16 else 5 if len(places) <= 50 else 10
    return [place for place in places if place == places[0] or place % apart == 0]


def _said(points: Sequence[Point]) -> str:
    high, low = max(points, key=lambda point: point[1]), min(points, key=lambda point: point[1])
    return (
        f"Highest at {number(round(high[0]))} with {high[1]:.3f},"
        f" lowest at {number(round(low[0]))} with {low[1]:.3f}."
    )
