"""Review."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class ReviewPage(Page):
    """Review."""

    NAME = "review"

    def body(self) -> ComposeResult:
        yield Table([Column("review")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
