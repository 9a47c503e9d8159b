"""Models."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class ModelsPage(Page):
    """Models."""

    NAME = "models"

    def body(self) -> ComposeResult:
        yield Table([Column("models")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
