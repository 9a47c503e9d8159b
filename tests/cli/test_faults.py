"""Something is wrong → one sentence on stderr that says what, a pinned exit code, nothing else."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from localsel import namespace
from localsel.__main__ import main
from localsel.store import Store
from tests.cli.faults import Fault, embedders, files, options, places, texts, weights
from tests.conftest import Command, Done

SECONDS = 240
LONGEST = 300
TABLES = (texts, files, weights, embedders, options, places)
FAULTS = [fault for table in TABLES for fault in table.FAULTS]


@pytest.mark.timeout(SECONDS + 10)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_it_ends_with_one_sentence(
    localsel: Command,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fault.prepare(localsel.folder)
    before = everything(localsel.folder)
    words = shlex.split(fault.line)
    localsel.environment |= fault.variables
    done = apart(localsel, words) if fault.apart else here(localsel, words, monkeypatch, capfd)
    assert done.code == fault.code, done.stderr
    assert fault.says in done.complaint
    assert is_one_sentence(done)
    assert done.stdout == ""
    assert everything(localsel.folder) == before
    assert is_usable(localsel.folder / places.HOME)


def here(
    localsel: Command,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Done:
    """The command in this process, which is twenty times faster than in one of its own."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in localsel.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(localsel.folder)
    with process_kept(), pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, *capfd.readouterr())


@contextmanager
def process_kept() -> Iterator[None]:
    """`main` sets handlers and variables, and seals; this process goes on as it was.

    Nobody leaves a namespace again, but the kernel takes no process into one that has threads.
    """
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    variables, standing, over = dict(os.environ), namespace._standing, threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        assert namespace.standing().held is standing.held
        namespace._standing = standing
        os.environ.clear()
        os.environ.update(variables)
        for each, handler in handlers.items():
            signal.signal(each, handler)


def apart(localsel: Command, words: list[str]) -> Done:
    process = localsel.start(*words, stderr=subprocess.PIPE)
    with process:
        stdout, stderr = process.communicate(timeout=SECONDS)
    return Done(process.returncode, stdout, stderr)


def is_one_sentence(done: Done) -> bool:
    """Of ours, or of click: its usage, then the sentence. Nothing that a terminal would obey."""
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    opening = ("localsel: ", "Error: ")
    told = [line for line in done.stderr.splitlines() if line.startswith(opening)]
    assert told == [done.complaint]
    assert len(done.complaint) <= LONGEST
    return done.complaint.endswith((".", "?", ")"))


OURS = ("share", "vectors", "indexes", "locks")


def everything(folder: Path) -> dict[str, bytes | str]:
    """Every file with its content and every link with its target.

    What a workspace keeps is left out, and what SQLite puts beside a database that it reads.
    """
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif not set(OURS) & set(path.relative_to(folder).parts) and path.suffix != ".db-shm":
            found[name] = path.read_bytes() if path.is_file() else "no file"
    return found


def is_usable(home: Path) -> bool:
    """Whether a workspace can be opened, is sound, and has no run that seems to be on."""
    if not home.exists():
        return True
    with closing(Store(home)) as store:
        assert all(run["state"] != "running" for run in store.runs())
    with closing(sqlite3.connect(home / "localsel.db")) as database:
        return bool(database.execute("PRAGMA quick_check").fetchone()[0] == "ok")


def test_a_command_in_this_process_leaves_no_trace(
    localsel: Command, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    localsel.environment.pop("HF_HUB_OFFLINE", None)
    before = namespace.standing()
    ended = []
    with monkeypatch.context() as patch:
        ended.append(here(localsel, ["run", "nowhere.jsonl", "--budget", "1"], patch, capfd).code)
        assert "HF_HUB_OFFLINE" not in os.environ
    assert ended == [2]
    assert namespace.standing() is before


def test_the_table_is_long_enough() -> None:
    assert len(FAULTS) >= 60
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_nothing_is_kept_of_a_file_that_is_refused(localsel: Command) -> None:
    path = localsel.folder / "broken.jsonl"
    path.write_text('{"instruction": "A"}\n' * 20 + "{\n{")
    line = ("run", path, "--budget", 1, "--method", "random")
    assert localsel(*line).code == 2
    assert localsel("runs", "--json").document == []
    again = localsel(*line, "--max-bad-rows", "10%")
    assert again.code == 0
    assert "line 21, row 20: " in again.stderr
