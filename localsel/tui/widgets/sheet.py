"""Texts about one thing → a pane to read them in, from the top whenever the thing changes."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from localsel.tui.widgets.reading import Reading


class Sheet(Reading):
    """`tell` fills it: with a text in as many lines as it takes, and a list of one-line things."""

    DEFAULT_CSS = """
    Sheet { padding: 0 1; }
    Sheet .list { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def compose(self) -> ComposeResult:
        yield Static(id="text")
        yield Static(id="list", classes="list")
        yield Static(id="rest", classes="list")

    def tell(self, about: object, text: Text, lines: Text | None = None) -> None:
        """Shows something; the place in it is kept while it is about the same thing."""
        self.query_one("#text", Static).update(text)
        self.query_one("#list", Static).update(lines or Text())
        if self.turn_to(about):
            self.follow(Text())

    def follow(self, rest: Text) -> None:
        """Shows what was found out later about the same thing."""
        self.query_one("#rest", Static).update(rest)
