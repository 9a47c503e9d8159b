"""A workspace → whether anything in it is new: its logs, and its database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from localsel.tui.following import Follower, Job


class Watcher:
    """Belongs to the thread that makes it."""

    def __init__(self, home: Path, code: Callable[[Path], int | None]) -> None:
        self._follower = Follower(home, code)
        self._path = home / "localsel.db"
        self._database: sqlite3.Connection | None = None
        self._version = -1

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database:
            self._database.close()

    @property
    def jobs(self) -> Mapping[Path, Job]:
        return self._follower.jobs

    def is_news(self) -> bool:
        """Whether anything was written since this was asked last; True the first time."""
        told = self._follower.poll()
        version = self._seen()
        news, self._version = told or version != self._version, version
        return news

    def _seen(self) -> int:
        """A number that changes when another process writes to the database."""
        try:
            if self._database is None:
                uri = self._path.absolute().as_uri() + "?mode=ro"
                self._database = sqlite3.connect(uri, uri=True)
            return int(self._database.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return 0


def name_of(job: Job) -> str:
    """What a job is called: its command and its run; a comparison has several."""
    if job.line[:1] == ("compare",):
        return "The comparison"
    command = job.line[0].capitalize() if job.line else "A command"
    return f"{command} {job.now.run}".strip()
