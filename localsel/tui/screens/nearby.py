"""A row of a run → the rows nearest to it, from the index; one of them may be gone to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from localsel.errors import LocalselError
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.leaving import Modal
from localsel.tui.widgets.bars import bar
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.table import Column, Line, Lines, Table

COUNT = 50
COLUMNS = (
    Column("cosine", 13),
    Column("row", 7, right=True),
    Column("cluster", 7, right=True),
    Column("", 6),
    Column("instruction"),
)


class Nearby(Modal[tuple[int, int | None] | None]):
    """Enter goes to the row: the answer is its number and its cluster."""

    DEFAULT_CSS = """
    Nearby { align: center middle; }
    Nearby > Vertical { width: 96%; max-width: 130; height: 80%; border: round $primary;
        background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("v", "leave", "back", show=False),
    ]

    def __init__(self, desk: Desk, run: str, row: int) -> None:
        super().__init__()
        self.desk, self.run_name, self.row = desk, run, row
        self._found: Sequence[Mapping[str, Any]] = ()

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = f"Nearest to row {self.row}"
            yield Table(COLUMNS, empty="Looking through the index …")
        yield Keys()

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def on_mount(self) -> None:
        later(self, self._look)

    async def _look(self) -> None:
        try:
            line = ("neighbours", self.run_name, str(self.row), "--count", str(COUNT))
            self._found = await self.desk.ask(*line)
        except LocalselError as error:
            self.table.empty = str(error)
            self.table.refresh()
            return
        self.table.empty = "There is no other row."
        self.table.show(Lines([_line(each) for each in self._found]))

    def on_table_chosen(self, event: Table.Chosen) -> None:
        found = next(each for each in self._found if each["row"] == event.key)
        self.dismiss((found["row"], found["cluster"]))

    def action_leave(self) -> None:
        self.dismiss(None)


def _line(found: Mapping[str, Any]) -> Line:
    cluster = "" if found["cluster"] is None else str(found["cluster"])
    drawn = f"{bar(found['cosine'], 7)} {found['cosine']:.3f}"
    picked = "● pick" if found["picked"] else ""
    return Line(found["row"], (drawn, str(found["row"]), cluster, picked, found["text"][:600]))
