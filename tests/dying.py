"""WHAT, TIMES and arguments on the command line → the command itself, which dies of doing that.

WHAT begins an SQL statement, or is the name that a finished file gets: before it happens for that
time, the process kills itself. It is the real command but for two things: its connections say what
they do, and its clock gains a second whenever localsel looks at it, so that what is done every few
seconds is done on any machine.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

OWN = str(Path(__file__).resolve().parents[1] / "localsel")


def die_before(what: str, times: int) -> None:
    """From now on, at whatever begins like this."""
    left = times

    def count(said: str) -> None:
        nonlocal left
        left -= said.startswith(what)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename":
            count(os.path.basename(os.fsdecode(arguments[1])))

    class Telling(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.set_trace_callback(count)

    sqlite3.connect = partial(sqlite3.connect, factory=Telling)  # type: ignore[misc]
    sys.addaudithook(heard)


def hurry() -> None:
    """Seconds pass for localsel, and for nobody else."""
    real, gained = time.monotonic, 0

    def monotonic() -> float:
        nonlocal gained
        gained += sys._getframe(1).f_code.co_filename.startswith(OWN)
        return real() + gained

    time.monotonic = monotonic


if __name__ == "__main__":
    die_before(sys.argv.pop(1), int(sys.argv.pop(1)))
    hurry()
    from localsel.__main__ import main

    main()
