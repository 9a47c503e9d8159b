"""Overlaps of all pairs → the matrix, drawn; a table has the same in figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.stages.report.blocks import Block, Figure, Panel, Table
from localsel.stages.report.figures import share
from localsel.stages.report.finding import entries, figure
from localsel.stages.report.plots.matrix import matrix
from localsel.stages.report.plots.series import Lineup, Series
from localsel.stages.report.sections.parts import numbers, row

BOTH = (
    "Percent of the picks in common: above the diagonal in different orders, below it in the same"
    " order, on it each selector with itself in different orders."
)
SEEN = "The stronger the tint, the more."
SAME = "Percent of the picks in common, in the same order."

Shares = list[list[float | None]]


def overlaps(comparison: Mapping[str, Any], who: Lineup) -> list[Block]:
    people = who.selectors
    if len(people) < 2:
        return []
    shares = _shares(comparison, people)
    crossed = any(
        figure(pair, "overlap", "cross_order") is not None for pair in entries(comparison, "pairs")
    )
    reading, title = BOTH if crossed else SAME, "Picks in common"
    panel = Panel("", matrix(title, people, shares))
    return [
        Figure(title, (panel,), table=_table(title, people, shares), reading=reading, seen=SEEN)
    ]


def _shares(comparison: Mapping[str, Any], people: Sequence[Series]) -> Shares:
    """Upper half: different orders; lower half: the same order; where one is missing, the other."""
    places = {series.name: place for place, series in enumerate(people)}
    shares: Shares = [[None] * len(people) for _ in people]
    for each in entries(comparison, "selectors"):
        at = places[str(each.get("name"))]
        shares[at][at] = figure(each, "self_agreement")
    for pair in entries(comparison, "pairs"):
        low, high = sorted(places.get(str(pair.get(end)), -1) for end in "ab")
        if low >= 0:
            shares[low][high] = _share(pair, "cross_order", "same_order")
            shares[high][low] = _share(pair, "same_order", "cross_order")
    return shares


def _share(pair: Mapping[str, Any], form: str, other: str) -> float | None:
    ways = [("overlap", form), ("overlap", other), ("selection", "overlap")]
    return next((v for way in ways if (v := figure(pair, *way)) is not None), None)


def _table(title: str, people: Sequence[Series], shares: Shares) -> Table:
    columns = numbers(*(series.shown for series in people))
    rows = [row(s, map(share, line)) for s, line in zip(people, shares, strict=True)]
    return Table(title, "Selector", columns, tuple(rows))
