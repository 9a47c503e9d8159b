"""The result of `compare` → what all views of it share: letters, colours, figures, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.style import Style
from rich.table import Table
from rich.text import Text

from localsel.printable import visible
from localsel.tui.sides import COLOURS, Side

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """A comparison, who takes part under which letter, and the room there is for it."""

    found: Found
    sides: Sequence[Side]
    styles: Sequence[Style]
    width: int

    def letter(self, run: str | None) -> str:
        return next((side.letter for side in self.sides if side.run == run), "")

    def style(self, run: str | None) -> Style:
        runs = [side.run for side in self.sides]
        return self.styles[runs.index(run) % COLOURS] if run in runs else Style()

    def named(self, who: Found) -> Text:
        """A selector with its letter; a baseline without."""
        run = who.get("run") or next(iter(who.get("runs", ())), None)
        text = Text()
        if letter := self.letter(run):
            text.append(f"{letter} ", self.style(run) + Style(bold=True))
        return text.append(visible(who["name"], 24))

    @property
    def selectors(self) -> Sequence[Found]:
        found: Sequence[Found] = self.found["selectors"]
        return found

    @property
    def letters(self) -> dict[str, str]:
        """The letter of each selector by the name that it has in the comparison."""
        return {each["name"]: self.letter(each["run"]) for each in self.selectors}


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def small(value: float | None) -> str:
    """A p-value as papers print it."""
    if value is None:
        return ""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def grid(*names: str, left: int = 1) -> Table:
    """A table without lines; all columns but the first `left` are of figures."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(
            name, justify="left" if place < left else "right", no_wrap=True, overflow="ellipsis"
        )
    return table


def headed(title: str, about: str = "", first: bool = False) -> Text:
    text = Text(title if first else f"\n{title}", style="bold")
    return text.append(f"  {about}", "not bold dim") if about else text


def sentences(texts: Sequence[str]) -> Table:
    """One behind a bullet each, indented as a whole."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for text in texts:
        table.add_row("•", Text(visible(text).replace(" %", "%")))
    return table
