"""load: the data file → the pool in the workspace, broken rows told and counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from localsel.errors import InputError, UsageError
from localsel.events import Event
from localsel.pipeline.course import Course
from localsel.pipeline.identity import Identity
from localsel.records import Instruction, text_digest
from localsel.settings import Settings
from localsel.stages.load import BadRow, open_rows
from localsel.wording import counted

TOLD = 5
EVERY = 5000


def load(course: Course, identity: Identity) -> Iterator[Event]:
    """Reads the file, unless the workspace has this pool already.

    Raises:
        InputError: the file cannot be read, or too many of its rows are broken.
        UsageError: the budget is larger than the pool.
    """
    if not course.store.has_pool(identity.pool):
        with course.timed("load"):
            yield from _read(course, identity)
    pool = course.store.pool(identity.pool)
    broken = course.store.bad_rows(identity.pool)[:1]
    first = f"; the first is {_place(broken[0]['row'], broken[0]['line'])}" if broken else ""
    check_bad_rows(course.settings, pool["rows"], pool["bad"], first)
    distinct = pool["rows"] - pool["duplicates"]
    if course.settings.budget > distinct:
        raise UsageError(
            f"A budget of {course.settings.budget:,} is more than the"
            f" {counted(distinct, 'distinct instruction')} in {course.settings.data}.",
            "Choose a smaller --budget.",
        )


def _read(course: Course, identity: Identity) -> Iterator[Event]:
    settings = course.settings
    layout, rows = open_rows(settings.data, columns=settings.map, encoding=settings.encoding)
    yield course.event("stage")
    yield course.event("note", text=f"{settings.data}: {layout.describe()}")
    described = layout.describe()
    with course.store.add_pool(identity.pool, settings.data, identity.data, described) as writer:
        first = ""
        for row in rows:
            if isinstance(row, BadRow):
                first = first or f"; the first is {_place(row.row, row.line)}"
                writer.add_bad(row.row, row.line, row.reason)
                if writer.bad <= TOLD:
                    yield course.event("warning", text=_tell(settings.data, row))
            else:
                instruction = Instruction(row.row, row.instruction, row.input, row.response)
                writer.add(instruction, text_digest(instruction.text), row.columns)
            if (writer.rows + writer.bad) % EVERY == 0:
                yield course.event("progress", done=writer.rows)
        check_bad_rows(settings, writer.rows, writer.bad, first)
        if course.store.cached_digest(settings.data) != identity.data:
            raise InputError(
                f"{settings.data} was written to while it was read.", "Give the command again."
            )
    yield course.event("progress", done=writer.rows, total=writer.rows)
    if writer.bad > TOLD:
        yield course.event("note", text=f"… and {writer.bad - TOLD:,} more; see show --json.")
    bad = f"; {counted(writer.bad, 'broken row')} skipped" if writer.bad else ""
    yield course.event("note", text=f"{counted(writer.rows, 'instruction')}{bad}.")


def _tell(path: Path, bad: BadRow) -> str:
    return f"{path}, {_place(bad.row, bad.line)}: {bad.reason}"


def _place(row: int, line: int | None) -> str:
    return f"line {line}, row {row}" if line is not None else f"row {row}"


def check_bad_rows(settings: Settings, rows: int, bad: int, first: str) -> None:
    """Raises InputError if nothing is left or too much is broken; `first` says where it begins."""
    if rows == 0:
        raise InputError(
            f"{settings.data} holds no instruction that can be read{first}.",
            "Check that it is the right file, or name its columns with --map.",
        )
    if bad > settings.max_bad_rows * (rows + bad):
        raise InputError(
            f"{bad:,} of {rows + bad:,} rows of {settings.data} are broken,"
            f" more than the {settings.max_bad_rows:.1%} that are allowed{first}.",
            "Mend them, or raise --max-bad-rows.",
        )
