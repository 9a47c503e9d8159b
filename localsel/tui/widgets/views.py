"""The names of some views → one line in which one is up; a click on a name opens it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Views(Widget):
    """`up` is the one that is shown."""

    DEFAULT_CSS = """
    Views { height: 1; background: $surface; }
    """
    up: reactive[str] = reactive("")

    @dataclass
    class Chosen(Message):
        """Somebody wants to see this view."""

        name: str

    def __init__(self, names: Sequence[str], id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = names
        self.set_reactive(Views.up, names[0])

    def render(self) -> Text:
        text = Text(no_wrap=True, end="")
        for name in self.names:
            is_up = name == self.up
            says = f"[{name}]" if is_up else f" {name} "
            text.append(says, Style(bold=is_up, reverse=is_up, meta={"view": name}))
        return text.append("   [ ] turn", "dim")

    def step(self, by: int) -> None:
        """To the next view, round and round."""
        place = (self.names.index(self.up) + by) % len(self.names)
        self.post_message(self.Chosen(self.names[place]))

    def on_click(self, event: events.Click) -> None:
        if name := event.style.meta.get("view"):
            self.post_message(self.Chosen(str(name)))
