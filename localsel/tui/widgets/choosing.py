"""A few things by name → the one that was taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from localsel.tui.leaving import Modal
from localsel.tui.widgets.table import Column, Line, Lines, Table


class Choosing(Modal[str | None]):
    """Answers with the key of a line, a string; esc answers None."""

    DEFAULT_CSS = """
    Choosing { align: center middle; }
    Choosing > Vertical { width: 76; max-width: 96%; height: auto; max-height: 80%; padding: 0 1;
        border: round $primary; background: $background; }
    Choosing Table { height: auto; max-height: 16; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "back")]

    def __init__(self, title: str, columns: Sequence[Column], lines: Sequence[Line]) -> None:
        super().__init__()
        self.heading, self.columns, self.lines = title, columns, lines

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self.heading
            box.border_subtitle = "enter takes it, esc back"
            yield Table(self.columns)

    def on_mount(self) -> None:
        table = self.query_one(Table)
        table.styles.height = len(self.lines) + 1
        table.show(Lines(self.lines))

    def on_table_chosen(self, message: Table.Chosen) -> None:
        message.stop()
        self.dismiss(str(message.key))
