"""The beginning of a file → its layout and first rows, or why none of its columns is known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from localsel.stages.load.formats import Records, number, recognise_format
from localsel.stages.load.guessing import PATIENCE, Guess, guess
from localsel.stages.load.layouts import column_names, refusal
from localsel.stages.load.reading import read
from localsel.stages.load.rows import BadRow, Layout, Record, Row
from localsel.stages.load.sources import Source, open_source, readable

BLANKS = re.compile(r"[ \t\n\r]*")
BEGINNING = 1 << 22
"""Characters of a JSON list that are read to find its first records."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be said of a file without reading it to its end.

    Attributes:
        layout: how it will be read; None if no layout fits, and `problem` says what to do.
        columns: the names in its first records, in the order in which they come.
        rows: good rows; without a layout they have nothing but their columns.
        bad: what cannot be used among the records looked at.
    """

    format: str
    encoding: str
    layout: Layout | None
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    problem: str | None


def glance(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    count: int = 20,
) -> Glance:
    """The first `count` rows of a file, as `open_rows` would read them.

    Raises:
        InputError: the beginning of the file cannot be read as records.
    """
    try:
        with readable(path):
            return _glance(open_source(path, encoding, whole=False), columns, count)
    except UnicodeError:
        # Past what was looked at before; the way through the whole file says where.
        open_source(path, encoding)
        raise


def _glance(source: Source, columns: Mapping[str, str] | None, count: int) -> Glance:
    name, records = _records(source)
    guessed = guess(source.path, name, records, columns)
    encoding = source.encoding or "utf-8"
    layout = Layout(guessed.format, encoding, *guessed.found) if guessed.found else None
    coming = chain(guessed.first, records)
    rows, bad = _taken((_row(record, layout) for record in coming), count)
    return Glance(
        guessed.format,
        encoding,
        layout,
        _columns(guessed, layout),
        rows,
        bad,
        None if layout else str(refusal(source.path, guessed.sample, columns)),
    )


def _records(source: Source) -> tuple[str, Records]:
    """The format and the records; only a text that begins like a list can be a long one."""
    if source.encoding and (records := read_beginning(source)) is not None:
        return "json", records
    form = recognise_format(source)
    return form.name, form.read(source)


def _columns(guessed: Guess, layout: Layout | None) -> tuple[str, ...]:
    """Of bare strings the one column that they will be."""
    found = column_names(each for each in guessed.sample if isinstance(each, dict))
    return tuple(found or (layout.columns.values() if layout else ()))


def _row(record: Record | BadRow, layout: Layout | None) -> Row | BadRow:
    if isinstance(record, BadRow):
        return record
    if layout is not None:
        return read(record, layout)
    return Row(record.row, "", "", "", record.value if isinstance(record.value, dict) else {})


def _taken(found: Iterable[Row | BadRow], count: int) -> tuple[tuple[Row, ...], tuple[BadRow, ...]]:
    """As many rows as wanted, and what was bad before the last of them; gives up in the end."""
    rows, bad = list[Row](), list[BadRow]()
    for looked_at, each in enumerate(found):
        if len(rows) == count or looked_at >= PATIENCE + count:
            break
        if isinstance(each, Row):
            rows.append(each)
        else:
            bad.append(each)
    return tuple(rows), tuple(bad)


def read_beginning(source: Source) -> Records | None:
    """The first records of a long JSON list; None if it is short, or something else."""
    with source.text(newline="\n") as stream:
        text = stream.read(BEGINNING)
    start = text.lstrip()
    if len(text) < BEGINNING or not start.startswith("["):
        return None
    values = list(_items(start))
    return number(values) if values else None


def _items(text: str) -> Iterator[object]:
    """The values of a list that begins `text`, up to the first that does not end in it."""
    decoder, at = json.JSONDecoder(), 1
    while True:
        try:
            value, at = decoder.raw_decode(text, _past_blanks(text, at))
        except (ValueError, RecursionError):
            return
        at = _past_blanks(text, at)
        if text[at : at + 1] not in (",", "]"):
            return
        yield value
        at += 1


def _past_blanks(text: str, at: int) -> int:
    found = BLANKS.match(text, at)
    return found.end() if found else at
