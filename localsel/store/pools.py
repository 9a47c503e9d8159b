"""Pools: the rows of an input file, kept so that the file may go."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from localsel.errors import UsageError, WorkspaceError
from localsel.records import Instruction, text_digest
from localsel.store.beginning import first_bytes, first_letters
from localsel.store.database import Database


class Pools(Database):
    """Reads and writes pools."""

    def has_pool(self, pool: str) -> bool:
        """Whether the file was read here. What was only imported under its name is not trusted."""
        found = "SELECT 1 FROM pools WHERE pool = ?1 AND pool NOT IN (SELECT name FROM imported)"
        return self._one(found, pool) is not None

    def add_pool(self, pool: str, path: Path, sha256: str, layout: str) -> PoolWriter:
        """A writer for the rows of a new pool; nothing of it is there before its last row is."""
        return PoolWriter(self, pool, path, sha256, layout)

    def pool(self, pool: str) -> dict[str, Any]:
        """What is known of a pool, its bad rows and exact duplicates counted."""
        found = _there(self._one("SELECT * FROM pools WHERE pool = ?", pool))
        return dict(found) | {"duplicates": self.duplicates(pool)}

    def pools(self) -> list[dict[str, Any]]:
        """Every pool and how many runs stand on it, the one read last first.

        Its rows are not looked at: a million of them take no time.
        """
        rows = self._all(
            "SELECT *, (SELECT count(*) FROM runs WHERE runs.pool = pools.pool) AS runs"
            " FROM pools ORDER BY rowid DESC"
        )
        return [dict(row) for row in rows]

    def pool_named(self, name: str) -> dict[str, Any]:
        """One pool by its id, an unambiguous beginning of it, or `last`, as `pools` has it.

        Raises:
            UsageError: there is none, or several begin like that.
        """
        pools = self.pools()
        is_last = name == "last"
        found = pools[:1] if is_last else [p for p in pools if name and p["pool"].startswith(name)]
        if is_last and not pools:
            raise UsageError(f"There are no pools yet in {self.home}.", "Try `localsel demo`.")
        if len(found) != 1:
            many = f"{len(found)} pools begin with {name!r}"
            problem = many if found else f"There is no pool {name!r}"
            raise UsageError(f"{problem} in {self.home}.", "See `localsel pools`.")
        return found[0]

    def duplicates(self, pool: str) -> int:
        """How many rows are exact duplicates of earlier ones."""
        found = self._one(
            "SELECT count(*) AS n FROM instructions WHERE pool = ? AND duplicate_of IS NOT NULL",
            pool,
        )
        assert found is not None
        return int(found["n"])

    def records(self, pool: str, start: int, count: int) -> list[dict[str, Any]]:
        """All that is known of so many rows, from number `start` on."""
        found = self._all(
            "SELECT row, instruction, input, response, columns, duplicate_of FROM instructions"
            " WHERE pool = ? AND row >= ? ORDER BY row LIMIT ?",
            pool,
            start,
            count,
        )
        return [dict(row) | {"columns": json.loads(row["columns"])} for row in found]

    def row_numbers(self, pool: str) -> Sequence[int]:
        """The numbers of a pool's rows in file order: all but those of broken records.

        They are reckoned where that is sure, since reading a million takes seconds.
        """
        known = self._one("SELECT rows FROM pools WHERE pool = ?", pool)
        last = self._one("SELECT max(row) AS row FROM instructions WHERE pool = ?", pool)
        if not known or last is None or last["row"] is None:
            return range(0)
        every = range(last["row"] + 1)
        broken = {each["row"] for each in self.bad_rows(pool) if each["row"] in every}
        if len(every) - len(broken) == known["rows"]:
            return array("q", (row for row in every if row not in broken)) if broken else every
        found = self._rows("SELECT row FROM instructions WHERE pool = ? ORDER BY row", pool)
        return array("q", (row["row"] for row in found))

    def beginnings(self, pool: str, rows: Sequence[int], letters: int) -> list[dict[str, Any]]:
        """Of these rows the first letters of their texts, and which row each is a duplicate of."""
        names = ("instruction", "input", "response")
        texts = ", ".join(f"{first_bytes(name, ':letters')} AS {name}" for name in names)
        within = (
            "BETWEEN :first AND :last"
            if rows and rows[-1] - rows[0] == len(rows) - 1
            else "IN (SELECT value FROM json_each(:rows))"
        )
        values = {"pool": pool, "letters": letters, "rows": json.dumps(list(rows))}
        values |= {"first": rows[0], "last": rows[-1]} if rows else {}
        found = self._all(
            f"SELECT row, {texts}, duplicate_of FROM instructions"
            f" WHERE pool = :pool AND row {within} ORDER BY row",
            values,
        )
        return [
            dict(row) | {name: first_letters(row[name], letters) for name in names} for row in found
        ]

    def search(self, pool: str, text: str, start: int = 0) -> Iterator[tuple[int, list[int]]]:
        """Rows from number `start` on in whose texts `text` occurs, in whatever case.

        They come some thousands at a time: each time the number of the last row that was looked
        at, and the rows found since.
        """
        low, last = text.lower(), start - 1
        while found := self._all(
            "SELECT row, instruction, input, response FROM instructions"
            " WHERE pool = ? AND row > ? ORDER BY row LIMIT 2000",
            pool,
            last,
        ):
            last = found[-1]["row"]
            yield last, [row["row"] for row in found if low in "\n".join(tuple(row)[1:]).lower()]

    def bad_rows(self, pool: str) -> list[dict[str, Any]]:
        rows = self._all("SELECT row, line, reason FROM bad_rows WHERE pool = ?", pool)
        return [dict(row) for row in rows]

    def instructions(self, pool: str) -> tuple[Instruction, ...]:
        """The distinct instructions of a pool in file order."""
        rows = self._rows(
            "SELECT row, instruction, input, response FROM instructions"
            " WHERE pool = ? AND duplicate_of IS NULL ORDER BY row",
            pool,
        )
        return tuple(Instruction(*row) for row in rows)

    def distinct_rows(self, pool: str) -> Iterator[int]:
        """The numbers of the distinct rows, in file order."""
        rows = self._rows(
            "SELECT row FROM instructions WHERE pool = ? AND duplicate_of IS NULL ORDER BY row",
            pool,
        )
        return (row["row"] for row in rows)

    def digests(self, pool: str) -> Iterator[tuple[int, bytes]]:
        """The distinct rows of a pool in file order, and what identifies their texts."""
        rows = self._rows(
            "SELECT row, instruction, input FROM instructions"
            " WHERE pool = ? AND duplicate_of IS NULL ORDER BY row",
            pool,
        )
        return ((row[0], text_digest(Instruction(*row).text)) for row in rows)

    def distinct_row(self, pool: str, row: int) -> int | None:
        """The row itself, or the first of its exact duplicates; None if there is no such row."""
        found = self._one(
            "SELECT coalesce(duplicate_of, row) AS first FROM instructions"
            " WHERE pool = ? AND row = ?",
            pool,
            row,
        )
        return int(found["first"]) if found else None

    def all_columns(self, pool: str) -> Iterator[tuple[int, dict[str, object]]]:
        """Columns of every row, with the row that stands for it, in file order."""
        rows = self._rows(
            "SELECT coalesce(duplicate_of, row) AS row, columns FROM instructions"
            " WHERE pool = ? ORDER BY instructions.row",
            pool,
        )
        return ((row["row"], json.loads(row["columns"])) for row in rows)

    def columns(self, pool: str, row: int) -> dict[str, object]:
        """All columns of one input record."""
        found = _there(
            self._one("SELECT columns FROM instructions WHERE pool = ? AND row = ?", pool, row)
        )
        columns: dict[str, object] = json.loads(found["columns"])
        return columns

    def instruction(self, pool: str, row: int) -> Instruction:
        asked = "SELECT row, instruction, input, response FROM instructions"
        found = self._one(f"{asked} WHERE pool = ? AND row = ?", pool, row)
        return Instruction(*_there(found))


def _there(found: sqlite3.Row | None) -> sqlite3.Row:
    """Raises WorkspaceError where another process removed the pool."""
    if found is None:
        raise WorkspaceError("The pool was removed meanwhile.", "Give the command again.")
    return found


class PoolWriter:
    """Takes the rows of one pool in one transaction; leaves nothing behind if it fails."""

    def __init__(self, store: Database, pool: str, path: Path, sha256: str, layout: str) -> None:
        self._store, self._pool = store, pool
        self._head = (str(path.resolve()), sha256, layout)
        self._first: dict[bytes, int] = {}
        self._pending: list[tuple[object, ...]] = []
        self.rows = self.bad = 0

    def __enter__(self) -> PoolWriter:
        self._context = self._store._transaction()
        self._database = self._context.__enter__()
        # Another process may have read the same file meanwhile.
        for table in ("instructions", "bad_rows", "pools"):
            self._database.execute(f"DELETE FROM {table} WHERE pool = ?", (self._pool,))
        return self

    def add(self, instruction: Instruction, digest: bytes, columns: Mapping[str, object]) -> None:
        """`digest` identifies the text: a second row of the same digest is an exact duplicate."""
        first = self._first.setdefault(digest, instruction.row)
        duplicate_of = None if first == instruction.row else first
        kept = json.dumps(columns, ensure_ascii=False)
        values = (instruction.row, instruction.instruction, instruction.input, instruction.response)
        self._pending.append((self._pool, *values, kept, duplicate_of))
        self.rows += 1
        if len(self._pending) >= 1000:
            self._flush()

    def add_bad(self, row: int, line: int | None, reason: str) -> None:
        self._database.execute(
            "INSERT INTO bad_rows VALUES (?, ?, ?, ?)", (self._pool, row, line, reason)
        )
        self.bad += 1

    def _flush(self) -> None:
        self._database.executemany(
            "INSERT INTO instructions VALUES (?, ?, ?, ?, ?, ?, ?)", self._pending
        )
        self._pending.clear()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            if error is None:
                self._flush()
                self._database.execute("DELETE FROM imported WHERE name = ?", (self._pool,))
                self._database.execute(
                    "INSERT INTO pools VALUES (?, ?, ?, ?, ?, ?)",
                    (self._pool, *self._head, self.rows, self.bad),
                )
        except sqlite3.Error as broken:
            kind, error, trace = type(broken), broken, broken.__traceback__
        self._context.__exit__(kind, error, trace)
