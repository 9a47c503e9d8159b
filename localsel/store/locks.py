"""Locks: one process writes to a run, and everybody can see whether somebody does."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from localsel.errors import UsageError
from localsel.store.database import Database, failure


class Locks(Database):
    """Takes and looks at the locks of runs."""

    @contextmanager
    def lock(self, run: str) -> Iterator[None]:
        """Only one process writes to a run; the lock ends with the process, however it ends."""
        self.refuse_unwritable()
        signature = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        with ExitStack() as stack:
            try:
                # Not "w": whoever is refused must not wipe out what the owner wrote.
                path = self.home / "locks" / run
                file = stack.enter_context(path.open("a"))
                _lock(file, run)
                file.truncate(0)
                file.write(signature)
                file.flush()
            except OSError as error:
                raise failure(f"Run {run} in {self.home} cannot be locked", error) from error
            yield

    @contextmanager
    def using(self, pool: str) -> Iterator[None]:
        """Nobody removes the pool meanwhile; any number may use it at once."""
        with (self.home / "locks" / pool).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def is_used(self, pool: str) -> bool:
        """Whether another process, or this one, uses the pool."""
        return self._is_held(pool, fcntl.LOCK_EX)

    def is_locked(self, run: str) -> bool:
        """Whether a process works on the run."""
        return self._is_held(run, fcntl.LOCK_SH)

    def _is_held(self, name: str, kind: int) -> bool:
        try:
            with (self.home / "locks" / name).open() as file:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def owner(self, run: str) -> dict[str, Any] | None:
        """The process that works on a run, as it signed the lock: `pid` and `host`."""
        if not self.is_locked(run):
            return None
        try:
            signed: dict[str, Any] = json.loads((self.home / "locks" / run).read_text())
        except ValueError:
            return None
        return signed

    def state(self, run: Mapping[str, Any]) -> str:
        """How a run stands: one that says it is running, but holds no lock, was cut off."""
        if run["state"] != "running" or self.is_locked(run["run"]):
            return str(run["state"])
        return "interrupted"


PATIENCE = 1.0


def _lock(file: IO[str], run: str) -> None:
    """Somebody who only looks holds a lock for a moment; somebody who works, for good."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() > ends:
                raise UsageError(
                    f"Another process is working on run {run}.",
                    f"Wait for it, or end it with `localsel stop {run}`.",
                ) from error
            time.sleep(0.02)
