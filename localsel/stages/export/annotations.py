"""The records of a file that came back from a tool → annotations: which row, which answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from localsel.errors import InputError
from localsel.stages.export import doccano, label_studio, sheet
from localsel.stages.export.annotation import Annotation, annotation, is_filled
from localsel.stages.export.chosen import ANSWERS, column_among

Record = Mapping[str, object]

SHOWN = 12
"""Columns named in a refusal."""


def annotations_of(
    path: object, records: Iterable[tuple[str, object]], column: str | None
) -> list[Annotation]:
    """Every answer in these records, each of which comes with its place in `path`.

    Raises:
        InputError: a record says neither row nor instruction, or none has a place for answers.
    """
    known = [(f"{path}, {place}", _columns(path, place, record)) for place, record in records]
    # A spreadsheet may save empty rows below the table.
    known = [(where, record) for where, record in known if any(map(is_filled, record.values()))]
    seen = dict.fromkeys(name for _, record in known for name in record)
    wanted = column_among(seen, ANSWERS if column is None else (column.strip().lower(),))
    found: list[Annotation] = []
    placed = False
    for where, record in known:
        answers = _located(where, record, column, wanted)
        placed = placed or answers is not None
        filled = [answer for answer in answers or () if answer.strip()]
        found += [annotation(where, answer, record) for answer in filled or [""]]
    if found and not placed:
        raise _no_column(path, list(seen), column)
    return found


def annotations_in_sheet(path: object, text: str) -> list[Annotation]:
    """The same of a Markdown sheet."""
    try:
        run = sheet.run_of(text)
        return [
            Annotation(f"{path}, line {line}", answer, row, run)
            for line, row, answer in sheet.read(text)
        ]
    except InputError as error:
        raise InputError(f"{path}, {error.message}", error.hint) from error


def _columns(path: object, place: str, record: object) -> Record:
    if isinstance(record, dict):
        return record
    raise InputError(f"{path}, {place}: no object with columns.", "Give the file as it came back.")


def _located(
    where: str, record: Record, column: str | None, wanted: str | None
) -> list[str] | None:
    try:
        return _answers(record, column, wanted)
    except InputError as error:
        raise InputError(f"{where}: {error.message}", error.hint) from error


def _answers(record: Record, column: str | None, wanted: str | None) -> list[str] | None:
    """What was answered, by the rules of the tool it comes from; None: no place for answers.

    A pool may have lists called `label` of its own: with a column of answers it is not doccano's.
    """
    if label_studio.fits(record):
        return label_studio.answers(record, column)
    if wanted is not None:
        return _texts(record.get(wanted), wanted)
    return doccano.answers(record) if column is None and doccano.fits(record) else None


def _texts(value: object, name: str) -> list[str]:
    """A text; of a list every item is the answer of someone else; `text` is what JSON_MIN has."""
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, name)]
    if isinstance(value, dict) and isinstance(texts := value.get("text"), list):
        return ["\n".join(map(str, texts))]
    if isinstance(value, dict):
        raise InputError(f"{name} is an object, not a text.", "Name another with --column.")
    return [] if value is None else [str(value)]


def _no_column(path: object, columns: list[str], column: str | None) -> InputError:
    seen = ", ".join(columns[:SHOWN]) + (" …" if len(columns) > SHOWN else "")
    if column is not None:
        return InputError(f"{path} has no column {column!r}; columns seen: {seen}.")
    return InputError(
        f"{path} has no column with answers; columns seen: {seen}.",
        f"Call it {ANSWERS[0]}, or name it with --column.",
    )
