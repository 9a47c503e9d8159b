"""What `preview` says of a file → its first rows, and which column is what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Select, Static

from localsel.printable import visible
from localsel.tui.widgets.table import Column, Line, Lines

ROLES = ("instruction", "input", "response")
LONGEST = 400
"""Letters of a cell: no terminal is wider."""


class Roles(Horizontal):
    """Three columns to choose; empty where the file says it itself.

    Attributes:
        guess: what the loader recognised; `typed` is what differs from it.
    """

    DEFAULT_CSS = """
    Roles { height: 1; }
    Roles > Static { width: 17; color: $text-muted; padding-left: 1; }
    Roles:focus-within > Static { color: $foreground; text-style: bold; }
    Roles > Select { width: 1fr; max-width: 30; }
    Roles > #role-instruction { width: 28; }
    Roles Select > SelectCurrent { background: $panel; }
    Roles SelectCurrent #label { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Roles Select:focus > SelectCurrent { background: $boost; border: none; }
    """

    @dataclass
    class Changed(Message):
        """Another column was chosen."""

    def __init__(self) -> None:
        super().__init__(id="columns")
        self.guess: Mapping[str, str] = {}
        self.columns: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static("Columns", markup=False)
        for role in ROLES:
            yield Select[str]([], prompt=f"no {role}", id=f"role-{role}", compact=True)

    def fill(self, columns: Sequence[str], guess: Mapping[str, str | None]) -> None:
        """Offers the columns of a file, the guess chosen."""
        self.guess = {
            role: column for role, column in guess.items() if column and column in columns
        }
        self.columns = tuple(columns)
        self.display = bool(columns)
        with self.prevent(Select.Changed):
            for role, select in self._selects():
                named = [(Text(visible(f"{role}: {each}", 60)), each) for each in columns]
                select.set_options(named)
                select.value = self.guess.get(role, Select.NULL)

    @property
    def chosen(self) -> dict[str, str]:
        """Column by role, as it stands."""
        return {
            role: str(select.value)
            for role, select in self._selects()
            if select.value is not Select.NULL
        }

    @property
    def typed(self) -> str:
        """What `--map` has to say; nothing where the guess stands."""
        if self.chosen == self.guess or not self.columns:
            return ""
        return ",".join(f"{role}={column}" for role, column in self.chosen.items())

    def _selects(self) -> list[tuple[str, Select[str]]]:
        return [(role, self.query_one(f"#role-{role}", Select)) for role in ROLES]

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self.post_message(self.Changed())


def rows_of(preview: Mapping[str, Any]) -> tuple[list[Column], Lines]:
    """The first rows as they will be read, or as they stand in a file that says nothing to us."""
    if preview["layout"]:
        used = [role for role in ROLES if any(row[role] for row in preview["rows"])]
        cells = [[row[role] or "" for role in used] for row in preview["rows"]]
    else:
        used = preview["columns"]
        cells = [[row["columns"].get(name) for name in used] for row in preview["rows"]]
    numbers = [row["row"] for row in preview["rows"]]
    lines = [
        Line(number, (f"{number}", *(_cell(each) for each in row)))
        for number, row in zip(numbers, cells, strict=True)
    ]
    return [Column("row", 5, right=True), *(Column(visible(name)) for name in used)], Lines(lines)


def _cell(value: object) -> str:
    return "" if value is None else str(value)[:LONGEST]
