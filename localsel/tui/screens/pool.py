"""A pool → all its rows, however many: to scroll, to search, and to read one whole."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from localsel.printable import visible, visible_lines
from localsel.tui.desk import Desk
from localsel.tui.leaving import Above
from localsel.tui.rowtext import section
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.rows import BROKEN, COLUMNS, PoolRows, RowsTable
from localsel.tui.widgets.table import Line, Lines, Table
from localsel.wording import counted

PAUSE = 0.2
"""Seconds without typing before the rows are searched, and between two words about it."""

SETTLED = 0.08
"""Seconds that the cursor has to stay on a row before it is read whole."""


class PoolScreen(Above[None]):
    """The rows of one pool. Esc goes back."""

    AUTO_FOCUS = "RowsTable"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    CSS = """
    PoolScreen { layout: vertical; }
    PoolScreen #pool { height: 1; background: $surface; padding: 0 1; }
    PoolScreen #whole { display: none; background: $background; padding: 0 1; }
    PoolScreen.-wide #whole { display: block; width: 40%; border-left: solid $panel; }
    PoolScreen.-wide RowsTable { width: 1fr; }
    PoolScreen.-narrow Horizontal { layout: vertical; }
    PoolScreen.-narrow.-reading #whole { display: block; height: 1fr; border-top: solid $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "faults", "broken rows"),
        Binding("escape", "back", "back"),
    ]

    @dataclass
    class Found(Message):
        """A search has come so far: rows found up to `last`."""

        text: str
        numbers: Sequence[int]
        last: int
        over: bool

    def __init__(self, desk: Desk, pool: str) -> None:
        super().__init__()
        self.desk, self.pool = desk, pool
        self.faults_only = False
        self._text = ""

    def compose(self) -> ComposeResult:
        yield Static(id="pool")
        with Horizontal():
            yield RowsTable(COLUMNS, empty="No row has it. Press esc for all rows.")
            with VerticalScroll(id="whole"):
                yield Static()
        yield Keys()

    @property
    def table(self) -> RowsTable:
        return self.query_one(RowsTable)

    def on_mount(self) -> None:
        store = self.desk.store
        found = next((each for each in store.pools() if each["pool"] == self.pool), None)
        if found is None:
            self.notify("This pool was removed meanwhile.", severity="error")
            self.call_after_refresh(self.action_back)
            return
        self.facts = found
        self.rows = PoolRows(store, self.pool, store.row_numbers(self.pool))
        self.table.show(self.rows)
        self._settling = self.set_interval(SETTLED, self._settled, pause=True)
        self._say()
        self._read(self.table.key)

    def _say(self, more: str = "") -> None:
        says = f"{Path(self.facts['path']).name}: {counted(self.facts['rows'], 'row')}"
        if self.facts["bad"]:
            says += f", {self.facts['bad']:,} broken"
        self.query_one("#pool", Static).update(Text(visible(more or says), no_wrap=True))

    # Searching

    def on_rows_table_wanted(self, event: RowsTable.Wanted) -> None:
        self._text = event.text
        self.workers.cancel_group(self, "search")
        if event.text:
            text = event.text
            self.run_worker(lambda: self._search(text), group="search", thread=True)
        self._say()

    def _search(self, text: str) -> None:
        """In a thread with its own view of the workspace, told to stop by the next search."""
        from localsel.store import Store

        worker, found, told = get_current_worker(), array("q"), time.monotonic()
        time.sleep(PAUSE)
        with closing(Store(self.desk.home)) as store:
            for last, some in store.search(self.pool, text):
                if worker.is_cancelled:
                    return
                found.extend(some)
                if time.monotonic() - told > PAUSE:
                    told = time.monotonic()
                    self.post_message(self.Found(text, found[:], last, over=False))
        if not worker.is_cancelled:
            self.post_message(self.Found(text, found, 0, over=True))

    def on_pool_screen_found(self, event: Found) -> None:
        if event.text != self._text or self.faults_only:
            return
        self.table.show_found(PoolRows(self.desk.store, self.pool, event.numbers))
        has = f"{counted(len(event.numbers), 'row')} with {event.text!r}"
        there = self.rows.place(event.last) or 0
        so_far = f"{has} so far; looked through {there:,} of {len(self.rows):,} (esc stops)"
        self._say(f"{has} of {len(self.rows):,}" if event.over else so_far)

    # Reading

    def on_table_highlighted(self) -> None:
        """Reads the row once the cursor stays on it: turning pages waits for nothing."""
        self._settling.reset()
        self._settling.resume()

    def _settled(self) -> None:
        self._settling.pause()
        self._read(self.table.key)

    def on_table_chosen(self, event: Table.Chosen) -> None:
        self.add_class("-reading")
        self._read(event.key)

    def _read(self, key: object) -> None:
        whole = self.query_one("#whole", VerticalScroll)
        if not isinstance(key, int) or not (self.has_class("-reading") or self.has_class("-wide")):
            return
        text = self._broken(key) if self.faults_only else self._whole(key)
        whole.query_one(Static).update(text)
        whole.scroll_home(animate=False)

    def _whole(self, row: int) -> Text:
        """Every column of a row, as the file has it."""
        text = Text.assemble((f"Row {row:,}", "bold"))
        first = self.desk.store.distinct_row(self.pool, row)
        if first != row:
            text.append(f"\n= the same text as row {first:,}: only that one is chosen from")
        for name, value in self.desk.store.columns(self.pool, row).items():
            if value not in ("", None):
                text.append_text(section(name, str(value)))
        return text

    def _broken(self, row: int) -> Text:
        found = next(each for each in self._faults if each["row"] == row)
        return Text(visible_lines(f"Row {row:,} was skipped\n\n{found['reason']}"))

    def action_faults(self) -> None:
        """Broken rows only, or all the others again."""
        self.faults_only = not self.faults_only
        self.workers.cancel_group(self, "search")
        if self.faults_only:
            self._faults = self.desk.store.bad_rows(self.pool)
            self.table.empty = "No row of this pool is broken. Press f for the rows."
            lines = [Line(each["row"], _cells(each)) for each in self._faults]
            self.table.show(Lines(lines), BROKEN)
        else:
            self.table.empty = "No row has it. Press esc for all rows."
            self.table.show(self.rows, COLUMNS)
        self._say()
        self._read(self.table.key)

    def on_resize(self) -> None:
        self.call_after_refresh(lambda: self._read(self.table.key))

    def action_back(self) -> None:
        if self.has_class("-reading") and not self.has_class("-wide"):
            self.remove_class("-reading")
            self.table.focus()
        else:
            self.dismiss()


def _cells(fault: dict[str, object]) -> list[str]:
    return [str(fault["row"]), str(fault["line"] or ""), str(fault["reason"])]
