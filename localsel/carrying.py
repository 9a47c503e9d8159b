"""A run in a workspace ↔ a file that carries it to another machine: gzipped lines of JSON."""

from __future__ import annotations

import gzip
import json
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from localsel.blind import choices_of
from localsel.errors import InputError, LocalselError, UsageError, WorkspaceError
from localsel.runs import chosen_rows, run_record
from localsel.settings import YOUNGER, Sourced, check, fields, hints, known
from localsel.store import VERSION, Store

KIND = "localsel run"
# Older files lack the tables that came later, and nothing else.
READ = range(2, VERSION + 1)


class Selector(msgspec.Struct):
    """What a run says of its model."""

    name: str
    path: str
    sha256: str


class Attempt(msgspec.Struct):
    """What a run says of connections that it was refused, or allowed."""

    to: str
    by: str
    how: str
    times: int


class Held(msgspec.Struct):
    """What a run says of what held it off the network."""

    guard: bool
    namespace: bool
    why: str = ""
    allowed: list[Attempt] = []


class Facts(msgspec.Struct):
    """What a run says of how it went."""

    selector: Selector | None = None
    backend: str | None = None
    repeatable: bool = True
    versions: dict[str, str | None] = {}
    seconds_by_stage: dict[str, float] = {}
    connections_attempted: int = 0
    connections_refused: list[Attempt] = []
    offline: Held | None = None
    given: int = 0
    sharing: dict[str, Any] = {}
    queries: int = 0
    wanted: int = 0
    peak_memory: int = 0


def settings_of(stored: dict[str, object]) -> None:
    """Raises ValueError unless these are a run's settings, each with a value that it may have."""
    if missing := [name for name in fields() if name not in stored and name not in YOUNGER]:
        raise ValueError(f"its settings lack {', '.join(missing)}")
    for name, value in stored.items():
        if value is not None or not can_be_none(name):
            try:
                check(known(name, "its settings"), Sourced(value, name), hints()[name])
            except UsageError as error:
                raise ValueError(str(error).rstrip(".")) from error


def can_be_none(name: str) -> bool:
    """Whether a setting may be left open."""
    return fields()[name].default is None or name == "near_duplicates"


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
        stored = store.run(run)
        msgspec.convert(stored["facts"], Facts)
        settings_of(stored["settings"])
        try:
            record = run_record(store, run)
            chosen_rows(store, stored)
        except WorkspaceError as error:
            raise ValueError("rows that it speaks of are missing in it") from error
        picks = store.picks(run)
        if stored["plan"]:
            choices_of(store, stored["plan"])
        store.answers(run)
        if len(picks) not in (0, record["wanted"]):
            raise ValueError(f"{len(picks)} picks where {record['wanted']} are wanted")

    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = list(_lines(file))
        return store.unpack(lines, read_as_others_will)
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
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        reason = str(error) or "something is missing in it"
        raise InputError(f"{path} is not a sound run of localsel: {reason}.") from error


def _lines(file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a run file, behind its first line, which says what it is."""
    for number, text in enumerate(file, start=1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number} is not JSON.") from error
        if not isinstance(line, dict):
            raise InputError(f"line {number} is not an object.")
        if number > 1:
            yield number, _without_hosts(line)
        elif line.get("file") != KIND:
            raise InputError("its first line does not say so.")
        elif line.get("format") not in READ:
            raise InputError(f"it has format {line.get('format')}; this localsel reads {VERSION}.")


def _without_hosts(line: dict[str, Any]) -> dict[str, Any]:
    """Where a stranger let instructions go, those of this user may not."""
    if line.get("table") != "runs" or not isinstance(line.get("settings"), str):
        return line
    settings = json.loads(line["settings"])
    if not isinstance(settings, dict) or not settings.get("allow_host"):
        return line
    return line | {"settings": json.dumps(settings | {"allow_host": None})}
