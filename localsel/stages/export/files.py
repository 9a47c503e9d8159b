"""Paths and who writes each → the files there, all of them whole."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from localsel.errors import UsageError


def check_writable(path: Path) -> None:
    """Raises UsageError if a file cannot be put there."""
    # Of a loop of links pathlib makes a RuntimeError; os.path takes it for a plain name.
    folder = Path(os.path.realpath(path)).parent
    # os.path answers no where pathlib raises: for a folder that may not be looked into.
    if os.path.isdir(path):
        raise UsageError(f"{path} is a folder, not a file to write to.")
    if os.path.lexists(path) and not os.path.isfile(path):
        raise UsageError(f"{path} is not a file that could be replaced.", "Choose another.")
    if not os.path.isdir(folder):
        raise UsageError(f"There is no folder {folder} to write {path.name} into.")
    probe = folder / f".{path.name}.{secrets.token_hex(4)}"
    try:
        # Only trying tells: os.access says yes to root where nothing can be written.
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be written: {error.strerror}.") from error


def part_of(path: Path, number: int) -> Path:
    """`tasks.json` → `tasks-001.json`."""
    return path.with_name(f"{path.stem}-{number:03}{path.suffix}")


def refuse_leftovers(path: Path, wanted: Iterable[Path]) -> None:
    """Raises UsageError if parts of another export would lie among the new ones afterwards."""
    stem = glob.escape(path.stem)
    parts = path.parent.glob(f"{stem}-[0-9][0-9][0-9]{glob.escape(path.suffix)}")
    there = [each for each in (path, *sorted(parts)) if each.exists()]
    if left := [each.name for each in there if each not in set(wanted)]:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise UsageError(
            f"{left[0]}{more} in {path.resolve().parent} would stay beside the new files, as if of"
            " the same export.",
            "Move away what is left of the earlier export, or choose another --out.",
        )


def replace_all(wanted: Mapping[Path, Callable[[TextIO], None]]) -> None:
    """Writes each file beside its place, and puts them there once all are whole.

    Raises:
        UsageError: a file cannot be written; what was there before is still there.
    """
    partial = {path: path.with_name(f".{path.name}.{secrets.token_hex(4)}") for path in wanted}
    path = next(iter(wanted))
    try:
        for path, write in wanted.items():
            if os.path.isdir(path):
                raise UsageError(f"{path} is a folder, not a file to write to.")
            with partial[path].open("w", encoding="utf-8", newline="") as file:
                write(file)
        for path, whole in partial.items():
            whole.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        for whole in partial.values():
            whole.unlink(missing_ok=True)
