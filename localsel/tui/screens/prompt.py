"""Prompt."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class PromptPage(Page):
    """Prompt."""

    NAME = "prompt"

    def body(self) -> ComposeResult:
        yield Table([Column("prompt")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
