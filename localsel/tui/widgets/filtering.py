"""A table and what is typed → the table narrowed to the rows that have it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from localsel.tui.widgets.table import Table


class Filtering(Input):
    """One line at the foot of the screen; enter keeps what is left, esc brings all back."""

    DEFAULT_CSS = """
    Filtering { dock: bottom; height: 1; border: none; padding: 0 1; background: $surface;
        offset: 0 -1; }
    Filtering:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "all rows again")]

    def __init__(self, table: Table) -> None:
        super().__init__(placeholder="show only rows with …  (enter keeps them, esc shows all)")
        self.table = table

    def on_mount(self) -> None:
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.table.narrow(event.value)

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()
        await self.remove()

    async def action_leave(self) -> None:
        self.table.narrow("")
        self.table.focus()
        await self.remove()
