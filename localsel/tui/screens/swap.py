"""A pick that is to go → the row that is to come: a candidate of its cluster, or any by number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from localsel.tui import reviewed, rowtext
from localsel.tui.desk import Desk
from localsel.tui.screens.beside import Beside
from localsel.tui.widgets.asking import Asking
from localsel.tui.widgets.table import Column, Line, Lines, Table

if TYPE_CHECKING:
    from localsel.records import Answer, Pick
    from localsel.review import Review

COLUMNS = (
    Column("row", 7, right=True),
    Column("round", 5, right=True),
    Column("prob", 4, right=True),
    Column("instruction"),
)
EMPTY = "No other candidate of its cluster. Press r to name any row by its number."


class Candidates(Table):
    """Enter takes one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "take it")]


class SwapScreen(Beside[int | None]):
    """The candidates of a pick's cluster, best first. Enter takes one, esc none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "number", "a row by its number"),
        Binding("escape", "dismiss", "back"),
    ]

    def __init__(self, desk: Desk, run: Mapping[str, Any], review: Review, pick: Pick) -> None:
        super().__init__()
        self.desk, self.run, self.review, self.pick = desk, run, review, pick
        cluster = "" if pick.cluster is None else f" of cluster {pick.cluster}"
        self.says = Text(f"Instead of row {pick.row}{cluster}: enter takes a candidate", "bold")

    def candidates(self) -> Table:
        return Candidates(COLUMNS, EMPTY, id="candidates")

    def on_mount(self) -> None:
        self.table.show(Lines(self._lines()))
        self._read()

    def _lines(self) -> list[Line]:
        from localsel.review import ranked

        run, cluster = self.run, self.pick.cluster
        if cluster is None:
            return []
        answers = self.desk.store.answers_in(run["run"], run["plan"], cluster)
        came = came_to(answers)
        out = {*self.review.banned, *(pick.row for pick in self.review.picks)}
        rows = [row for row in ranked(answers) if row not in out]
        begins = rowtext.first_lines(self.desk.store, run["pool"], rows, reviewed.LONGEST)
        return [Line(row, (str(row), *came[row], begins[row])) for row in rows]

    def _read(self) -> None:
        row = self.table.key
        if isinstance(row, int):
            text = rowtext.row_text(self.desk.store, self.run["pool"], row)
            self.sheet.tell(row, text)

    def on_table_highlighted(self) -> None:
        self._read()

    def on_table_chosen(self, message: Table.Chosen) -> None:
        if isinstance(message.key, int):
            self.dismiss(message.key)

    def action_number(self) -> None:
        says = f"Which row is to take the place of row {self.pick.row}? Rows count from 0."
        asking = Asking("A row by its number", says, number=True)
        self.app.push_screen(asking, self._numbered)

    def _numbered(self, text: str | None) -> None:
        if text and text.strip().isdecimal():
            self.dismiss(int(text))


def came_to(answers: Sequence[tuple[int, Answer]]) -> dict[int, tuple[str, str]]:
    """Of every row the last round in which it was shown, and how likely it was there."""
    last: dict[int, tuple[int, list[float]]] = {}
    for number, answer in sorted(answers, key=lambda each: each[0]):
        for place, row in enumerate(answer.shown):
            before = last.get(row, (number, []))
            scores = before[1] if before[0] == number else []
            last[row] = (number, [*scores, *answer.scores[place : place + 1]])
    return {
        row: (str(number + 1), reviewed.share(math.exp(fmean(scores)) if scores else None))
        for row, (number, scores) in last.items()
    }
