"""Lengths and languages of a comparison → what kind of texts each one chose, beside the pool's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localsel.stages.report.blocks import Block, Cell, Row, Section
from localsel.stages.report.figures import number, share
from localsel.stages.report.finding import entries, figure, found
from localsel.stages.report.plots.series import Lineup, Series
from localsel.stages.report.sections.parts import numbers, row, say, table
from localsel.stages.report.texts import visible

LENGTHS = (
    "Length of the texts as shown to the selectors. Half of them lie between the quartiles; a"
    " selector far above the pool prefers long instructions, whatever they ask."
)
LANGUAGES = (
    "Share of the texts in each language, by their ISO 639 codes, told from at most a sample of"
    " them by a program that errs on short texts. Compare with the row of the pool."
)
MOST_LANGUAGES = 10

Profiles = list[tuple[Series | None, Mapping[str, Any]]]


def profiles(comparison: Mapping[str, Any], who: Lineup) -> Section:
    everyone = _everyone(comparison, who)
    blocks = _lengths(everyone) + _languages(everyone)
    nothing = say("The texts are not at hand, so lengths and languages cannot be said.")
    return Section("texts", "What the picks are like", tuple(blocks or nothing))


def _everyone(comparison: Mapping[str, Any], who: Lineup) -> Profiles:
    """The pool first."""
    known: Profiles = [(None, found(comparison, "pool", "profile") or {})]
    for each in (*entries(comparison, "selectors"), *entries(comparison, "baselines")):
        known.append((who.of(each), each.get("profile") or {}))
    return [(series, profile) for series, profile in known if profile]


def _row(series: Series | None, texts: list[str]) -> Row:
    return row(series, texts) if series else Row("the pool", tuple(map(Cell, texts)))


def _lengths(everyone: Profiles) -> list[Block]:
    columns = [
        column
        for name in ("characters", "words")
        for column in numbers("mean", "lower quartile", "median", "upper quartile", group=name)
    ]
    rows = [_row(series, _length(profile)) for series, profile in everyone]
    return table("Length of the texts", "Selection", columns, rows, LENGTHS)


def _length(profile: Mapping[str, Any]) -> list[str]:
    return [
        number(None if value is None else float(value), 1)
        for unit in ("characters", "words")
        for name in ("mean", "q1", "median", "q3")
        for value in [figure(profile, unit, name)]
    ]


def _languages(everyone: Profiles) -> list[Block]:
    highest: dict[str, float] = {}
    for _, profile in everyone:
        for code in profile.get("languages") or {}:
            part = figure(profile, "languages", code) or 0.0
            highest[code] = max(part, highest.get(code, 0.0))
    kept = sorted(highest, key=lambda code: (-highest[code], code))[:MOST_LANGUAGES]
    rows = [_row(series, _shares(profile, kept)) for series, profile in everyone]
    names = [visible(code, 20) for code in kept]
    return table("Languages", "Selection", numbers(*names), rows, _left_out(highest, kept))


def _shares(profile: Mapping[str, Any], codes: list[str]) -> list[str]:
    """A language that is not named has no text; where none is named, nothing is known."""
    known = profile.get("languages") or {}
    return [share(figure(known, code) or 0.0) if known else "" for code in codes]


def _left_out(highest: Mapping[str, float], kept: list[str]) -> str:
    rest = len(highest) - len(kept)
    if not rest:
        return LANGUAGES
    return f"{LANGUAGES} {rest:,} rarer ones are left out here."
