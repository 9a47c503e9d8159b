"""Map."""

from __future__ import annotations

from textual.app import ComposeResult

from localsel.tui.page import Page
from localsel.tui.widgets.table import Column, Table


class MapPage(Page):
    """Map."""

    NAME = "map"

    def body(self) -> ComposeResult:
        yield Table([Column("map")], empty="Nothing yet.")

    def show(self) -> None:
        """Nothing yet."""
