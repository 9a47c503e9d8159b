"""Jobs on stdin, a line of JSON each → command lines, each in a fork that may kill itself.

A job has the arguments of a command, a file for what it says, and a file for the kinds of its
transactions, or the one before or after whose COMMIT it dies. Heavy libraries are imported once,
before the forks. It is the real command: the only thing that is not is the connection's class.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

OWN = str(Path(__file__).resolve().parents[2] / "localsel")


def serve() -> None:
    from localsel import offline

    offline.set_variables()
    import sentence_transformers  # noqa: F401

    import localsel.cli.run
    import localsel.pipeline.planning  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            work(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def work(job: dict[str, Any]) -> None:
    """Runs one command, and does not come back."""
    said = os.open(job["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = ["localsel", *job["line"]]
    Watched.job = job
    sqlite3.connect = partial(sqlite3.connect, factory=Watched)  # type: ignore[misc]

    from localsel.__main__ import main

    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(int(end.code or 0))
    finally:
        # A defect: what it was is in what was said.
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        os._exit(99)


class Watched(sqlite3.Connection):
    """A connection that knows who commits."""

    job: ClassVar[dict[str, Any]]
    seen: ClassVar[Counter[str]] = Counter()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            changes = self.total_changes
            cursor = super().execute(sql, *values)
            assert self.in_transaction or self.total_changes == changes, f"not committed: {sql}"
            return cursor
        kind = committer()
        self.seen[kind] += 1
        self.reach(kind, "before")
        cursor = super().execute(sql)
        self.reach(kind, "after")
        return cursor

    def reach(self, kind: str, side: str) -> None:
        if self.job.get("dies") == [kind, self.seen[kind], side]:
            os.kill(os.getpid(), signal.SIGKILL)
        if (kinds := self.job.get("kinds")) and side == "after":
            with open(kinds, "a") as file:
                file.write(f"{kind}\n")


def committer() -> str:
    """The functions of this package that led here, from the workspace's method outwards."""
    names: list[str] = []
    frame: FrameType | None = sys._getframe(2)
    while frame:
        code = frame.f_code
        if code.co_filename.startswith(OWN) and code.co_name not in SKIPPED:
            names.append(code.co_qualname.replace(".<locals>", ""))
        frame = frame.f_back
    return " < ".join(names[:DEEP])


DEEP = 3
SKIPPED = {"_transaction", "progress"}

if __name__ == "__main__":
    serve()
