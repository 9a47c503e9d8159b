"""Workspace."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class WorkspacePage(Page):
    """Workspace."""

    NAME = "workspace"

    def body(self) -> ComposeResult:
        yield Table([Column("workspace")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
