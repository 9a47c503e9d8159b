"""A pool in the workspace → a table of its rows that reads only the page that is shown."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from localsel.tui.widgets.table import Column, Line, Source, Table

if TYPE_CHECKING:
    from localsel.store import Store

COLUMNS = (Column("row", 9, right=True), Column("instruction"), Column("input"), Column("response"))
BROKEN = (Column("row", 9, right=True), Column("line", 9, right=True), Column("why it is broken"))
LETTERS = 600
"""Of each text: more than any terminal shows on one line."""


class PoolRows:
    """The rows of these numbers. An exact duplicate has `=` before its number, and is dim."""

    def __init__(self, store: Store, pool: str, numbers: Sequence[int]) -> None:
        self._store, self._pool, self.numbers = store, pool, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def lines(self, start: int, stop: int) -> Sequence[Line]:
        found = self._store.beginnings(self._pool, self.numbers[start:stop], LETTERS)
        return [_line(row) for row in found]

    def narrowed(self, text: str) -> Source:
        """All of them: looking through a million takes a thread, which `RowsTable` asks for."""
        return self

    def place(self, row: object) -> int | None:
        """Where a row stands among these."""
        if not isinstance(row, int):
            return None
        at = bisect_left(self.numbers, row)
        return at if at < len(self.numbers) and self.numbers[at] == row else None


def _line(row: dict[str, object]) -> Line:
    twin = row["duplicate_of"] is not None
    texts = (str(row[name]) for name in ("instruction", "input", "response"))
    return Line(row["row"], [f"{'= ' if twin else ''}{row['row']}", *texts], "dim" if twin else "")


class RowsTable(Table):
    """Rows of a pool, however many. What it is to be narrowed to it asks for by message."""

    @dataclass
    class Wanted(Message):
        """Somebody wants to see only the rows with this text; all of them for nothing."""

        text: str

    found: Sequence[int] = ()
    """Rows that have what was looked for last."""

    def narrow(self, text: str) -> None:
        if not isinstance(self._all, PoolRows):
            super().narrow(text)
            return
        if text:
            self.pattern = text
        else:
            self.show(self._all)
        self.post_message(self.Wanted(text))

    def show(self, source: Source, columns: Sequence[Column] | None = None) -> None:
        """Shows all of a source: what it was narrowed to belonged to the one before."""
        key = self.key
        self.columns = columns or self.columns
        self._all = source
        self._set(source)
        self.go_to(key)

    def show_found(self, source: PoolRows) -> None:
        """Shows what was found so far of what was wanted."""
        key, self.found = self.key, source.numbers
        self._set(source)
        self.go_to(key)
        if self.key not in (None, key):
            self.post_message(self.Highlighted(self, self.key))

    def go_to(self, key: object) -> None:
        if not isinstance(self.source, PoolRows):
            super().go_to(key)
        elif (place := self.source.place(key)) is not None:
            self.cursor = place

    def action_match(self, by: int) -> None:
        """To the next row that was found, also once all rows are shown again."""
        key = self.key
        if not (isinstance(self.source, PoolRows) and isinstance(key, int) and self.pattern):
            super().action_match(by)
            return
        at = bisect_right(self.found, key) if by > 0 else bisect_left(self.found, key) - 1
        if 0 <= at < len(self.found):
            self.go_to(self.found[at])
        else:
            self.say_no_other()
