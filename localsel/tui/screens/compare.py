"""Compare."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class ComparePage(Page):
    """Compare."""

    NAME = "compare"

    def body(self) -> ComposeResult:
        yield Table([Column("compare")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
