"""A part of a prompt → what somebody makes of it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea


class Editor(TextArea):
    """Many lines. Tab and esc leave it; what is typed is told by `TextArea.Changed`."""

    DEFAULT_CSS = """
    Editor { height: 1fr; border: none; padding: 0; background: $surface; }
    Editor:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back to the parts")]

    class Left(Message):
        """Esc."""

    def __init__(self) -> None:
        super().__init__(tab_behavior="focus", soft_wrap=True, show_line_numbers=False)

    def action_leave(self) -> None:
        self.post_message(self.Left())
