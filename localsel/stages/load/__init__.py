"""A file of instructions → its layout, and its rows one after another.

path ─sources→ bytes, text ─formats→ records ─guessing, layouts, reading→ rows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from localsel.stages.load.formats import recognise_format
from localsel.stages.load.glancing import Glance, glance
from localsel.stages.load.guessing import guess
from localsel.stages.load.layouts import refusal
from localsel.stages.load.paths import lookup
from localsel.stages.load.reading import read
from localsel.stages.load.rows import BadRow, Layout, Record, Row
from localsel.stages.load.sources import check_file, open_source

__all__ = [
    "BadRow",
    "Glance",
    "Layout",
    "Row",
    "check_file",
    "glance",
    "lookup",
    "open_rows",
]


def open_rows(
    path: Path, *, columns: Mapping[str, str] | None = None, encoding: str | None = None
) -> tuple[Layout, Iterator[Row | BadRow]]:
    """The layout of `path`, guessed from its content, and its rows in file order, as a stream.

    Args:
        columns: role (instruction, input, response) to column or dotted path. With an instruction
            it replaces the guess; without one it adds to the guess.
        encoding: how to read a text file that is not UTF-8.

    Raises:
        InputError: the file as a whole cannot be read; what is wrong with one row never raises.
    """
    source = open_source(path, encoding)
    form = recognise_format(source)
    records = form.read(source)
    guessed = guess(path, form.name, records, columns)
    if guessed.found is None:
        raise refusal(path, guessed.sample, columns)
    layout = Layout(guessed.format, source.encoding or "utf-8", *guessed.found)
    return layout, _rows(chain(guessed.first, records), layout)


def _rows(records: Iterable[Record | BadRow], layout: Layout) -> Iterator[Row | BadRow]:
    for record in records:
        yield record if isinstance(record, BadRow) else read(record, layout)
