"""A run in a workspace ↔ a file that carries it to another machine: gzipped lines of JSON."""

from __future__ import annotations

import gzip
import json
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from localsel.errors import InputError, LocalselError, UsageError
from localsel.runs import chosen_rows, run_record
from localsel.store import VERSION, Store

KIND = "localsel run"


def save_run(store: Store, run: str, path: Path) -> None:
    """Writes a run with its pool, plan, answers and picks; the same run gives the same bytes.

    Raises:
        UsageError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        # No name and no time in the header, so that equal runs are equal files.
        with partial.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
            for line in ({"file": KIND, "format": VERSION}, *store.pack(run)):
                file.write((json.dumps(line) + "\n").encode())
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def load_run(store: Store, path: Path) -> str:
    """Enters the run of a file; its id.

    Raises:
        InputError: the file is not such a run, or broken; nothing of it is kept.
        UsageError: the run is here already.
    """

    def read_as_others_will(run: str) -> None:
        record = run_record(store, run)
        picks = chosen_rows(store, store.run(run))
        if plan := store.run(run)["plan"]:
            store.plan(plan)
        store.answers(run)
        if len(picks) not in (0, record["budget"]):
            raise ValueError(f"{len(picks)} picks for a budget of {record['budget']}")

    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return store.unpack(_lines(file), read_as_others_will)
    except InputError as error:
        raise InputError(f"{path} is not a run of localsel: {error}") from error
    except LocalselError:
        raise
    except gzip.BadGzipFile as error:
        raise InputError(
            f"{path} is not a run of localsel.", "`runs export` writes one."
        ) from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {reason}.", "Carry it over again.") from error
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise InputError(f"{path} is not a sound run of localsel: {error}.") from error


def _lines(file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a run file, behind its first line, which says what it is."""
    for number, text in enumerate(file, start=1):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise InputError(f"line {number} is not JSON.") from error
        if not isinstance(line, dict):
            raise InputError(f"line {number} is not an object.")
        if number > 1:
            yield number, line
        elif line.get("file") != KIND:
            raise InputError("its first line does not say so.")
        elif line.get("format") != VERSION:
            raise InputError(f"it has format {line.get('format')}; this localsel reads {VERSION}.")
