"""Shares between all pairs → a square of cells; each cell says its number, its tint repeats it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from localsel.stages.report.figures import number
from localsel.stages.report.plots.drawing import box, marker, svg, words
from localsel.stages.report.plots.series import Series

WIDTH, LEFT, TOP, WIDE, NAME = 360, 140, 22, 58, 18
Shares = Sequence[Sequence[float | None]]


def matrix(title: str, who: Sequence[Series], shares: Shares) -> Markup:
    """Rows and columns are the contestants in the same order; columns show their symbols."""
    cell = min(WIDE, (WIDTH - LEFT) // max(len(who), 1))
    body = [*_names(who, cell)]
    for down, row in enumerate(shares):
        for right, share in enumerate(row):
            body += _cell(LEFT + cell * right, TOP + cell * down, cell, share)
    size = (WIDTH, TOP + cell * len(who) + 4)
    return svg("plot matrix", size, title, _said(who, shares), body)


def _names(who: Sequence[Series], cell: int) -> Iterator[Markup]:
    for place, series in enumerate(who):
        middle = cell * place + cell / 2
        name = series.shown if len(series.shown) <= NAME else series.shown[: NAME - 1] + "…"
        full = f"full {series.colour}"
        yield words("end name", (LEFT - 22, TOP + middle + 4), name)
        yield marker(full, series.shape, (LEFT - 11, TOP + middle), 4.2)
        yield marker(full, series.shape, (LEFT + middle, TOP - 11), 4.2)


def _cell(x: float, y: float, cell: int, share: float | None) -> Iterator[Markup]:
    tint = 0 if share is None else min(max(round(10 * share), 0), 10)
    text = "–" if share is None else number(100.0 * share, 1)
    yield box(f"cell t{tint}", (x + 1, y + 1), cell - 2, cell - 2)
    yield words("middle figure", (x + cell / 2, y + cell / 2 + 4), text)


def _said(who: Sequence[Series], shares: Shares) -> str:
    rows = [
        f"{series.shown}: " + ", ".join("–" if s is None else f"{100 * s:.1f} %" for s in row)
        for series, row in zip(who, shares, strict=True)
    ]
    return "; ".join(rows) + "."
