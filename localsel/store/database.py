"""A folder → an open workspace database: its tables, its transactions, its errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localsel.errors import WorkspaceError

VERSION = 2

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
CREATE TABLE set_aside (
    run TEXT, row INTEGER, reason TEXT, PRIMARY KEY (run, row)
) WITHOUT ROWID;
CREATE TABLE reasons (run TEXT, row INTEGER, text TEXT, PRIMARY KEY (run, row)) WITHOUT ROWID;
CREATE TABLE vectors (
    embedder TEXT, text BLOB, chunk TEXT, place INTEGER, PRIMARY KEY (embedder, text)
) WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT, sha256 TEXT);
"""


# A workspace of an older format is brought up to date: the tables that each format added.
ADDED = {2: ("set_aside", "reasons")}


class Database:
    """What all parts of the workspace stand on. Every method is one transaction, or only reads."""

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
        """Makes the tables that are not there yet."""
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if _format(database) < VERSION:
            database.execute("BEGIN IMMEDIATE")
            # Another process may have made them while this one waited.
            for statement in _statements(_format(database)):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {max(VERSION, _format(database))}")
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


def _statements(found: int) -> list[str]:
    """What brings a database of format `found` (0: an empty one) up to date."""
    statements = SCHEMA.split(";")
    if not found:
        return statements
    names = [name for version, names in ADDED.items() if version > found for name in names]
    return [each for each in statements if any(f"TABLE {name} (" in each for name in names)]


def _format(database: sqlite3.Connection) -> int:
    """0 as long as there are no tables."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])
