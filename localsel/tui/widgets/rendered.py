"""A long text → a pane to read it in, from the top whenever it is about something else."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from localsel.printable import visible_lines
from localsel.tui.widgets.reading import Reading

LONGEST = 100_000
"""Letters that are laid out; of longer ones it says how many follow."""


class Rendered(Reading):
    """What a model reads. Labels stand out."""

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
        self.turn_to(about)
