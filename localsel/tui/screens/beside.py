"""Candidates → a screen that lists them, and shows the one under the cursor beside the list."""

from __future__ import annotations

from typing import Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from localsel.tui.leaving import Above
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.sheet import Sheet
from localsel.tui.widgets.table import Table

T = TypeVar("T")


class Beside(Above[T], Generic[T]):
    """What is asked for, a table, and a sheet: below it, or beside it if there is room."""

    DEFAULT_CSS = """
    Beside #says { height: 1; padding: 0 1; background: $panel; }
    Beside #detail { height: 42%; min-height: 7; border-top: solid $primary; }
    Beside.-wide #sides { layout: horizontal; }
    Beside.-wide #candidates { width: 3fr; }
    Beside.-wide #detail { width: 2fr; height: 1fr; border-top: none;
        border-left: solid $primary; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = "Table"

    says = Text()

    def candidates(self) -> Table:
        """The table, called `candidates`."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        yield Static(self.says, id="says")
        with Container(id="sides"):
            yield self.candidates()
            yield Sheet(id="detail")
        yield Keys()

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    @property
    def sheet(self) -> Sheet:
        return self.query_one(Sheet)
