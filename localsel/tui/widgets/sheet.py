"""Texts about one thing → a pane to read them in, from the top whenever the thing changes."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static


class Sheet(VerticalScroll, inherit_bindings=False):
    """`tell` fills it: with a text in as many lines as it takes, and a list of one-line things."""

    DEFAULT_CSS = """
    Sheet { scrollbar-size-vertical: 1; padding: 0 1; }
    Sheet Static { height: auto; }
    Sheet .list { text-wrap: nowrap; text-overflow: ellipsis; }
    Sheet:focus { background-tint: $foreground 4%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "down", show=False),
        Binding("up,k", "scroll_up", "up", show=False),
        Binding("pagedown,ctrl+d,space", "page_down", "page down", show=False),
        Binding("pageup,ctrl+u", "page_up", "page up", show=False),
        Binding("home,g", "scroll_home", "to the top", show=False),
        Binding("end,G", "scroll_end", "to the end", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.key: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="text")
        yield Static(id="list", classes="list")
        yield Static(id="rest", classes="list")

    def tell(self, key: object, text: Text, lines: Text | None = None) -> None:
        """Shows something; the place in it is kept while it is about the same thing."""
        self.query_one("#text", Static).update(text)
        self.query_one("#list", Static).update(lines or Text())
        if key != self.key:
            self.key = key
            self.follow(Text())
            self.scroll_home(animate=False)

    def follow(self, rest: Text) -> None:
        """Shows what was found out later about the same thing."""
        self.query_one("#rest", Static).update(rest)
