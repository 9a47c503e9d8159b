"""A sentence and what can be answered → the answer; and what went wrong, with its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from localsel.printable import visible_lines
from localsel.tui.leaving import Modal


class Dialog(Modal[str]):
    """Answers are keys: `{"s": "stop it"}`. Esc answers nothing, an empty string."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical { width: 76; max-width: 96%; height: auto; max-height: 90%; padding: 1 2;
        border: round $primary; background: $surface; }
    Dialog Static { width: 1fr; height: auto; }
    Dialog VerticalScroll { height: auto; max-height: 12; margin-top: 1; background: $background; }
    Dialog Horizontal { height: auto; margin-top: 1; }
    Dialog Button { margin-right: 1; min-width: 8; height: 1; border: none; }
    """
    # Enter on what nobody read does no harm.
    AUTO_FOCUS = "#back"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "answer('')", "back")]

    def __init__(self, text: str, answers: Mapping[str, str], log: str = "") -> None:
        super().__init__()
        self.text, self.answers, self.log_text = text, answers, log

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Text(visible_lines(self.text)), id="says")
            if self.log_text:
                with VerticalScroll():
                    yield Static(Text(visible_lines(self.log_text)))
            with Horizontal():
                for key, says in self.answers.items():
                    yield Button(Text(f"{key} {says}"), name=key, compact=True)
                yield Button(Text("esc back"), name="", id="back", compact=True)

    def on_key(self, event: events.Key) -> None:
        if event.character in self.answers:
            event.stop()
            self.dismiss(event.character)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.name or "")

    def action_answer(self, key: str) -> None:
        self.dismiss(key)
