"""The workspace: one SQLite file with everything that was run, and the arrays beside it.

Whatever a run has finished is committed before anybody is told of it, so a killed run loses
nothing that it reported.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

import numpy as np

from localsel.errors import UsageError, WorkspaceError
from localsel.records import Answer, Instruction, Pick, Plan, Query, Vectors

VERSION = 1

SCHEMA = """
CREATE TABLE pools (
    pool TEXT PRIMARY KEY, path TEXT, sha256 TEXT, layout TEXT, rows INTEGER, bad INTEGER
);
CREATE TABLE instructions (
    pool TEXT, row INTEGER, instruction TEXT, input TEXT, response TEXT, columns TEXT,
    duplicate_of INTEGER, PRIMARY KEY (pool, row)
) WITHOUT ROWID;
CREATE TABLE bad_rows (pool TEXT, row INTEGER, line INTEGER, reason TEXT);
CREATE TABLE plans (plan TEXT PRIMARY KEY, pool TEXT, quotas TEXT, facts TEXT);
CREATE TABLE members (
    plan TEXT, row INTEGER, cluster INTEGER, distance REAL, density REAL,
    near_duplicate_of INTEGER, left_out TEXT, PRIMARY KEY (plan, row)
) WITHOUT ROWID;
CREATE TABLE queries (
    plan TEXT, query INTEGER, cluster INTEGER, round INTEGER, quota INTEGER,
    rows TEXT, sources TEXT, final INTEGER, PRIMARY KEY (plan, query)
) WITHOUT ROWID;
CREATE TABLE runs (
    run TEXT PRIMARY KEY, fingerprint TEXT, pool TEXT, plan TEXT, state TEXT, settings TEXT,
    facts TEXT, created REAL, updated REAL
);
CREATE INDEX runs_by_fingerprint ON runs (fingerprint);
CREATE TABLE answers (
    run TEXT, query INTEGER, ordering INTEGER, shown TEXT, chosen TEXT, probabilities TEXT,
    scores TEXT, outcome TEXT, prompt_tokens INTEGER, seconds REAL, attempts INTEGER,
    shortened TEXT, PRIMARY KEY (run, query, ordering)
) WITHOUT ROWID;
CREATE TABLE asked (run TEXT, query INTEGER, ordering INTEGER, at REAL, outcome TEXT);
CREATE TABLE picks (
    run TEXT, row INTEGER, rank INTEGER, cluster INTEGER, query INTEGER, turn INTEGER,
    label INTEGER, position INTEGER, probability REAL, votes INTEGER, chosen_by TEXT,
    PRIMARY KEY (run, row)
) WITHOUT ROWID;
CREATE TABLE vectors (
    embedder TEXT, text BLOB, chunk TEXT, place INTEGER, PRIMARY KEY (embedder, text)
) WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT, sha256 TEXT);
"""

STATES = ("running", "interrupted", "failed", "finished", "over-limit")


class Store:
    """One open workspace. Every method is one transaction, or only reads."""

    def __init__(self, home: Path) -> None:
        self.home = home
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in ("vectors", "indexes", "locks"):
                (home / folder).mkdir(exist_ok=True, mode=0o700)
            self._database = self._open(home / "localsel.db")
        except FileExistsError as error:
            raise WorkspaceError(
                f"The workspace {home} is a file, not a folder.", "Choose one with --workspace."
            ) from error
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkspaceError(
                f"The workspace {home} cannot be used: {reason}.", "Choose one with --workspace."
            ) from error

    def _open(self, path: Path) -> sqlite3.Connection:
        path.touch(mode=0o600)
        database = sqlite3.connect(path, isolation_level=None, timeout=30)
        database.row_factory = sqlite3.Row
        try:
            self._prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        """Makes the tables if there are none yet."""
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if _format(database) == 0:
            database.execute("BEGIN IMMEDIATE")
            # Another process may have made them while this one waited.
            if _format(database) == 0:
                for statement in SCHEMA.split(";"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute("COMMIT")
        if (found := _format(database)) != VERSION:
            raise WorkspaceError(
                f"The workspace {self.home} has format {found}; this localsel reads {VERSION}.",
                "Choose another with --workspace.",
            )

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.execute("COMMIT")
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise WorkspaceError(
                    f"The workspace {self.home} cannot be written: {error}."
                ) from error
            raise

    def _all(self, query: str, *values: object) -> list[sqlite3.Row]:
        return self._database.execute(query, values).fetchall()

    def _one(self, query: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.execute(query, values).fetchone()
        return row

    # Pools: the rows of an input file, kept so that the file may go.

    def has_pool(self, pool: str) -> bool:
        return self._one("SELECT 1 FROM pools WHERE pool = ?", pool) is not None

    def add_pool(self, pool: str, path: Path, sha256: str, layout: str) -> PoolWriter:
        """A writer for the rows of a new pool; nothing of it is there before its last row is."""
        return PoolWriter(self, pool, path, sha256, layout)

    def pool(self, pool: str) -> dict[str, Any]:
        """What is known of a pool, its bad rows and exact duplicates counted."""
        found = self._one("SELECT * FROM pools WHERE pool = ?", pool)
        duplicates = self._one(
            "SELECT count(*) AS n FROM instructions WHERE pool = ? AND duplicate_of IS NOT NULL",
            pool,
        )
        assert found is not None and duplicates is not None
        return dict(found) | {"duplicates": duplicates["n"]}

    def bad_rows(self, pool: str) -> list[dict[str, Any]]:
        rows = self._all("SELECT row, line, reason FROM bad_rows WHERE pool = ?", pool)
        return [dict(row) for row in rows]

    def instructions(self, pool: str) -> tuple[Instruction, ...]:
        """The distinct instructions of a pool in file order."""
        rows = self._database.execute(
            "SELECT row, instruction, input, response FROM instructions"
            " WHERE pool = ? AND duplicate_of IS NULL ORDER BY row",
            (pool,),
        )
        return tuple(Instruction(*row) for row in rows)

    def columns(self, pool: str, row: int) -> dict[str, object]:
        """All columns of one input record."""
        found = self._one("SELECT columns FROM instructions WHERE pool = ? AND row = ?", pool, row)
        assert found is not None
        columns: dict[str, object] = json.loads(found["columns"])
        return columns

    def instruction(self, pool: str, row: int) -> Instruction:
        found = self._one(
            "SELECT row, instruction, input, response FROM instructions WHERE pool = ? AND row = ?",
            pool,
            row,
        )
        assert found is not None
        return Instruction(*found)

    # Plans: clusters, quotas and queries. Several runs may stand on one.

    def has_plan(self, plan: str) -> bool:
        return self._one("SELECT 1 FROM plans WHERE plan = ?", plan) is not None

    def add_plan(
        self,
        plan: str,
        pool: str,
        made: Plan,
        members: Iterable[tuple[int, int | None, float | None, float | None, int | None]],
        facts: Mapping[str, object],
    ) -> None:
        """Keeps a plan. `members`: row, cluster, distance to the centre, density, twin's row.

        Two processes may make the same plan at once: it is kept once.
        """
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?)",
                (plan, pool, json.dumps(made.quotas), json.dumps(facts)),
            )
            database.executemany(
                "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((plan, *member, made.left_out.get(member[0])) for member in members),
            )
            database.executemany(
                "INSERT OR REPLACE INTO queries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (plan, query.id, query.cluster, query.round, query.quota)
                    + (json.dumps(query.rows), json.dumps(query.sources), query.final)
                    for query in made.queries
                ),
            )

    def plan(self, plan: str) -> Plan:
        found = self._one("SELECT quotas FROM plans WHERE plan = ?", plan)
        assert found is not None
        queries = [
            Query(
                id=row["query"],
                cluster=row["cluster"],
                round=row["round"],
                quota=row["quota"],
                rows=tuple(json.loads(row["rows"])),
                sources=tuple(json.loads(row["sources"])),
                final=bool(row["final"]),
            )
            for row in self._all("SELECT * FROM queries WHERE plan = ? ORDER BY query", plan)
        ]
        left_out = self._all(
            "SELECT row, left_out FROM members WHERE plan = ? AND left_out IS NOT NULL", plan
        )
        return Plan(
            tuple(queries),
            tuple(json.loads(found["quotas"])),
            dict(map(tuple, left_out)),
        )

    def plan_facts(self, plan: str) -> dict[str, Any]:
        found = self._one("SELECT facts FROM plans WHERE plan = ?", plan)
        facts: dict[str, Any] = json.loads(found["facts"]) if found else {}
        return facts

    # Runs and their answers.

    def start_run(
        self, fingerprint: str, pool: str, settings: Mapping[str, object], facts: Mapping[str, Any]
    ) -> str:
        run, now = secrets.token_hex(4), time.time()
        with self._transaction() as database:
            database.execute(
                "INSERT INTO runs VALUES (?, ?, ?, NULL, 'running', ?, ?, ?, ?)",
                (run, fingerprint, pool, json.dumps(settings), json.dumps(facts), now, now),
            )
        return run

    def update_run(
        self,
        run: str,
        state: str | None = None,
        plan: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Sets what is given; new facts join the old ones."""
        with self._transaction() as database:
            row = database.execute("SELECT facts FROM runs WHERE run = ?", (run,)).fetchone()
            merged = json.loads(row["facts"]) | dict(facts or {})
            database.execute(
                "UPDATE runs SET state = coalesce(?, state), plan = coalesce(?, plan),"
                " facts = ?, updated = ? WHERE run = ?",
                (state, plan, json.dumps(merged), time.time(), run),
            )

    def runs(self) -> list[dict[str, Any]]:
        """Every run, newest first."""
        return [self._decoded(row) for row in self._all("SELECT * FROM runs ORDER BY created DESC")]

    def runs_of(self, fingerprint: str) -> list[dict[str, Any]]:
        """Runs of the same data, models and settings, newest first."""
        rows = self._all(
            "SELECT * FROM runs WHERE fingerprint = ? ORDER BY created DESC", fingerprint
        )
        return [self._decoded(row) for row in rows]

    def run(self, name: str) -> dict[str, Any]:
        """One run by its id, an unambiguous beginning of it, or `last`.

        Raises:
            UsageError: there is none, or several begin like that.
        """
        runs = self.runs()
        found = runs[:1] if name == "last" else [r for r in runs if r["run"].startswith(name)]
        if len(found) != 1:
            problem = (
                f"{len(found)} runs begin with {name!r}" if found else f"There is no run {name!r}"
            )
            raise UsageError(f"{problem} in {self.home}.", "See `localsel runs`.")
        return found[0]

    @staticmethod
    def _decoded(row: sqlite3.Row) -> dict[str, Any]:
        facts = {key: json.loads(row[key]) for key in ("settings", "facts")}
        return dict(row) | facts

    def add_answer(self, run: str, answer: Answer) -> None:
        values = asdict(answer)
        values = {
            name: json.dumps(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }
        values["run"], values["ordering"] = run, values.pop("order")
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as database:
            database.execute(f"INSERT INTO answers ({', '.join(values)}) VALUES ({marks})", values)
            database.execute(
                "INSERT INTO asked VALUES (?, ?, ?, ?, ?)",
                (run, answer.query, answer.order, time.time(), answer.outcome),
            )

    def answers(self, run: str) -> dict[tuple[int, int], Answer]:
        """Every finished answer of a run by query and order."""
        rows = self._all("SELECT * FROM answers WHERE run = ?", run)
        return {(row["query"], row["ordering"]): _answer(row) for row in rows}

    def asked(self, run: str) -> list[dict[str, Any]]:
        """The log of finished questions, in the order of asking."""
        rows = self._all("SELECT * FROM asked WHERE run = ? ORDER BY rowid", run)
        return [dict(row) for row in rows]

    def set_picks(self, run: str, picks: Sequence[Pick]) -> None:
        names = [item.name for item in fields(Pick)]
        marks = ", ".join(f":{name}" for name in names)
        with self._transaction() as database:
            database.execute("DELETE FROM picks WHERE run = ?", (run,))
            database.executemany(
                f"INSERT INTO picks (run, {', '.join(names)}) VALUES (:run, {marks})",
                (asdict(pick) | {"run": run} for pick in picks),
            )

    def picks(self, run: str) -> tuple[Pick, ...]:
        """The selection of a run, best first."""
        names = [item.name for item in fields(Pick)]
        rows = self._all(f"SELECT {', '.join(names)} FROM picks WHERE run = ? ORDER BY rank", run)
        return tuple(Pick(**dict(row)) for row in rows)

    def remove_run(self, run: str) -> None:
        """Deletes a run, and its pool and plan if no other run stands on them."""
        with self._transaction() as database:
            for table in ("answers", "asked", "picks", "runs"):
                database.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
            for table in ("members", "queries", "plans"):
                database.execute(
                    f"DELETE FROM {table} WHERE plan NOT IN"
                    " (SELECT plan FROM runs WHERE plan IS NOT NULL)"
                )
            for table in ("instructions", "bad_rows", "pools"):
                database.execute(f"DELETE FROM {table} WHERE pool NOT IN (SELECT pool FROM runs)")

    @contextmanager
    def lock(self, run: str) -> Iterator[None]:
        """Only one process writes to a run; the lock ends with the process, however it ends."""
        with (self.home / "locks" / run).open("w") as file:
            _lock(file, run)
            yield

    def state(self, run: Mapping[str, Any]) -> str:
        """How a run stands: one that says it is running, but holds no lock, was cut off."""
        if run["state"] != "running":
            return str(run["state"])
        with (self.home / "locks" / run["run"]).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return "running"
        return "interrupted"

    def answer_totals(self, run: str) -> dict[str, Any]:
        """Of all answers of a run: how many, how many abstained, prompt tokens, seconds."""
        row = self._one(
            "SELECT count(*) AS answers, coalesce(sum(outcome = 'abstained'), 0) AS abstained,"
            " coalesce(sum(prompt_tokens), 0) AS prompt_tokens,"
            " coalesce(sum(seconds), 0) AS answer_seconds,"
            " coalesce(sum(json_array_length(shortened)), 0) AS shortened,"
            " (SELECT count(*) FROM queries JOIN runs USING (plan) WHERE run = ?1) AS queries"
            " FROM answers WHERE run = ?1",
            run,
        )
        assert row is not None
        return dict(row)

    def left_out(self, pool: str, plan: str | None) -> list[dict[str, Any]]:
        """Rows that no query shows, and why, in file order."""
        rows = self._all(
            "SELECT row, 'exact duplicate of row ' || duplicate_of AS reason FROM instructions"
            " WHERE pool = ? AND duplicate_of IS NOT NULL"
            " UNION ALL SELECT row, left_out FROM members"
            " WHERE plan = ? AND left_out IS NOT NULL ORDER BY row",
            pool,
            plan,
        )
        return [dict(row) for row in rows]

    # Caches: vectors by text and embedder, digests by path and time stamp.

    def cached_vectors(self, embedder: str, texts: Sequence[bytes]) -> tuple[Vectors, list[int]]:
        """Vectors [n, d] of texts, given by digest, and the places of those that are missing.

        With nothing cached d is 0: only the embedder knows its width.
        """
        where: dict[bytes, tuple[str, int]] = {
            row["text"]: (row["chunk"], row["place"])
            for row in self._database.execute(
                "SELECT text, chunk, place FROM vectors WHERE embedder = ?", (embedder,)
            )
        }
        by_chunk: dict[str, list[tuple[int, int]]] = {}
        for index, text in enumerate(texts):
            if text in where:
                chunk, place = where[text]
                by_chunk.setdefault(chunk, []).append((index, place))
        vectors = np.empty((len(texts), 0), dtype=np.float32)
        missing = {index for index, text in enumerate(texts) if text not in where}
        for chunk, places in by_chunk.items():
            targets, sources = zip(*places, strict=True)
            stored = self._chunk(chunk)
            if stored is None:
                missing.update(targets)
                continue
            if not vectors.shape[1]:
                vectors = np.empty((len(texts), stored.shape[1]), dtype=np.float32)
            vectors[list(targets)] = stored[list(sources)]
        return vectors, sorted(missing)

    def _chunk(self, name: str) -> Vectors | None:
        """Vectors that were written together; None if their file is gone or broken."""
        try:
            found: Vectors = np.load(self.home / "vectors" / f"{name}.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError):
            return None
        return found

    def add_vectors(self, embedder: str, texts: Sequence[bytes], vectors: Vectors) -> None:
        """Keeps vectors [n, d]: first the array, then the keys that point into it."""
        chunk = f"{embedder[:12]}-{secrets.token_hex(8)}"
        path = self.home / "vectors" / f"{chunk}.npy"
        partial = path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                np.save(file, vectors, allow_pickle=False)
            partial.replace(path)
        except OSError as error:
            raise WorkspaceError(
                f"The workspace cannot keep vectors in {path}: {error}."
            ) from error
        with self._transaction() as database:
            database.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                ((embedder, text, chunk, place) for place, text in enumerate(texts)),
            )

    def cached_digest(self, path: Path) -> str | None:
        """The sha256 of a file or folder seen before and not touched since."""
        row = self._one("SELECT stamp, sha256 FROM files WHERE path = ?", str(path.resolve()))
        return row["sha256"] if row and row["stamp"] == _stamp(path) else None

    def add_digest(self, path: Path, sha256: str) -> None:
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
                (str(path.resolve()), _stamp(path), sha256),
            )


class PoolWriter:
    """Takes the rows of one pool in one transaction; leaves nothing behind if it fails."""

    def __init__(self, store: Store, pool: str, path: Path, sha256: str, layout: str) -> None:
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
                self._database.execute(
                    "INSERT INTO pools VALUES (?, ?, ?, ?, ?, ?)",
                    (self._pool, *self._head, self.rows, self.bad),
                )
        except sqlite3.Error as broken:
            kind, error, trace = type(broken), broken, broken.__traceback__
        self._context.__exit__(kind, error, trace)


def _format(database: sqlite3.Connection) -> int:
    """0 as long as there are no tables."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _lock(file: IO[str], run: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(
            f"Another process is working on run {run}.", "Wait for it to end."
        ) from error


def _answer(row: sqlite3.Row) -> Answer:
    values = dict(row)
    values.pop("run")
    values["order"] = values.pop("ordering")
    tuples = ("shown", "chosen", "probabilities", "scores", "shortened")
    return Answer(**values | {name: tuple(json.loads(values[name])) for name in tuples})


def _stamp(path: Path) -> str:
    """Changes when a file or anything in a folder is written."""
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [os.stat(each) for each in paths]
    return ";".join(f"{state.st_size}:{state.st_mtime_ns}:{state.st_ino}" for state in states)
