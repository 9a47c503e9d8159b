"""An overlap, its interval and what chance gives → one line of a table, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from localsel.stages.report.figures import sound
from localsel.stages.report.plots.axes import step, tick_text, ticks
from localsel.stages.report.plots.drawing import beside, box, line, marker, words

SIZE = (170, 18)
EDGE = 8


def _x(value: float, top: float) -> float:
    return EDGE + (SIZE[0] - 2 * EDGE) * min(max(value / top, 0.0), 1.0)


def top(values: Sequence[object]) -> float:
    """Where the scale of all strips of a table ends: a round share."""
    shares = [float(value) for value in values if isinstance(value, int | float) and sound(value)]
    return min(1.0, ticks(0.0, max([*shares, 0.05]), 3)[-1])


def strip(
    overlap: float | None, interval: Sequence[float], expected: float | None, end: float
) -> Markup | None:
    """A dot with its interval as a bar; a tall tick for chance."""
    if overlap is None:
        return None
    middle = SIZE[1] / 2
    body = [line("hair", (EDGE, middle), (SIZE[0] - EDGE, middle))]
    if len(interval) == 2 and all(map(sound, interval)):
        low, high = (_x(value, end) for value in interval)
        body.append(box("span", (low, middle - 2), high - low, 4))
    if expected is not None:
        body.append(line("chance", (_x(expected, end), 2), (_x(expected, end), SIZE[1] - 2)))
    body.append(marker("spot", "circle", (_x(overlap, end), middle), 4))
    return beside("strip", SIZE, body)


def scale(end: float) -> Markup:
    """The head of the column: the values along the strips."""
    each = step(0.0, end, 3) * 100
    marks = [value for value in ticks(0.0, end, 3) if value <= end + 1e-9]
    names = [
        words("middle small", (_x(value, end), 12), tick_text(value * 100, each)) for value in marks
    ]
    return beside("strip", SIZE, names)


def bar(probability: float, colour: str) -> Markup:
    """A probability as a bar beside its number."""
    long = 56 * min(max(probability, 0.0), 1.0)
    body = [box("trough", (0, 0), 56, 8), box(f"level {colour}", (0, 0), long, 8)]
    return beside("chance-bar", (56, 8), body)
