"""Selectors of a comparison → how each one chooses: positions, labels, certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.stages.report.blocks import Block, Cell, Column, Figure, Panel, Row, Section, Table
from localsel.stages.report.figures import count, number, p_value, share
from localsel.stages.report.finding import entries, figure, listed
from localsel.stages.report.plots.bars import bars
from localsel.stages.report.plots.drawing import Point
from localsel.stages.report.plots.series import Lineup, Series
from localsel.stages.report.sections.parts import numbers, row, say, table

CERTAINTY = (
    "χ² and p ask whether picks follow the place a candidate is shown in: a small p says they do,"
    " whatever stands there. Entropy says how the probability of the first choice is spread over"
    " the candidates: 0 is certain, 1 is undecided between all of them."
)
COUNTED = (
    "Counted are the picks at every position, those expected if position did not matter, and the"
    " share of the lists with that position in which it was picked."
)
POSITIONS = (
    "A bar is picks divided by expected ones; the dashed line at 1 is no preference. Bars that fall"
    " from left to right are a leaning to what comes first."
)
LABELS = (
    "Mean probability of every label at the first choice. Candidates are shuffled, so an unbiased"
    " selector gives all labels the same, whatever the texts are."
)

Selector = Mapping[str, Any]


def behaviour(comparison: Mapping[str, Any], who: Lineup) -> Section:
    people = entries(comparison, "selectors")
    blocks = table(
        "Position and certainty",
        "Selector",
        numbers("χ²", "Degrees", "p", "Entropy"),
        [row(who.of(each), _certainty(each)) for each in people],
        CERTAINTY,
    )
    blocks += _positions(people, who)
    blocks += _labels(people, who)
    nothing = say("Nobody here answered queries, so there are no positions to speak of.")
    return Section("behaviour", "How each one chooses", tuple(blocks or nothing))


def _certainty(each: Selector) -> list[str | Cell]:
    return [
        number(figure(each, "position", "chi_square"), 1),
        count(figure(each, "position", "degrees")),
        p_value(figure(each, "position", "p_value")),
        number(figure(each, "entropy")),
    ]


def _positions(people: Sequence[Selector], who: Lineup) -> list[Block]:
    curves = {who.of(each): _ratios(each) for each in people}
    panels = _panels("Picks by position", "position", curves, even=1.0)
    if not panels:
        return []
    asked = [each for each in people if curves[who.of(each)]]
    return [
        Figure(
            "Picks by position, against expectation",
            tuple(panels),
            table=_table(asked, who),
            reading=COUNTED,
            seen=POSITIONS,
        )
    ]


def _ratios(each: Selector) -> list[Point]:
    return [
        (place, chosen / expected)
        for at in listed(each, "position", "curve")
        if (place := figure(at, "position")) is not None
        and (chosen := figure(at, "chosen")) is not None
        and (expected := figure(at, "expected"))
    ]


def _labels(people: Sequence[Selector], who: Lineup) -> list[Block]:
    priors = {
        who.of(each): [
            (label, prior)
            for label, _ in enumerate(listed(each, "label_prior"), 1)
            if (prior := figure(each, "label_prior", label - 1)) is not None
        ]
        for each in people
    }
    panels = _panels("Probability by label", "label", priors, even=None)
    if not panels:
        return []
    under = _label_table(priors)
    return [Figure("Probability of labels", tuple(panels), table=under, reading=LABELS)]


def _panels(
    title: str, x_name: str, curves: Mapping[Series, Sequence[Point]], even: float | None
) -> list[Panel]:
    top = max((y for points in curves.values() for _, y in points), default=0.0)
    return [
        Panel(
            series.shown,
            bars(f"{title}: {series.shown}", x_name, series, points, top, even),
            series.mark,
        )
        for series, points in curves.items()
        if points
    ]


def _table(people: Sequence[Selector], who: Lineup) -> Table:
    """Positions downwards; for everyone how often it was chosen, expected, and the rate."""
    names = [who.of(each).shown for each in people]
    columns = [
        column for name in names for column in numbers("chosen", "expected", "rate", group=name)
    ]
    at = {
        (place, position): line
        for place, each in enumerate(people)
        for line in listed(each, "position", "curve")
        if (position := figure(line, "position")) is not None
    }
    positions = sorted({position for _, position in at})
    rows = [
        Row(count(p), tuple(c for place in range(len(people)) for c in _line(at.get((place, p)))))
        for p in positions
    ]
    return Table("Picks by position", "Position", tuple(columns), tuple(rows))


def _line(at: object) -> list[Cell]:
    chosen, expected, rate = (figure(at, name) for name in ("chosen", "expected", "rate"))
    return [Cell(count(chosen)), Cell(number(expected, 1)), Cell(share(rate))]


def _label_table(priors: Mapping[Series, Sequence[Point]]) -> Table:
    asked = {series: dict(points) for series, points in priors.items() if points}
    labels = sorted({label for points in asked.values() for label in points})
    rows = [
        Row(count(label), tuple(Cell(number(points.get(label))) for points in asked.values()))
        for label in labels
    ]
    columns = tuple(Column(series.shown) for series in asked)
    return Table("Probability by label", "Label", columns, tuple(rows))
