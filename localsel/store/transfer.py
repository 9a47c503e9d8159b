"""A run with all it stands on → lines of JSON, and back into another workspace."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from localsel.errors import InputError, UsageError, WorkspaceError
from localsel.store.database import LARGEST, Database

Line = Mapping[str, Any]

BY_POOL = ("pools", "instructions", "bad_rows")
BY_PLAN = ("plans", "members", "queries", "choices")
BY_RUN = ("runs", "answers", "asked", "picks", "pick_scores", "set_aside", "reasons", "changes")
KEYS = (
    dict.fromkeys(BY_POOL, "pool") | dict.fromkeys(BY_PLAN, "plan") | dict.fromkeys(BY_RUN, "run")
)
NAMES = {"run": re.compile("[0-9a-f]{8}"), "pool": re.compile("[0-9a-f]{64}")}
NAMES["plan"] = NAMES["pool"]
STATES = ("running", "interrupted", "failed", "finished", "over-limit")


class Transfer(Database):
    """Packs and unpacks runs, table by table."""

    def pack(self, run: str) -> Iterator[dict[str, Any]]:
        """Every row of the database that belongs to a run, its pool or its plan, at one moment."""
        self._database.execute("BEGIN")
        try:
            (names,) = self._all("SELECT run, pool, plan FROM runs WHERE run = ?", run)
            for table, key in KEYS.items():
                rows = self._rows(f"SELECT * FROM {table} WHERE {key} = ?", names[key])
                yield from ({"table": table, **dict(row)} for row in rows)
        finally:
            self._database.execute("COMMIT")

    def unpack(self, lines: Iterable[tuple[int, Line]], check: Callable[[str], object]) -> str:
        """Enters what `pack` gave, all of it or nothing; what is here already is left as it is.

        A pool or plan that comes this way serves this run alone: a later run of the same file
        reads the file itself.

        Args:
            lines: with their numbers.
            check: reads the new run as others will; what it raises takes everything back.

        Raises:
            InputError: a line is not what `pack` writes.
            UsageError: the run is here already.
        """
        # All are looked at before anything is locked.
        rows = [self._checked(number, line) for number, line in lines]
        names = _names(rows)
        try:
            with self._transaction() as database:
                known = {key: self._is_known(key, name) for key, name in names.items()}
                if known["run"]:
                    raise UsageError(f"Run {names['run']} is in {self.home} already.")
                for table, values in rows:
                    if not known[KEYS[table]]:
                        marks = ", ".join(f":{column}" for column in values)
                        database.execute(f"INSERT INTO {table} VALUES ({marks})", values)
                for key in ("pool", "plan"):
                    if not known[key]:
                        database.execute("INSERT INTO imported VALUES (?)", (names[key],))
                check(names["run"])
        except WorkspaceError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise InputError("a row is in it twice.") from error
            raise
        return names["run"]

    def _is_known(self, key: str, name: str) -> bool:
        return not name or self._one(f"SELECT 1 FROM {key}s WHERE {key} = ?", name) is not None

    def _checked(self, number: int, line: Line) -> tuple[str, dict[str, Any]]:
        """Table and values of one line, in the table's order of columns."""
        table = line.get("table")
        if table not in KEYS:
            raise InputError(f"line {number}: there is no table {table!r}.")
        types = {row["name"]: row["type"] for row in self._all(f"PRAGMA table_info({table})")}
        values = {name: value for name, value in line.items() if name != "table"}
        if sorted(values) != sorted(types):
            raise InputError(f"line {number}: the columns of {table} are {', '.join(types)}.")
        fits = all(_fits(value, types[name]) for name, value in values.items())
        state = values.get("state", "running") if table == "runs" else "running"
        if not fits or state not in STATES:
            raise InputError(f"line {number}: this is not a row of {table}.")
        if state == "running" and table == "runs":
            values["state"] = "interrupted"
        return str(table), {name: values[name] for name in types}


def _fits(value: object, kind: str) -> bool:
    """Whether a column of this type can hold the value, and a person read it."""
    if value is None:
        return True
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            kind != "TEXT" and (kind == "REAL" or isinstance(value, int)) and abs(value) < LARGEST
        )
    return kind == "TEXT" and isinstance(value, str)


def _names(rows: list[tuple[str, dict[str, Any]]]) -> dict[str, str]:
    """The one run, its pool and its plan (empty where it has none); every row belongs to them."""
    runs = [values for table, values in rows if table == "runs"]
    if len(runs) != 1:
        raise InputError("it holds no run." if not runs else "it holds more than one run.")
    names = {key: str(runs[0][key] or "") for key in NAMES}
    needed = {key: name for key, name in names.items() if name or key != "plan"}
    if not all(NAMES[key].fullmatch(name) for key, name in needed.items()):
        raise InputError("this is not a row of runs: its names are odd.")
    for table, values in rows:
        key = KEYS[table]
        if values[key] != names[key]:
            raise InputError(f"a row of {table} belongs to another {key}.")
    return names
