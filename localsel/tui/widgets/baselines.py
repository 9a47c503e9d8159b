"""The methods that need no plan → boxes to tick, under what each needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, ItemGrid, Vertical
from textual.widgets import Static

from localsel.printable import visible
from localsel.tui.widgets.box import Box

WIDEST = 19
"""Cells of a box with the longest name that localsel has itself."""


class Group(Horizontal):
    """The methods that need the same."""

    DEFAULT_CSS = """
    Group, Group > ItemGrid { height: auto; }
    Group > Static { width: 18; padding-right: 1; color: $text-muted; }
    Group:focus-within > Static { color: $foreground; }
    Group Checkbox { width: auto; padding: 0; background: $background; }
    """

    def __init__(self, needs: str, names: Sequence[str]) -> None:
        super().__init__()
        self.needs, self.names = needs, names

    def compose(self) -> ComposeResult:
        yield Static(Text(f"needs {visible(self.needs)}"))
        with ItemGrid(min_column_width=WIDEST):
            yield from map(Box, self.names)


class Baselines(Horizontal):
    """Space ticks one; it is compared beside the selectors."""

    DEFAULT_CSS = """
    Baselines, Baselines > Vertical { height: auto; }
    Baselines > Static { width: 17; padding-left: 1; color: $text-muted; }
    Baselines:focus-within > Static { color: $foreground; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__(id="baselines")

    def compose(self) -> ComposeResult:
        yield Static("Baselines")
        yield Vertical()

    async def offer(self, groups: Mapping[str, Sequence[str]]) -> None:
        """Methods by what they need."""
        await self.query_one(Vertical).mount(*(Group(*each) for each in groups.items()))

    @property
    def ticked(self) -> tuple[str, ...]:
        return tuple(str(box.name) for box in self.query(Box) if box.value)
