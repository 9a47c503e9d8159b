"""The first records of a file → how they keep their instructions, as guessed from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localsel.errors import InputError
from localsel.stages.load.formats import number
from localsel.stages.load.layouts import Found, recognise_layout
from localsel.stages.load.rows import BadRow, Record
from localsel.stages.load.sources import NOTHING

SAMPLE = 100
"""Good records from which the layout is guessed."""

PATIENCE = 1000
"""Records looked at, good and broken, before the guess has to be made."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What the first records say of a file.

    Attributes:
        format: as it was told from the text, or `json` where the records were inside an object.
        first: the records that were taken off the stream to guess from.
        sample: the values of those that are good.
        found: the kind of layout and its columns; None if no layout fits.
    """

    format: str
    first: list[Record | BadRow]
    sample: list[object]
    found: Found | None


def guess(
    path: Path, form: str, records: Iterator[Record | BadRow], columns: Mapping[str, str] | None
) -> Guess:
    """The guess, with the columns that were asked for.

    Raises:
        InputError: there is no good record among the first.
    """
    first = _first(records, path)
    sample = _good(first)
    found = recognise_layout(sample, columns)
    if found is None and (inner := _wrapped(first)):
        form, first = "json", inner
        sample = _good(first[:SAMPLE])
        found = recognise_layout(sample, columns)
    return Guess(form, first, sample, found)


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
