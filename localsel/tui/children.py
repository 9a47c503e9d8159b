"""A command line → a detached child of this TUI, its exit code once it has ended, and its end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


class Children:
    """What this TUI has started. They go on without it; as long as it is there it buries them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._started: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, line: Sequence[str]) -> Path:
        """Starts a command; returns its log.

        Raises:
            LocalselError: nothing can be written in the workspace.
        """
        from localsel.detached import start

        verb, *rest = line
        log, child = start([verb, f"--workspace={self._home}", "--display=json", *rest], self._home)
        self._started[log] = child
        return log

    def code(self, log: Path) -> int | None:
        """How a command ended; None for one of another terminal.

        It let go of its log a moment before it was dead.
        """
        child = self._started.get(log)
        if child is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            return child.wait(1)
        return None

    def close(self) -> None:
        """Lets those go that are still at work."""
        for child in self._started.values():
            if child.poll() is None:
                # Python warns of a child that is left running: here that is meant.
                child.returncode = 0
