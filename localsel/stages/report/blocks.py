"""What a report is made of, before it is HTML or Markdown: sections of words, tables, drawings.

Texts are plain here; whoever writes them down escapes them. Only drawings are markup already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Cell:
    """`small` stands under the text, as its spread does; `drawing` only where pages are drawn."""

    text: str = ""
    small: str = ""
    drawing: Markup | None = None

    def __bool__(self) -> bool:
        return bool(self.text or self.small or self.drawing)


@dataclass(frozen=True, slots=True)
class Column:
    """`group` heads several neighbours; a `drawn` column has no words and is for pages alone.

    Texts wrap, where a word does not.
    """

    name: str
    kind: Literal["number", "word", "text", "code"] = "number"
    group: str = ""
    drawn: bool = False
    heading: Markup | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """`span` > 1: this head stands for so many rows; 0: an earlier head does."""

    head: str
    cells: tuple[Cell, ...]
    span: int = 1
    mark: Markup | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """`head` names the first column; `reading` says how to read the others, `seen` the drawings."""

    title: str
    head: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    reading: str = ""
    seen: str = ""
    number: int = 0

    def trimmed(self) -> Table:
        """Without the columns and rows in which nothing can be said."""
        kept = [at for at in range(len(self.columns)) if any(row.cells[at] for row in self.rows)]
        rows = tuple(
            Row(row.head, tuple(row.cells[at] for at in kept), row.span, row.mark)
            for row in self.rows
            if row.span != 1 or any(row.cells)
        )
        columns = tuple(self.columns[at] for at in kept)
        return replace(self, columns=columns, rows=rows)

    @property
    def grouped(self) -> list[tuple[str, int]]:
        """The upper line of the head: each group and how many columns it spans."""
        groups: list[tuple[str, int]] = []
        for column in self.columns:
            if groups and groups[-1][0] == column.group:
                groups[-1] = (column.group, groups[-1][1] + 1)
            else:
                groups.append((column.group, 1))
        return groups if any(name for name, _ in groups) else []


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing, with the words above it."""

    caption: str
    drawing: Markup
    mark: Markup | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """Panels side by side; `table` has the same in figures, unless there are too many of them.

    `reading` holds for the figures too, `seen` only for the drawing.
    """

    title: str
    panels: tuple[Panel, ...]
    key: tuple[tuple[Markup, str], ...] = ()
    table: Table | None = None
    reading: str = ""
    seen: str = ""
    instead: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """Paragraphs, or the points of a list."""

    texts: tuple[str, ...]
    points: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, in the order of reading, under a small title if they have one."""

    pairs: tuple[tuple[str, str], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What one selector thought of one candidate; the probability is None for a human."""

    probability: float | None
    picked: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """`others`: who else picked it, besides the selectors that have a column."""

    row: str
    text: str
    choices: tuple[Choice, ...]
    others: str = ""

    @property
    def picked(self) -> bool:
        return bool(self.others) or any(choice.picked for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Example:
    """The candidates of one cluster, and what everyone made of them.

    `names` has the symbol, the name and the colour of each.
    """

    title: str
    names: tuple[tuple[Markup, str, str], ...]
    candidates: tuple[Candidate, ...]
    rest: str = ""


Block = Table | Figure | Words | Facts | Example


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is its anchor on the page."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    under: str
    facts: Facts
    sections: tuple[Section, ...]
