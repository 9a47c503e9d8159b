"""A command line → a process of its own that outlives the terminal, and a log of its events.

The log is what `--display json` prints, in the workspace; the child's complaints lie beside it. Its
first event is the command. It is locked as long as the child lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TextIO

from localsel.errors import LocalselError, WorkspaceError
from localsel.events import Event
from localsel.store import Store

EVERY = 0.2


def launch(line: Sequence[str], home: Path, kinds: Collection[str] = ("run",)) -> Event:
    """Starts a command; returns its first event of one of these kinds: by default its name.

    Raises:
        LocalselError: it ended before; with its own words and exit code.
    """
    log, child = start(line, home)
    try:
        for event in follow(log, lambda: child.poll() is None):
            if event.event in kinds:
                return event
    except BaseException:
        # Whoever stops waiting for its name does not want it.
        child.terminate()
        raise
    said = last_words(log)
    log.unlink()
    complaints(log).unlink()
    failed = LocalselError(said or f"The run ended with exit code {child.returncode}.")
    failed.exit_code = child.wait()
    raise failed


def start(line: Sequence[str], home: Path) -> tuple[Path, subprocess.Popen[bytes]]:
    """Starts a command, out of reach of the terminal's hangup and of ctrl+c; waits for nothing.

    Raises:
        WorkspaceError: no log can be written there.
    """
    with closing(Store(home)) as store:
        store.refuse_unwritable()
    log = home / "logs" / f"{secrets.token_hex(8)}.jsonl"
    try:
        return log, _start(log, line)
    except OSError as error:
        raise WorkspaceError(f"{log} cannot be written: {error.strerror}.") from error


def _start(log: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    first = Event("command", "load", details={"line": list(arguments)})
    fresh = log.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as events, complaints(log).open("w") as talk:
        # The child inherits the lock with the open file: it ends when the child does.
        fcntl.flock(events, fcntl.LOCK_EX)
        _write(events, first)
        # Nobody sees a log that is not locked yet, and takes its command for dead.
        fresh.replace(log)
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "localsel", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=events,
            stderr=talk,
            start_new_session=True,
        )
        signed = {"pid": child.pid, "host": socket.gethostname()}
        _write(events, Event("process", "load", details=signed))
        return child


def _write(events: TextIO, event: Event) -> None:
    """One line, at once: parent and child write at the same place of the same file."""
    events.write(json.dumps(event.as_json()) + "\n")
    events.flush()


def tell_to_end(log: Path, signed: Mapping[str, Any]) -> bool:
    """Tells the process that signed this log to end in order; False if it does not live here."""
    if not signed or signed["host"] != socket.gethostname() or not is_alive(log):
        return False
    with suppress(ProcessLookupError):
        os.kill(signed["pid"], signal.SIGTERM)
    return True


def is_alive(log: Path) -> bool:
    """Whether the process that writes this log still lives."""
    try:
        with log.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def complaints(log: Path) -> Path:
    """Where the child's stderr goes."""
    return log.with_suffix(".err")


def last_words(log: Path) -> str:
    """What the child said last on stderr, without the program's name."""
    try:
        said = complaints(log).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        # Its run was deleted meanwhile.
        return ""
    lines = said.splitlines()
    return lines[-1].removeprefix("localsel: ") if lines else ""


def find_log(home: Path, run: str) -> Path | None:
    """The newest log that tells of a run."""
    logs = sorted((home / "logs").glob("*.jsonl"), key=lambda log: log.stat().st_mtime)
    return next((log for log in reversed(logs) if _tells_of(log, run)), None)


def _tells_of(log: Path, run: str) -> bool:
    with log.open(encoding="utf-8") as lines:
        return any(line["run"] == run for line in map(_event, lines) if line["event"] == "run")


def _event(line: str) -> dict[str, Any]:
    """One line of a log; what a full disk cut off says nothing."""
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"event": "note", "stage": "load", "run": "", "done": 0, "total": 0, "text": "…"}
    return found


def remove_logs(home: Path, run: str) -> None:
    """Deletes what was told of a run."""
    while log := find_log(home, run):
        log.unlink()
        complaints(log).unlink(missing_ok=True)


def follow(log: Path, is_alive: Callable[[], bool]) -> Iterator[Event]:
    """Events from the beginning, and new ones as they come, until the run is over.

    What was there before is marked `earlier`, so that nobody takes it for this second's work.
    """
    size = log.stat().st_size
    with log.open(encoding="utf-8") as lines:
        rest = ""
        while True:
            # Asked before reading: what a run writes last comes before it ends.
            alive = is_alive()
            while chunk := lines.readline():
                rest += chunk
                if rest.endswith("\n"):
                    line = _event(rest)
                    yield Event.from_json(
                        line | ({"earlier": True} if lines.tell() <= size else {})
                    )
                    rest = ""
            if not alive:
                return
            time.sleep(EVERY)
