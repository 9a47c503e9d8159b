"""A file of instructions → its layout, and its rows one after another.

path ─sources→ bytes, text ─formats→ records ─layouts, reading→ rows
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from localsel.errors import InputError
from localsel.stages.load.formats import number, recognise_format
from localsel.stages.load.layouts import recognise_layout, refusal
from localsel.stages.load.paths import lookup
from localsel.stages.load.reading import read
from localsel.stages.load.rows import BadRow, Layout, Record, Row
from localsel.stages.load.sources import NOTHING, check_file, open_source

__all__ = ["BadRow", "Layout", "Row", "check_file", "lookup", "open_rows"]

SAMPLE = 100
"""Good records from which the layout is guessed."""

PATIENCE = 1000
"""Records looked at, good and broken, before the guess has to be made."""


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
    first = _first(records, path)
    name, sample = form.name, _good(first)
    found = recognise_layout(sample, columns)
    if found is None and (inner := _wrapped(first)):
        name, first = "json", inner
        sample = _good(first[:SAMPLE])
        found = recognise_layout(sample, columns)
    if found is None:
        raise refusal(path, sample, columns)
    layout = Layout(name, source.encoding or "utf-8", *found)
    return layout, _rows(chain(first, records), layout)


def _rows(records: Iterable[Record | BadRow], layout: Layout) -> Iterator[Row | BadRow]:
    for record in records:
        yield record if isinstance(record, BadRow) else read(record, layout)


def _first(records: Iterator[Record | BadRow], path: Path) -> list[Record | BadRow]:
    """The records before the guess, taken off the stream; at least one of them is good."""
    taken: list[Record | BadRow] = []
    good = 0
    while good < SAMPLE and len(taken) < PATIENCE and (record := next(records, None)):
        taken.append(record)
        good += isinstance(record, Record)
    if not taken:
        raise InputError(f"{path} holds no rows.", NOTHING)
    if not good:
        raise _hopeless(path, [bad for bad in taken if isinstance(bad, BadRow)])
    return taken


def _hopeless(path: Path, bad: list[BadRow]) -> InputError:
    where = f"line {bad[0].line}" if bad[0].line else f"row {bad[0].row}"
    return InputError(
        f"{path} cannot be read: the first {len(bad)} rows are all broken ({where}: "
        f"{bad[0].reason}).",
        "Check that it is the right file.",
    )


def _good(records: Iterable[Record | BadRow]) -> list[object]:
    return [record.value for record in records if isinstance(record, Record)]


def _wrapped(first: list[Record | BadRow]) -> list[Record | BadRow]:
    """The records inside a file that is one object around one list of records; else none."""
    if len(first) != 1 or not isinstance(first[0], Record) or not isinstance(first[0].value, dict):
        return []
    lists = [value for value in first[0].value.values() if isinstance(value, list)]
    if len(lists) != 1 or not any(isinstance(item, dict | str) for item in lists[0]):
        return []
    return list(number(lists[0]))
