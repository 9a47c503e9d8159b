"""Small pieces that several sections are made of: cells, rows with their symbol, names of forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localsel.stages.report.blocks import Block, Cell, Column, Row, Table, Words
from localsel.stages.report.plots.series import Series

FORMS = {"same_order": "same order", "cross_order": "different orders"}


def cells(texts: Iterable[str]) -> tuple[Cell, ...]:
    return tuple(Cell(text) for text in texts)


def numbers(*names: str, group: str = "") -> tuple[Column, ...]:
    return tuple(Column(name, group=group) for name in names)


def row(series: Series, texts: Iterable[str | Cell]) -> Row:
    """A contestant's row, its symbol before its name."""
    made = tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)
    return Row(series.shown, made, mark=series.mark)


def table(
    title: str,
    head: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    reading: str = "",
    seen: str = "",
) -> list[Block]:
    """The table without its empty columns; nothing at all where no cell says anything."""
    if not any(any(each.cells) for each in rows):
        return []
    return [Table(title, head, tuple(columns), tuple(rows), reading, seen).trimmed()]


def say(*texts: str) -> list[Block]:
    """A paragraph each; nothing for no words."""
    kept = tuple(text for text in texts if text)
    return [Words(kept)] if kept else []


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
