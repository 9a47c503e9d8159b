"""Rows with a column for each side → a table in which every side has its colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from localsel.printable import visible
from localsel.tui.sides import COLOURS
from localsel.tui.widgets.table import Column, Line, Source, Table


class SidedTable(Table):
    """The columns from `first` on, as many as there are sides, are coloured. J and K go further."""

    DEFAULT_CSS = """
    SidedTable > .table--side0 { color: $primary; }
    SidedTable > .table--side1 { color: $accent; }
    SidedTable > .table--side2 { color: $success; }
    SidedTable > .table--side3 { color: $secondary; }
    SidedTable > .table--rule { color: $text-muted; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--rule",
        *(f"table--side{number}" for number in range(COLOURS)),
    }
    first = 0
    count = 0

    @property
    def styles_of_sides(self) -> list[Style]:
        """The colour of each side."""
        names = [f"table--side{place}" for place in range(COLOURS)]
        return [self.get_component_rich_style(name, partial=True) for name in names]

    def show_sides(self, source: Source, columns: Sequence[Column], first: int, count: int) -> None:
        """Shows other rows, of which `count` columns from `first` on are those of the sides."""
        self.first, self.count = first, count
        self.show(source, columns)

    def render_line(self, y: int) -> Strip:
        index = self.scroll_offset.y + y - 1
        line = self.line(index) if y and index < len(self.source) else None
        if line and line.tone == "rule":
            return self._ruled(line, index == self.cursor)
        strip = super().render_line(y)
        plain = y and (line is None or line.tone == "dim" or index == self.cursor)
        return strip if plain else self._coloured(strip)

    def is_rule(self, index: int) -> bool:
        """Whether it is a heading among the rows."""
        line = self.line(index) if index < len(self.source) else None
        return bool(line and line.tone == "rule")

    def _ruled(self, line: Line, is_here: bool) -> Strip:
        """A heading among the rows: its last cell in all the room there is."""
        width = self.size.width
        text = set_cell_size(f" {visible(line.cells[-1], width)} ", width)
        return Strip([Segment(text, self._style("cursor" if is_here else "rule"))], width)

    def _coloured(self, strip: Strip) -> Strip:
        widths, styles = self._widths(), self.styles_of_sides
        start = 2 * self.takes_marks + sum(width + 1 for width in widths[: self.first])
        parts = [strip.crop(0, start)]
        for place, width in enumerate(widths[self.first : self.first + self.count]):
            style = styles[place % COLOURS]
            parts.append(
                Strip(
                    Segment(text, (own + style) if own else style, control)
                    for text, own, control in strip.crop(start, start + width + 1)
                )
            )
            start += width + 1
        return Strip.join([*parts, strip.crop(start)])
