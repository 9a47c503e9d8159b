"""Picks with their input columns → a file for people or tools, replaced in one step."""

from __future__ import annotations

import csv
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from localsel.errors import UsageError
from localsel.records import Instruction


@dataclass(frozen=True, slots=True)
class Chosen:
    """One pick as it leaves localsel.

    Attributes:
        columns: all columns of the input record.
        why: what goes into `_localsel`: row, rank, cluster, query, label, position, …
    """

    instruction: Instruction
    columns: Mapping[str, object]
    why: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        return {**self.columns, "_localsel": dict(self.why)}


Writer = Callable[[Sequence[Chosen], IO[str]], None]


def write_jsonl(chosen: Sequence[Chosen], file: IO[str]) -> None:
    """One object a line, best first: all input columns and `_localsel`."""
    for each in chosen:
        file.write(json.dumps(each.as_json(), ensure_ascii=False) + "\n")


def write_alpaca(chosen: Sequence[Chosen], file: IO[str]) -> None:
    """A JSON list of instruction, input and output; a response, if there is one, is the output."""
    rows = [
        {
            "instruction": each.instruction.instruction,
            "input": each.instruction.input,
            "output": each.instruction.response,
        }
        for each in chosen
    ]
    json.dump(rows, file, ensure_ascii=False, indent=1)
    file.write("\n")


def write_csv(chosen: Sequence[Chosen], file: IO[str]) -> None:
    """Input columns, then `localsel_row`, `localsel_rank`, …; no cell runs as a formula."""
    columns = list(dict.fromkeys(name for each in chosen for name in each.columns))
    why = list(chosen[0].why) if chosen else []
    writer = csv.writer(file)
    writer.writerow([harmless(name) for name in columns] + [f"localsel_{name}" for name in why])
    for each in chosen:
        cells = [each.columns.get(name) for name in columns]
        writer.writerow([_cell(value) for value in cells] + [each.why[name] for name in why])


def _cell(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return harmless(text)


def harmless(text: str) -> str:
    """A leading quote keeps spreadsheets from running a cell; see OWASP, "CSV Injection"."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


EXPORTERS: dict[str, Writer] = {"jsonl": write_jsonl, "alpaca": write_alpaca, "csv": write_csv}
BY_SUFFIX = {".jsonl": "jsonl", ".json": "alpaca", ".csv": "csv"}


def format_of(path: Path) -> str:
    """The export format that a file name asks for."""
    try:
        return BY_SUFFIX[path.suffix.lower()]
    except KeyError as error:
        known = ", ".join(BY_SUFFIX)
        raise UsageError(
            f"The ending of {path} does not say how to write it.", f"Use one of {known}."
        ) from error


def check_writable(path: Path) -> None:
    """Raises UsageError if a file cannot be put there."""
    folder = path.resolve().parent
    # os.path answers no where pathlib raises: for a folder that may not be looked into.
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder, not a file to write to.")
    if not os.path.isdir(folder):
        raise UsageError(f"There is no folder {folder} to write {path.name} into.")
    probe = folder / f".{path.name}.{secrets.token_hex(4)}"
    try:
        # Only trying tells: os.access says yes to root where nothing can be written.
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be written: {error.strerror}.") from error


def export(chosen: Sequence[Chosen], form: str, path: Path) -> None:
    """Writes beside `path`, then replaces it, so that it is never half-written.

    Raises:
        UsageError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            EXPORTERS[form](chosen, file)
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
