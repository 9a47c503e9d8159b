"""The contestants of a comparison → how each one looks: a colour, a shape, a dash.

No two look alike without colour: shapes and dashes differ, and every legend shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from localsel.stages.report.finding import entries
from localsel.stages.report.plots.drawing import beside, marker, path
from localsel.stages.report.texts import visible

SHAPES = ("circle", "square", "triangle", "diamond", "wedge", "pentagon")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")
GREY_DASHES = ("3 3", "1 3", "6 2 1 2")
COLOURS = 7
WIDTH = 60


@dataclass(frozen=True, slots=True)
class Series:
    """One contestant; `name` as in the dict, `shown` as it may be printed."""

    name: str
    shown: str
    kind: str
    colour: str
    shape: str
    dash: str

    @property
    def mark(self) -> Markup:
        """Its shape, before its name in a table."""
        return beside(f"mark {self.colour}", (12, 12), [marker("full", self.shape, (6, 6), 4.2)])

    @property
    def key(self) -> Markup:
        """Its line and shape, for the legend of a plot."""
        stroke = path("line", [(1, 6), (33, 6)], self.dash)
        drawn = [stroke, marker("full", self.shape, (17, 6), 3.8)]
        return beside(f"mark {self.colour}", (34, 12), drawn)


@dataclass(frozen=True, slots=True)
class Lineup:
    """Everyone in a comparison: selectors and humans, then baselines."""

    selectors: tuple[Series, ...]
    baselines: tuple[Series, ...]

    @property
    def everyone(self) -> tuple[Series, ...]:
        return self.selectors + self.baselines

    def of(self, entry: Mapping[str, Any]) -> Series:
        """The looks of an entry of the dict's `selectors` or `baselines`."""
        name = str(entry.get("name"))
        return next(each for each in self.everyone if each.name == name)


def lineup(comparison: Mapping[str, Any]) -> Lineup:
    return Lineup(
        tuple(_selector(at, each) for at, each in enumerate(entries(comparison, "selectors"))),
        tuple(_baseline(at, each) for at, each in enumerate(entries(comparison, "baselines"))),
    )


def _selector(place: int, selector: Mapping[str, Any]) -> Series:
    kind = str(selector.get("kind") or "selector")
    shape = "star" if kind == "human" else SHAPES[place % len(SHAPES)]
    dash = DASHES[place % len(DASHES)]
    name = str(selector.get("name"))
    return Series(name, visible(name, WIDTH), kind, f"s{place % COLOURS}", shape, dash)


def _baseline(place: int, baseline: Mapping[str, Any]) -> Series:
    """Grey: what the selectors are held against."""
    name = str(baseline.get("name"))
    shape, dash = SHAPES[::-1][place % len(SHAPES)], GREY_DASHES[place % len(GREY_DASHES)]
    return Series(name, visible(name, WIDTH), "baseline", f"b{place % 3}", shape, dash)
