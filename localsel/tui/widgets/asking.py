"""A question and what is typed below it → one line of text, or None."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from localsel.printable import visible_lines
from localsel.tui.leaving import Modal


class Asking(Modal[str | None]):
    """One line: enter answers, an empty line too; esc answers None."""

    DEFAULT_CSS = """
    Asking { align: center middle; }
    Asking > Vertical { width: 76; max-width: 96%; height: auto; max-height: 90%; padding: 0 2;
        border: round $primary; background: $surface; }
    Asking Static { height: auto; max-height: 8; }
    Asking Input, Asking Input:focus { height: 1; border: none; padding: 0 1;
        margin-top: 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "back")]

    def __init__(self, title: str, says: str = "", text: str = "", number: bool = False) -> None:
        super().__init__()
        self.heading, self.says, self.text, self.number = title, says, text, number

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self.heading
            box.border_subtitle = "enter keeps it, esc back"
            yield Static(Text(visible_lines(self.says)))
            yield Input(self.text, type="integer" if self.number else "text")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)
