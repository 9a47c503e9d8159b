"""A run with all it stands on → lines of JSON, and back into another workspace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localsel.errors import InputError, UsageError
from localsel.store.database import Database

Line = Mapping[str, Any]

BY_POOL = ("pools", "instructions", "bad_rows")
BY_PLAN = ("plans", "members", "queries")
BY_RUN = ("runs", "answers", "asked", "picks", "set_aside", "reasons")
KEYS = (
    dict.fromkeys(BY_POOL, "pool") | dict.fromkeys(BY_PLAN, "plan") | dict.fromkeys(BY_RUN, "run")
)
NAMES = {"run": re.compile("[0-9a-f]{8}"), "pool": re.compile("[0-9a-f]{64}")}
NAMES["plan"] = NAMES["pool"]


class Transfer(Database):
    """Packs and unpacks runs, table by table."""

    def pack(self, run: str) -> Iterator[dict[str, Any]]:
        """Every row of the database that belongs to a run, its pool or its plan."""
        names = self._one("SELECT run, pool, plan FROM runs WHERE run = ?", run)
        assert names is not None
        for table, key in KEYS.items():
            rows = self._rows(f"SELECT * FROM {table} WHERE {key} = ?", names[key])
            yield from ({"table": table, **dict(row)} for row in rows)

    def unpack(self, lines: Iterator[tuple[int, Line]], check: Callable[[str], object]) -> str:
        """Enters what `pack` gave, all of it or nothing; what is here already is left as it is.

        Args:
            lines: with their numbers.
            check: reads the new run as others will; what it raises takes everything back.

        Raises:
            InputError: a line is not what `pack` writes.
            UsageError: the run is here already.
        """
        run = ""
        with self._transaction():
            known = {key: self._known(key) for key in NAMES}
            for number, line in lines:
                table, values = self._checked(number, line)
                name = values[KEYS[table]]
                if table == "runs":
                    run = name
                    if run in known["run"]:
                        raise UsageError(f"Run {run} is in {self.home} already.")
                if name not in known[KEYS[table]]:
                    marks = ", ".join(f":{column}" for column in values)
                    self._database.execute(f"INSERT INTO {table} VALUES ({marks})", values)
            if not run:
                raise InputError("it holds no run.")
            self._database.execute(
                "UPDATE runs SET state = 'interrupted' WHERE run = ? AND state = 'running'", (run,)
            )
            check(run)
        return run

    def _known(self, key: str) -> set[str]:
        return {row[key] for row in self._all(f"SELECT {key} FROM {key}s")}

    def _checked(self, number: int, line: Line) -> tuple[str, dict[str, Any]]:
        """Table and values of one line, in the table's order of columns."""
        table = line.get("table")
        if table not in KEYS:
            raise InputError(f"line {number}: there is no table {table!r}.")
        columns = [row["name"] for row in self._all(f"PRAGMA table_info({table})")]
        values = {name: value for name, value in line.items() if name != "table"}
        if sorted(values) != sorted(columns):
            raise InputError(f"line {number}: the columns of {table} are {', '.join(columns)}.")
        key = KEYS[str(table)]
        plain = all(isinstance(value, str | int | float | None) for value in values.values())
        if not plain or not NAMES[key].fullmatch(str(values[key])):
            raise InputError(f"line {number}: this is not a row of {table}.")
        return str(table), {name: values[name] for name in columns}
