"""A source → numbered records, JSON-able or bad; a new format is one function and one row."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from localsel.errors import InputError
from localsel.stages.load.cells import cells_by_line, delimiter, header
from localsel.stages.load.layouts import KNOWN
from localsel.stages.load.rows import BadRow, Record
from localsel.stages.load.sources import Source, readable
from localsel.stages.load.values import jsonable

if TYPE_CHECKING:
    import pyarrow as pa

LINES, ENOUGH = 100, 1 << 20
"""Lines, or characters once there are three lines, from which the format is told."""

BATCH = 256

Records = Iterator[Record | BadRow]


class Format(NamedTuple):
    """`fits` is asked with the source and its first lines that are not blank."""

    name: str
    fits: Callable[[Source, Sequence[str]], bool]
    read: Callable[[Source], Records]


def recognise_format(source: Source) -> Format:
    """The first format in the table that fits; CSV fits everything that is text."""
    lines = _first_lines(source) if source.encoding else []
    return next(form for form in FORMATS if form.fits(source, lines))


def number(values: Iterable[object]) -> Records:
    """Values that have no lines of their own, as records."""
    return (_record(row, None, value) for row, value in enumerate(values))


def _record(row: int, line: int | None, value: object) -> Record | BadRow:
    try:
        return Record(row, line, jsonable(value))
    except RecursionError:
        return BadRow(row, line, "nested too deeply")


def _first_lines(source: Source) -> list[str]:
    lines: list[str] = []
    room = ENOUGH
    with source.text(newline="") as stream:
        for line in stream:
            if not line.isspace():
                lines.append(line)
                room -= len(line)
            if len(lines) == LINES or (room < 0 and len(lines) > 2):
                break
    return lines


def is_json_lines(source: Source, lines: Sequence[str]) -> bool:
    """At least half of the lines are whole; the first neither opens a list nor is a header."""
    if not lines or lines[0].lstrip().startswith("["):
        return False
    if not KNOWN.isdisjoint(cell.strip().lower() for cell in header(lines)):
        return False
    return 2 * sum(map(_is_whole, lines)) >= len(lines)


def _is_whole(line: str) -> bool:
    try:
        return line.lstrip()[0] in '{"' and isinstance(json.loads(line), dict | str)
    except (ValueError, RecursionError):
        return False


def read_json_lines(source: Source) -> Records:
    with source.text(newline="\n") as stream:
        filled = ((at, line) for at, line in enumerate(stream, 1) if not line.isspace())
        for row, (at, line) in enumerate(filled):
            yield _parsed(row, at, line)


def _parsed(row: int, at: int, line: str) -> Record | BadRow:
    try:
        return _record(row, at, json.loads(line.rstrip("\r\n")))
    except json.JSONDecodeError as error:
        return BadRow(row, at, f"not valid JSON: {_what(error)} at column {error.colno}")
    except ValueError as error:
        return BadRow(row, at, f"not valid JSON: {_brief(error)}")
    except RecursionError:
        return BadRow(row, at, "nested too deeply")


def _what(error: json.JSONDecodeError) -> str:
    """Some of its messages are made to be followed by a place, some are not."""
    return error.msg.removesuffix(" starting at").removesuffix(" at")


def _brief(error: ValueError) -> str:
    """Of Python's words on a number of too many digits those that help."""
    return str(error).partition(" for integer")[0]


def is_json(source: Source, lines: Sequence[str]) -> bool:
    return bool(lines) and lines[0].lstrip()[0] in "[{"


def read_json(source: Source) -> Records:
    """A list, or one object; read as a whole, so that a truncated file is never half used."""
    with source.text(newline="\n") as stream:
        value = _whole(source, stream.read())
    yield from number(value if isinstance(value, list) else [value])


def _whole(source: Source, text: str) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{source.path} is broken JSON: {_what(error)} in line {error.lineno}, "
            f"column {error.colno}.",
            "Repair it there, or give one object per line (JSONL): "
            "then a broken line costs that line only.",
        ) from error
    except (ValueError, RecursionError) as error:
        why = _brief(error) if isinstance(error, ValueError) else "nested too deeply"
        raise InputError(
            f"{source.path} is broken JSON: {why}.",
            "Give one object per line (JSONL): then such a record costs that line only.",
        ) from error
    return value


def is_tsv(source: Source, lines: Sequence[str]) -> bool:
    return delimiter(lines) == "\t"


def is_csv(source: Source, lines: Sequence[str]) -> bool:
    return True


def read_csv(source: Source) -> Records:
    """Comma, semicolon or tab; quoting is strict, so that no row swallows others unnoticed."""
    mark = delimiter(_first_lines(source))
    with source.text(newline="") as stream:
        found = cells_by_line(stream, mark)
        at, top = next(found, (1, []))
        if isinstance(top, str):
            problem = f"{source.path} has a broken header in line {at}: {top}."
            raise InputError(problem, "Close the quote there.")
        names = _names(top)
        for row, (at, cells) in enumerate(found):
            yield _csv_record(row, at, names, cells)


def _csv_record(row: int, at: int, names: list[str], cells: list[str] | str) -> Record | BadRow:
    if isinstance(cells, str):
        return BadRow(row, at, f"broken quoting: {cells}")
    if len(cells) > len(names):
        return BadRow(row, at, f"{len(cells)} fields, but the header has {len(names)}")
    missing = [None] * (len(names) - len(cells))
    return _record(row, at, dict(zip(names, [*cells, *missing], strict=True)))


def _names(top: list[str]) -> list[str]:
    """The header with every name filled and unique."""
    names: list[str] = []
    for place, cell in enumerate(top, 1):
        name = cell.strip() or f"column_{place}"
        names.append(f"{name}_{place}" if name in names else name)
    return names


def is_parquet(source: Source, lines: Sequence[str]) -> bool:
    return not source.encoding


def read_parquet(source: Source) -> Records:
    import pyarrow as pa
    from pyarrow import parquet

    row = 0
    with readable(source.path):
        stream = _seekable(source)
    with stream:
        try:
            for batch in parquet.ParquetFile(stream).iter_batches(batch_size=BATCH):
                yield from _batch(row, batch)
                row += len(batch)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            why = str(error).partition("\n")[0].rstrip(".")
            problem = f"{source.path} is broken Parquet from row {row} on: {why}."
            raise InputError(problem, "Copy or write it again.") from error


def _batch(start: int, batch: pa.RecordBatch) -> Records:
    """A batch that Python cannot hold is taken row by row, to find the rows at fault."""
    try:
        values = batch.to_pylist()
    except (ValueError, OverflowError) as error:
        if len(batch) == 1:
            yield BadRow(start, None, f"a value that cannot be read: {error}")
        else:
            for place in range(len(batch)):
                yield from _batch(start + place, batch.slice(place, 1))
    else:
        for row, value in enumerate(values, start):
            yield _record(row, None, value)


def _seekable(source: Source) -> BinaryIO:
    """Parquet is read from its end, which gzip can only reach by unpacking to a temporary file."""
    if not source.packed:
        return source.binary()
    with source.binary() as stream, ExitStack() as undo:
        unpacked = undo.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(stream, unpacked)
        unpacked.seek(0)
        undo.pop_all()
    return unpacked


FORMATS = (
    Format("parquet", is_parquet, read_parquet),
    Format("jsonl", is_json_lines, read_json_lines),
    Format("json", is_json, read_json),
    Format("tsv", is_tsv, read_csv),
    Format("csv", is_csv, read_csv),
)
"""Asked in this order; the last fits any text."""
