"""Two coordinates of every row → a map: the pool in grey, one contestant's picks upon it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from markupsafe import Markup

from localsel.stages.report.figures import number
from localsel.stages.report.plots.drawing import Point, box, dots, marker, svg
from localsel.stages.report.plots.series import Series

SIZE = (320, 260)
EDGE = 10

Pick = tuple[float, float, int]


class Ground:
    """Where a point of the plane lies in the drawing; both directions have the same scale."""

    def __init__(self, points: Sequence[Point]) -> None:
        xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
        wide, high = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
        self.scale = min((SIZE[0] - 2 * EDGE) / wide, (SIZE[1] - 2 * EDGE) / high)
        self.middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)

    def at(self, x: float, y: float) -> Point:
        return (
            SIZE[0] / 2 + self.scale * (x - self.middle[0]),
            SIZE[1] / 2 - self.scale * (y - self.middle[1]),
        )


def scatter(
    series: Series,
    pool: Sequence[Point],
    picks: Sequence[Pick],
    only: Collection[int],
    ground: Ground,
) -> Markup:
    """Rows of `only` are full, the others hollow: someone else picked them too."""
    body = [box("edge", (0.5, 0.5), SIZE[0] - 1, SIZE[1] - 1)]
    body.append(dots("pool", [ground.at(x, y) for x, y in pool]))
    for x, y, row in picks:
        kind = "full" if row in only else "hollow"
        place = ground.at(x, y)
        body.append(marker(f"{kind} {series.colour}", series.shape, place, 3.6, f"row {row}"))
    alone = sum(row in only for _, _, row in picks)
    said = (
        f"{number(len(pool))} rows of the pool in grey; {number(len(picks))} picks of"
        f" {series.shown}, {number(alone)} of them full because no other selector made them."
    )
    return svg("plot", SIZE, f"Map: {series.shown}", said, body)
