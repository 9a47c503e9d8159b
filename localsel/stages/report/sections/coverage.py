"""Coverage of a comparison → how well selections represent the pool, held against random ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localsel.stages.report.blocks import Block, Cell, Figure, Panel, Row, Section, Table
from localsel.stages.report.figures import count, number, share
from localsel.stages.report.finding import entries, figure, listed
from localsel.stages.report.plots.drawing import Point
from localsel.stages.report.plots.lines import Curve, lines
from localsel.stages.report.plots.series import Lineup, Series
from localsel.stages.report.sections.parts import numbers, row, say, table

Format = Callable[[float | None], str]

MEASURES: dict[str, tuple[str, Format]] = {
    "mean_distance": ("Mean distance", number),
    "radius": ("Radius", number),
    "clusters_hit": ("Clusters hit", share),
    "pairwise_distance": ("Distance between picks", number),
    "near_duplicates": ("Near-duplicates", count),
}
READING = (
    "Mean distance and radius run from every row of the pool to its nearest pick: smaller covers"
    " better. Distance between picks: larger is more varied. A baseline of several seeds shows"
    " their mean, and ± their standard deviation."
)
RANDOM = (
    "Difference from random selections of the same size, whose own values are in the first row; z"
    " counts it in their standard deviations. Within about ±2 it is what another random selection"
    " would have shown too. Differences of shares are in percentage points."
)
CURVES = (
    "What the first picks of each ranking cover, as the budget grows: lower is better, and a curve"
    " that lies under that of random is worth its model."
)
NO_VECTORS = "Coverage cannot be said: the vectors of the pool are not at hand."


def coverage(comparison: Mapping[str, Any], who: Lineup) -> Section:
    everyone = [*entries(comparison, "selectors"), *entries(comparison, "baselines")]
    rows = [row(who.of(each), _measures(each)) for each in everyone]
    names = [name for name, _ in MEASURES.values()]
    blocks = table("Coverage of the pool", "Selection", numbers(*names), rows, READING)
    blocks += _against(everyone, who)
    if blocks and not entries(comparison, "baselines"):
        blocks += say("No baseline was run, so nothing says what random selections would cover.")
    blocks += _curves(everyone, who)
    return Section("coverage", "Coverage", tuple(blocks or say(NO_VECTORS)))


def _measures(each: Mapping[str, Any]) -> list[str | Cell]:
    return [
        Cell(text(figure(each, "coverage", name)), _spread(text, figure(each, "spread", name)))
        for name, (_, text) in MEASURES.items()
    ]


def _spread(text: Format, value: float | None) -> str:
    return f"± {text(value)}" if text(value) else ""


def _against(everyone: Sequence[Mapping[str, Any]], who: Lineup) -> list[Block]:
    columns = [
        column for name, _ in MEASURES.values() for column in numbers("diff.", "z", group=name)
    ]
    rows = [
        row(who.of(each), _differences(each)) for each in everyone if each.get("against_random")
    ]
    said = next((each["against_random"] for each in everyone if each.get("against_random")), None)
    title = "Coverage against random selections"
    return table(title, "Selection", columns, [*_random(said), *rows], RANDOM) if rows else []


def _random(against: object) -> list[Row]:
    """What the differences are differences from."""
    made = [
        Cell(text(figure(against, name, "random")), _spread(text, figure(against, name, "spread")))
        for name, (_, text) in MEASURES.items()
    ]
    return [Row("random itself", tuple(cell for each in made for cell in (each, Cell())))]


def _differences(each: Mapping[str, Any]) -> list[str | Cell]:
    said: list[str | Cell] = []
    for name, (_, text) in MEASURES.items():
        difference = figure(each, "against_random", name, "difference")
        said.append(_signed(text, difference))
        said.append(number(_float(figure(each, "against_random", name, "z")), 1, sign=True))
    return said


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _signed(text: Format, value: float | None) -> str:
    said = text(value)
    return f"+{said}" if value is not None and value > 0 and said.strip("0.\u00a0%") else said


def _curves(everyone: Sequence[Mapping[str, Any]], who: Lineup) -> list[Block]:
    """Baselines first, so that the selectors lie above them."""
    ordered = sorted(everyone, key=lambda each: who.of(each).kind != "baseline")
    panels, drawn = [], dict[Series, None]()
    for name in ("mean_distance", "radius"):
        if curves := _points(ordered, who, name):
            title = MEASURES[name][0]
            panels.append(Panel(title, lines(f"{title} by picks", "picks", curves)))
            drawn |= dict.fromkeys(series for series, _ in curves)
    if not panels:
        return []
    key = tuple((each.key, each.shown) for each in _first_selectors(list(drawn)))
    under = _table(everyone, who)
    return [Figure("Coverage against budget", tuple(panels), key, under, CURVES)]


def _first_selectors(drawn: Sequence[Series]) -> list[Series]:
    return sorted(drawn, key=lambda each: each.kind == "baseline")


def _points(everyone: Sequence[Mapping[str, Any]], who: Lineup, name: str) -> list[Curve]:
    curves: list[Curve] = []
    for each in everyone:
        points: list[Point] = [
            (at, value)
            for line in listed(each, "curve")
            if (at := figure(line, "picks")) is not None
            and (value := figure(line, name)) is not None
        ]
        if points:
            curves.append((who.of(each), points))
    return curves


def _table(everyone: Sequence[Mapping[str, Any]], who: Lineup) -> Table:
    known = {
        (series, name): dict(points)
        for name in ("mean_distance", "radius")
        for series, points in _points(everyone, who, name)
    }
    heads = [(series, name) for series in who.everyone for name in ("mean_distance", "radius")]
    heads = [head for head in heads if head in known]
    columns = [c for s, name in heads for c in numbers(MEASURES[name][0], group=s.shown)]
    budgets = sorted({at for points in known.values() for at in points})
    rows = [
        Row(count(at), tuple(Cell(number(known[head].get(at))) for head in heads)) for at in budgets
    ]
    return Table("Coverage against budget", "Picks", tuple(columns), tuple(rows))
