"""Clusters."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class ClustersPage(Page):
    """Clusters."""

    NAME = "clusters"

    def body(self) -> ComposeResult:
        yield Table([Column("clusters")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
