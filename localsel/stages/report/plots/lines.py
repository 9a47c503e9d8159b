"""Curves of several contestants → one plot with round ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from localsel.stages.report.figures import count
from localsel.stages.report.plots.axes import Frame, across, below, label, step, tick_text, ticks
from localsel.stages.report.plots.drawing import Point, marker, path, svg
from localsel.stages.report.plots.series import Series

SIZE = (320, 215)
Curve = tuple[Series, Sequence[Point]]


def lines(title: str, x_name: str, curves: Sequence[Curve]) -> Markup:
    """Markers at every point; later curves lie above earlier ones."""
    frame = _frame([point for _, points in curves for point in points])
    body = [*_axes(frame, x_name)]
    for series, points in curves:
        body += _curve(frame, series, points)
    return svg("plot", SIZE, title, _said(curves), body)


def _frame(points: Sequence[Point]) -> Frame:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    across_y = ticks(min(ys), max(ys), 4)
    return Frame(SIZE, (min(0.0, *xs), max(xs)), (across_y[0], across_y[-1]))


def _axes(frame: Frame, x_name: str) -> Iterator[Markup]:
    for values, edge in ((frame.y_range, across), (frame.x_range, below)):
        each = step(*values)
        low, high = values[0] - each / 1000, values[1] + each / 1000
        inside = [value for value in ticks(*values) if low <= value <= high]
        yield from edge(frame, inside, lambda value, each=each: tick_text(value, each))  # type: ignore[misc]
    yield label(frame, x_name)


def _curve(frame: Frame, series: Series, points: Sequence[Point]) -> Iterator[Markup]:
    places = [frame.at(x, y) for x, y in points]
    yield path(f"line {series.colour}", places, series.dash)
    for place in places:
        yield marker(f"full {series.colour}", series.shape, place, 2.8)


def _said(curves: Sequence[Curve]) -> str:
    ends = [
        f"{series.shown}: from {points[0][1]:.3f} to {points[-1][1]:.3f}"
        f" at {count(points[-1][0])} picks"
        for series, points in curves
    ]
    return "; ".join(ends) + "."
