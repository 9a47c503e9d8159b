"""The answers of a run → lines of a table, a page at a time, newest first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localsel.tui.widgets.table import Column, Line

if TYPE_CHECKING:
    from localsel.store import Store

COLUMNS = (
    Column("query", 6, right=True),
    Column("order", 5, right=True),
    Column("cluster", 7, right=True),
    Column("likely", 6, right=True),
    Column("s", 6, right=True),
    Column("chosen first"),
)


class Answers:
    """All of a run, only those with a fault, or those whose first choice has a text."""

    def __init__(self, store: Store, run: str, faulty: bool, text: str = "") -> None:
        self._store, self._run, self._faulty, self._text = store, run, faulty, text
        self._count = store.count_answers(run, faulty, text) if run else 0

    def __len__(self) -> int:
        return self._count

    def lines(self, start: int, stop: int) -> Sequence[Line]:
        page = self._store.answers_page(self._run, start, stop - start, self._faulty, self._text)
        return [_line(each) for each in page]

    def narrowed(self, text: str) -> Answers:
        return Answers(self._store, self._run, self._faulty, text)


def _line(found: Mapping[str, Any]) -> Line:
    answer, cluster = found["answer"], found["cluster"]
    rest = "" if len(answer.chosen) == 1 else f" (+{len(answer.chosen) - 1})"
    likely = f"{answer.probabilities[0]:.0%}" if answer.probabilities else ""
    faults = "! unanswered, filled at random: " * (answer.outcome == "abstained")
    faults += f"! {len(answer.shortened)} shortened: " * bool(answer.shortened)
    cells = (
        f"{answer.query}",
        f"{answer.order + 1}",
        "" if cluster is None else f"{cluster}",
        "" if answer.probabilities and math.isnan(answer.probabilities[0]) else likely,
        f"{answer.seconds:.2f}",
        f"{faults}{found['text']}{rest}",
    )
    tone = "bad" if answer.outcome == "abstained" else ""
    return Line((answer.query, answer.order), cells, tone)
