"""A name → a box to tick: a sign says what the colour says."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Checkbox

from localsel.printable import visible


class Box(Checkbox):
    """space or enter ticks it."""

    BUTTON_INNER = " "

    def __init__(self, name: str) -> None:
        super().__init__(Text(visible(name, 40)), name=name, compact=True)

    def watch_value(self) -> None:
        self.BUTTON_INNER = "✓" if self.value else " "
        super().watch_value()
