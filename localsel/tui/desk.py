"""What all screens share: the workspace, what is being looked at, and what runs in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from localsel.tui.subject import Subject

if TYPE_CHECKING:
    from localsel.store import Store
    from localsel.tui.following import Job

Made = TypeVar("Made")

PATIENCE = 2.0
"""Seconds that a change waits for others who write: somebody sits before it."""


class Desk:
    """Handed to every screen. Only the app changes what lies on it.

    Attributes:
        jobs: what every detached command of this workspace has told, by its log, newest last.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.subject = Subject()
        self.jobs: Mapping[Path, Job] = {}
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The workspace, read in the UI's own thread; a thread worker opens its own."""
        if self._store is None:
            from localsel.store import Store

            self._store = Store(self.home)
        return self._store

    def job_of(self, run: str) -> Job | None:
        """The newest job that tells of a run."""
        return next((job for job in reversed(list(self.jobs.values())) if run in job.runs), None)

    async def ask(self, *line: str) -> Any:
        """The JSON document of a read command.

        Raises:
            RefusedError: it failed.
        """
        from localsel.tui.child import document

        return await document(line, self.home)

    async def change(self, make: Callable[[Store], Made]) -> Made:
        """Writes to the workspace in a thread, so that the screen lives while others write too.

        Raises:
            LocalselError: it cannot be made, or others keep on writing.
        """
        return await asyncio.to_thread(self._change, make)

    def _change(self, make: Callable[[Store], Made]) -> Made:
        from localsel.store import Store

        with closing(Store(self.home, PATIENCE)) as store:
            return make(store)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
