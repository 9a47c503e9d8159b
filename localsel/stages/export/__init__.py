"""Picks with their input columns → files for people or tools, replaced in one step.

A new format is one file with a `write` and one row in `EXPORTERS`. What comes back from a tool is
read by the same file, which `annotations` calls; `joining` puts the answers beside their picks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from localsel.errors import UsageError
from localsel.stages.export import (
    alpaca,
    doccano,
    jsonl,
    label_studio,
    parquet,
    sheet,
    spreadsheet,
)
from localsel.stages.export.chosen import Chosen, Writer
from localsel.stages.export.files import check_writable, part_of, refuse_leftovers, replace_all
from localsel.stages.export.spreadsheet import harmless, restored

__all__ = [
    "BY_SUFFIX",
    "EXPORTERS",
    "Chosen",
    "check_writable",
    "export",
    "format_of",
    "harmless",
    "restored",
]

EXPORTERS: dict[str, Writer] = {
    "jsonl": jsonl.write,
    "alpaca": alpaca.write,
    "csv": spreadsheet.write,
    "parquet": parquet.write,
    "label-studio": label_studio.write,
    "doccano": doccano.write,
    "markdown": sheet.write,
}
BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".json": "alpaca",
    ".csv": "csv",
    ".parquet": "parquet",
    ".md": "markdown",
}

LARGEST = {"label-studio": label_studio.LARGEST}
"""Picks in one file, for a tool that should not be given more at once."""

BESIDE: dict[str, tuple[str, Callable[[TextIO], None]]] = {
    "label-studio": (".xml", label_studio.write_config)
}
"""A second file of the same name with another ending, and who writes it."""

ONLY = {"label-studio": ".json"}
"""The one ending by which a tool knows its files."""


def format_of(path: Path) -> str:
    """The export format that a file name asks for."""
    try:
        return BY_SUFFIX[path.suffix.lower()]
    except KeyError as error:
        known = ", ".join(BY_SUFFIX)
        raise UsageError(
            f"The ending of {path} does not say how to write it.", f"Use one of {known}."
        ) from error


def export(chosen: Sequence[Chosen], form: str, path: Path) -> list[Path]:
    """Writes `path`, or its parts, and what belongs beside it; no file is ever half-written.

    Returns the files in the order of their picks, those beside them last.

    Raises:
        UsageError: a file cannot be written, or parts of another export would stay among these.
    """
    if path.suffix.lower() != ONLY.get(form, path.suffix.lower()):
        raise UsageError(
            f"{form} takes files that end in {ONLY[form]}, not {path.name}.",
            f"Give --out {path.with_suffix(ONLY[form])}.",
        )
    wanted = _parts(chosen, form, path)
    if form in LARGEST:
        refuse_leftovers(path, wanted)
    if form in BESIDE:
        suffix, write = BESIDE[form]
        wanted[path.with_suffix(suffix)] = write
    replace_all(wanted)
    return list(wanted)


def _parts(chosen: Sequence[Chosen], form: str, path: Path) -> dict[Path, Callable[[TextIO], None]]:
    """One file, or numbered ones where the picks are too many for one."""
    size = LARGEST.get(form, len(chosen))
    if len(chosen) <= size:
        return {path: partial(EXPORTERS[form], chosen)}
    return {
        part_of(path, number): partial(EXPORTERS[form], chosen[start : start + size])
        for number, start in enumerate(range(0, len(chosen), size), 1)
    }
