"""Run."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class RunPage(Page):
    """Run."""

    NAME = "run"

    def body(self) -> ComposeResult:
        yield Table([Column("run")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
