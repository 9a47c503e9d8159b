"""A long text → a pane to read it in, from the top whenever it is about something else."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from localsel.printable import visible_lines

LONGEST = 100_000
"""Letters that are laid out; of longer ones it says how many follow."""


class Rendered(VerticalScroll, inherit_bindings=False):
    """What a model reads. Labels stand out."""

    DEFAULT_CSS = """
    Rendered { scrollbar-size-vertical: 1; }
    Rendered Static { height: auto; }
    Rendered:focus { background-tint: $foreground 4%; }
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
        self._about: object = None

    def compose(self) -> ComposeResult:
        yield Static()

    def tell(self, about: object, text: str) -> None:
        """Shows a text; the place in it is kept while it is about the same thing."""
        rest = len(text) - LONGEST
        shown = Text(visible_lines(text[:LONGEST]))
        shown.highlight_regex(r"\[\d+\]", "bold")
        if rest > 0:
            shown.append(f"\n… {rest:,} more letters")
        self.query_one(Static).update(shown)
        if about != self._about:
            self._about = about
            self.scroll_home(animate=False)
