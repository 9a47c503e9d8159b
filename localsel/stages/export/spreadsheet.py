"""Picks → CSV in which no cell runs as a formula; a record that came back → what it stands for."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from localsel.stages.export.chosen import (
    ANSWERS,
    Chosen,
    flat,
    reasons_among,
    storable,
)

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula; see OWASP, "CSV Injection"."""


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    """Input columns, a column to answer in, then `localsel_row`, `localsel_rank`, …

    Every text is in quotes: where a spreadsheet also splits at semicolons or tabs, what follows one
    inside a text would otherwise become a cell of its own, and that may be a formula.
    """
    why = reasons_among(chosen)
    ours = flat(dict.fromkeys(why))
    columns = list(dict.fromkeys(n for each in chosen for n in each.columns if n not in ours))
    to_fill = ANSWERS[:1] if chosen and not _holds_answers(columns) else ()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([*map(_cell, [*columns, *to_fill]), *ours])
    for each in chosen:
        cells = [each.columns.get(name) for name in columns]
        reasons = [each.why.get(name) for name in why]
        writer.writerow([_cell(value) for value in [*cells, *("" for _ in to_fill), *reasons]])


def _holds_answers(columns: Iterable[str]) -> bool:
    return not {name.strip().lower() for name in columns}.isdisjoint(ANSWERS)


def _cell(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return harmless(str(storable(text)))


def harmless(text: str) -> str:
    """A leading quote keeps spreadsheets from running a cell."""
    return f"'{text}" if text.startswith(FORMULA) else text


def restored(record: Mapping[str, object]) -> dict[str, object]:
    """A record of a CSV file without the quotes that `harmless` has put in front."""
    return {
        _plain(name): _plain(value) if isinstance(value, str) else value
        for name, value in record.items()
    }


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
