"""Coordinates of the pool and of the picks → a map for each selector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.stages.report.blocks import Block, Figure, Panel, Section
from localsel.stages.report.figures import share, sound
from localsel.stages.report.finding import entries, figure, found, listed
from localsel.stages.report.plots.drawing import Point
from localsel.stages.report.plots.scatter import Ground, Pick, scatter
from localsel.stages.report.plots.series import Lineup
from localsel.stages.report.sections.parts import say
from localsel.stages.report.texts import visible

READING = (
    "Every grey dot is a row of the pool. A full symbol is a pick that no other selector made, a"
    " hollow one was picked by another too. Neighbours here are similar texts; two directions show"
    " only part of the distances that coverage is measured in."
)
ALONE = (
    "Every grey dot is a row of the pool, every symbol a pick. Neighbours here are similar texts;"
    " two directions show only part of the distances that coverage is measured in."
)
INSTEAD = "The map has too many points for a table; the HTML report draws it."
NOTHING = "There is no map: the vectors of the pool are not at hand."


def pool_map(comparison: Mapping[str, Any], who: Lineup) -> Section:
    panels = _panels(comparison, who)
    if not panels:
        return Section("map", "Map of the pool", tuple(say(NOTHING)))
    reading = READING if len(entries(comparison, "selectors")) > 1 else ALONE
    figured = Figure(_title(comparison), tuple(panels), seen=reading, instead=INSTEAD)
    blocks: list[Block] = [figured]
    return Section("map", "Map of the pool", tuple(blocks))


def _title(comparison: Mapping[str, Any]) -> str:
    method = visible(found(comparison, "map", "method") or "projection", 40)
    parts = [share(figure(comparison, "map", "explained", axis)) for axis in (0, 1)]
    if not all(parts):
        return f"The pool in two dimensions ({method})"
    return f"The pool in two dimensions ({method}: {parts[0]} and {parts[1]} of the variance)"


def _panels(comparison: Mapping[str, Any], who: Lineup) -> list[Panel]:
    pool = [_point(each) for each in listed(comparison, "map", "pool") if _flat(each)]
    picks = {series.name: _picks(comparison, series.name) for series in who.everyone}
    ground = Ground([*pool, *((x, y) for each in picks.values() for x, y, _ in each)])
    return [
        Panel(series.shown, scatter(series, pool, made, only, ground), series.mark)
        for selector in entries(comparison, "selectors")
        if (series := who.of(selector)) and (made := picks[series.name])
        for only in [frozenset(_only(selector, made))]
    ]


def _only(selector: Mapping[str, Any], made: Sequence[Pick]) -> Sequence[Any]:
    """All of its picks where nobody says which ones are its own."""
    return listed(selector, "only") if "only" in selector else [row for _, _, row in made]


def _picks(comparison: Mapping[str, Any], name: str) -> list[Pick]:
    made = listed(comparison, "map", "picks", name)
    return [(*_point(each), int(each[2])) for each in made if _flat(each) and len(each) > 2]


def _flat(each: object) -> bool:
    return isinstance(each, list | tuple) and len(each) > 1 and all(map(sound, each))


def _point(each: Sequence[Any]) -> Point:
    return float(each[0]), float(each[1])
