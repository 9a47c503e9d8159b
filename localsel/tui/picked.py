"""The picks of several runs → one line for each row that any of them picked, query by query."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.text import Text

from localsel.printable import visible
from localsel.tui.clustered import PICKED
from localsel.tui.sides import COLOURS, Side, cell
from localsel.tui.widgets.table import Column, Line

if TYPE_CHECKING:
    from localsel.records import Answer, Pick
    from localsel.store import Store

Heads = Mapping[int, str]
ALL, SHARED = "all", "by all"
BAR, LEAST, TEXT = 15, 6, 24


@dataclass(frozen=True, slots=True)
class Choice:
    """A row that somebody picked.

    Attributes:
        query: in which it was picked; `cluster`: where it lies; None where nobody was asked.
        by: the runs that picked it.
        shares: by run how likely it was as first choice in that query; absent where not shown.
        disputed: the selectors picked differently in that query.
    """

    row: int
    cluster: int | None
    query: int | None
    by: frozenset[str]
    shares: Mapping[str, float]
    disputed: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """All of them, in the order of clusters and queries, and how their rows begin."""

    rows: Sequence[Choice]
    heads: Heads


def read_choices(home: Path, sides: Sequence[Side]) -> Choices:
    """For a thread: it reads every answer.

    Raises:
        UsageError: a run is not there any more.
    """
    from localsel.store import Store

    with closing(Store(home)) as store:
        found = _choices(store, sides)
        return Choices(found, store.heads(sides[0].run, [each.row for each in found]))


def judges(sides: Sequence[Side]) -> list[Side]:
    """The selectors among them, whose picks can agree; of baselines alone all."""
    return [side for side in sides if side.asks] or [*sides]


def _choices(store: Store, sides: Sequence[Side]) -> list[Choice]:
    picks = {side.run: {pick.row: pick for pick in store.picks(side.run)} for side in sides}
    asked = [side.run for side in judges(sides)]
    rows = dict.fromkeys(row for run in asked for row in picks[run])
    plan = store.run(asked[0])["plan"]
    clusters = store.clusters_of(plan, list(rows)) if plan else {}
    answers = {run: store.answers(run) for run in asked}
    groups: dict[int | None, list[int]] = {}
    for row in rows:
        groups.setdefault(_query(row, asked, picks), []).append(row)
    found = [
        Choice(
            row,
            clusters.get(row),
            query,
            frozenset(run for run, own in picks.items() if row in own),
            {
                run: share
                for run in asked
                if (share := _share(answers[run], query, row)) is not None
            },
            any(row not in picks[run] for row in group for run in asked),
        )
        for query, group in groups.items()
        for row in group
    ]
    return sorted(found, key=_place)


def _place(choice: Choice) -> tuple[float, float]:
    nowhere = math.inf
    cluster = nowhere if choice.cluster is None else choice.cluster
    return cluster, nowhere if choice.query is None else choice.query


def _query(row: int, runs: Iterable[str], picks: Mapping[str, Mapping[int, Pick]]) -> int | None:
    return next((picks[run][row].query for run in runs if row in picks[run]), None)


def _share(answers: Mapping[Any, Answer], query: int | None, row: int) -> float | None:
    return _shares(answers.get((query, 0))).get(row)


# Lines


def filters(sides: Sequence[Side]) -> list[str]:
    """What can be left: all, what one alone picked, what all picked."""
    asked = judges(sides)
    if len(asked) < 2:
        return [ALL]
    return [ALL, *(f"only {side.letter}" for side in asked), SHARED]


def passing(choices: Sequence[Choice], wanted: str, sides: Sequence[Side]) -> list[Choice]:
    """Those that pass a filter. Baselines do not count."""
    asked = frozenset(side.run for side in judges(sides))
    if wanted == ALL:
        return [*choices]
    if wanted == SHARED:
        return [each for each in choices if asked <= each.by]
    own = {side.run for side in sides if wanted == f"only {side.letter}"}
    return [each for each in choices if each.by & asked == own]


def columns(sides: Sequence[Side], widths: Sequence[int]) -> list[Column]:
    named = [
        Column(f"{side.letter} {side.name}"[: max(width, 2)], width)
        for side, width in zip(sides, widths, strict=True)
    ]
    fixed = (Column("cl.", 5, right=True), Column("query", 5, right=True), Column("", 1))
    return [*fixed, *named, Column("instruction")]


def lines(
    choices: Sequence[Choice], heads: Heads, sides: Sequence[Side], widths: Sequence[int]
) -> list[Line]:
    """One for each choice, whose row is its key; ≠ where the selectors picked differently."""
    return [_line(each, heads, sides, widths) for each in choices]


def _line(choice: Choice, heads: Heads, sides: Sequence[Side], widths: Sequence[int]) -> Line:
    said = [
        cell(
            PICKED if side.run in choice.by else "",
            choice.shares.get(side.run) if side.asks else None,
            width,
            "" if choice.query is None else "taken" if side.run in choice.by else "not shown",
        )
        for side, width in zip(sides, widths, strict=True)
    ]
    place = ("" if each is None else str(each) for each in (choice.cluster, choice.query))
    sign = "≠" if choice.disputed else ""
    return Line(choice.row, (*place, sign, *said, heads.get(choice.row, "")))


# The query under the cursor


def query_text(
    store: Store, choice: Choice, sides: Sequence[Side], styles: Sequence[Style], room: int
) -> Text:
    """All its candidates with the bars of all, the likeliest first, in lines so wide."""
    asked = [side for side in sides if side.asks]
    if choice.query is None or not asked:
        return Text()
    answers = {side.run: store.answer(side.run, choice.query, 0) for side in asked}
    shares = {side.run: _shares(answers[side.run]) for side in asked}
    rows = list(dict.fromkeys(row for own in shares.values() for row in own))
    rows.sort(key=lambda row: -max(own.get(row) or 0.0 for own in shares.values()))
    heads = store.heads(asked[0].run, rows)
    picks = {side.run: {pick.row for pick in store.picks(side.run)} for side in asked}
    width = max(LEAST, min(BAR, (room - TEXT) // len(asked) - 1))
    text = Text.assemble("\n", (f"All {len(rows)} candidates of query {choice.query}", "bold"))
    for row in rows:
        text.append("\n")
        for place, side in enumerate(asked):
            own, sign = shares[side.run], PICKED if row in picks[side.run] else ""
            said = cell(sign, own.get(row), width, "taken" if row in own else "–")
            text.append(f"{said:<{width}} ", styles[place % COLOURS])
        here = "bold reverse" if row == choice.row else ""
        text.append(f"{row:>6}", here).append(f" {visible(heads.get(row, ''))}")
    return text


def _shares(answer: Answer | None) -> dict[int, float | None]:
    """Of every row that was shown how likely it was; None where nobody was asked."""
    if answer is None:
        return {}
    if not answer.scores:
        return dict.fromkeys(answer.shown)
    return dict(zip(answer.shown, map(math.exp, answer.scores), strict=True))
