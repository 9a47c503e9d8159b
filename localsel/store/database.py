"""A folder → an open workspace database: its tables, its transactions, its errors."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from localsel.errors import WorkspaceError

VERSION = 4
LARGEST = 2**62
"""Numbers up to here fit into a column."""

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
CREATE TABLE pick_scores (
    run TEXT, row INTEGER, score REAL, PRIMARY KEY (run, row)
) WITHOUT ROWID;
CREATE TABLE set_aside (
    run TEXT, row INTEGER, reason TEXT, PRIMARY KEY (run, row)
) WITHOUT ROWID;
CREATE TABLE reasons (run TEXT, row INTEGER, text TEXT, PRIMARY KEY (run, row)) WITHOUT ROWID;
CREATE TABLE imported (name TEXT PRIMARY KEY);
CREATE TABLE changes (
    run TEXT, number INTEGER, at REAL, kind TEXT, row INTEGER, other INTEGER, text TEXT,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE choices (
    plan TEXT, query INTEGER, rows TEXT, at REAL, PRIMARY KEY (plan, query)
) WITHOUT ROWID;
CREATE TABLE vectors (
    embedder TEXT, text BLOB, chunk TEXT, place INTEGER, PRIMARY KEY (embedder, text)
) WITHOUT ROWID;
CREATE TABLE scores (
    measure TEXT, text BLOB, value TEXT, PRIMARY KEY (measure, text)
) WITHOUT ROWID;
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT, sha256 TEXT);
"""


READABLE = 3
"""The oldest format that can be read as it is, where it cannot be brought up to date."""

# A workspace of an older format is brought up to date: the tables that each format added.
ADDED = {
    2: ("set_aside", "reasons", "imported"),
    3: ("changes", "choices"),
    4: ("scores", "pick_scores"),
}

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Database:
    """What all parts of the workspace stand on. Every method is one transaction, or only reads.

    Where nothing can be written, what is there can be read all the same.
    """

    def __init__(self, home: Path, patience: float = 30) -> None:
        """`patience`: seconds to wait for others who write."""
        self.home, self._patience = home, patience
        self._unwritable: WorkspaceError | None = None
        path = home / "localsel.db"
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._database = self._open(path.absolute().as_uri() + "?mode=rw")
            # Not before: nothing is put beside a database that is not ours.
            for folder in ("vectors", "indexes", "locks", "logs"):
                (home / folder).mkdir(exist_ok=True, mode=0o700)
        except FileExistsError as error:
            what = f"The workspace {home}" if error.filename == str(home) else error.filename
            raise WorkspaceError(
                f"{what} is a file, not a folder.", "Choose one with --workspace."
            ) from error
        except (OSError, sqlite3.Error) as error:
            try:
                self._database = self._open(self._readable(path))
            except (OSError, sqlite3.Error):
                raise failure(f"The workspace {home} cannot be used", error) from error
            self._unwritable = failure(f"The workspace {home} cannot be written", error)

    def _readable(self, path: Path) -> str:
        """How to open a database where no file can be made beside it.

        `immutable` needs none, but sees only what is in the database itself: not what a run that
        was cut off left in the log beside it.
        """
        if not path.is_file():
            raise FileNotFoundError(path)
        log = path.with_name(f"{path.name}-wal")
        whole = not log.exists() or not log.stat().st_size
        return path.absolute().as_uri() + ("?mode=ro&immutable=1" if whole else "?mode=ro")

    def refuse_unwritable(self) -> None:
        """Raises WorkspaceError where the workspace can only be read."""
        if self._unwritable:
            raise self._unwritable

    def _open(self, uri: str) -> sqlite3.Connection:
        database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=self._patience)
        database.row_factory = sqlite3.Row
        try:
            self._refuse_foreign(database)
            if "mode=rw" in uri:
                self._prepare(database)
            self._refuse_format(database)
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

    def _refuse_foreign(self, database: sqlite3.Connection) -> None:
        """Before anything is written: what is not ours, or of a later localsel, stays as it is."""
        tables = {row["name"] for row in database.execute("SELECT name FROM sqlite_master")}
        if tables and not {"pools", "runs"} <= tables:
            raise WorkspaceError(
                f"The database in {self.home} is not one of localsel.",
                "Choose another with --workspace.",
            )
        if _format(database) > VERSION:
            self._refuse_format(database)

    def _refuse_format(self, database: sqlite3.Connection) -> None:
        if not _format(database):
            raise sqlite3.DatabaseError("there are no tables in it")
        if not READABLE <= (found := _format(database)) <= VERSION:
            raise WorkspaceError(
                f"The workspace {self.home} has format {found}; this localsel reads {VERSION}.",
                "Choose another with --workspace.",
            )

    @property
    def format(self) -> int:
        """Which tables there are: those of `VERSION`, or of an older one that can only be read."""
        return _format(self._database)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.refuse_unwritable()
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.execute("COMMIT")
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise failure(f"The workspace {self.home} cannot be written", error) from error
            raise

    def _all(self, query: str, *values: object) -> list[sqlite3.Row]:
        return list(self._rows(query, *values))

    def _one(self, query: str, *values: object) -> sqlite3.Row | None:
        return next(self._rows(query, *values), None)

    def _rows(self, query: str, *values: object) -> Iterator[sqlite3.Row]:
        """`values` for each `?`, or one mapping for the names."""
        given = values[0] if len(values) == 1 and isinstance(values[0], Mapping) else values
        try:
            yield from self._database.execute(query, given)
        except sqlite3.Error as error:
            raise failure(f"The workspace {self.home} cannot be read", error) from error


def failure(what: str, error: OSError | sqlite3.Error) -> WorkspaceError:
    """What cannot be done with a file or database, why, and what helps."""
    reason = getattr(error, "strerror", None) or error
    number, code = getattr(error, "errno", None), getattr(error, "sqlite_errorcode", 0) & 0xFF
    if number in FULL or code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        hint = "Make room there, and give the same command again: what was done is kept."
    elif code == sqlite3.SQLITE_BUSY:
        hint = "Another process is busy with it: give the same command again later."
    else:
        hint = "Choose another with --workspace."
    return WorkspaceError(f"{what}: {reason}.", hint)


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
