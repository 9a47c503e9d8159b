"""A run is told to stop, or its terminal goes → it is kept, found again, and selects the same."""

from __future__ import annotations

import os
import pty
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from localsel.store import Store
from tests.conftest import CHECKOUT, Command
from tests.e2e.conftest import Undisturbed
from tests.e2e.disturbing import Event, Runs, asked, run_of, text_of, twice, until

STOPPED = 130


def state_of(localsel: Command, workspace: Path) -> tuple[str, str]:
    (found,) = localsel("runs", "--json", "--workspace", workspace).document
    return found["id"], found["state"]


def nth_answer(number: int) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "answer" and event["done"] >= number


def test_stopped_by_anybody_it_goes_on_to_the_same_selection(
    localsel: Command,
    by_model: Runs,
    place: Callable[[str], Path],
    calm_model: Undisturbed,
    tmp_path: Path,
) -> None:
    """SIGTERM, a hangup and `localsel stop`, one after the other on one run."""
    workspace, out = place("workspace"), tmp_path / "picks.jsonl"
    ids = set()
    for number, share in ((signal.SIGTERM, 40), (signal.SIGHUP, 90)):
        code, seen = by_model.sent(number, nth_answer(share), 0.01, workspace)
        assert code == STOPPED
        run, state = state_of(localsel, workspace)
        assert state == "interrupted"
        ids |= {run, run_of(seen)[0]}
    with localsel.start(*by_model.line, "--workspace", workspace) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if '"answer"' in line and '"done": 140' in line:
                break
        stopped = localsel("stop", "last", "--workspace", workspace)
        process.stdout.read()
    assert (process.returncode, stopped.code) == (STOPPED, 0)
    assert state_of(localsel, workspace) == (*ids, "interrupted")
    last = by_model.whole(workspace, "--out", out)
    assert run_of(last) == (*ids, "resumed")
    assert text_of(out, *ids) == calm_model.text
    questions = asked(workspace, *ids)
    assert not twice(questions) and sorted(questions) == calm_model.questions


# What a person does: a shell in a terminal, one command in it, and then the line drops.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.system(sys.argv[1])
signal.pause()
"""


def test_a_detached_run_outlives_its_terminal(
    localsel: Command,
    by_model: Runs,
    place: Callable[[str], Path],
    calm_model: Undisturbed,
    tmp_path: Path,
) -> None:
    workspace, out = place("workspace"), tmp_path / "picks.jsonl"
    line = (*by_model.line, "--detach", "--workspace", workspace, "--out", out)
    command = " ".join([sys.executable, "-m", "localsel", *map(str, line)])
    shell, terminal = pty.fork()
    if not shell:
        os.chdir(CHECKOUT)
        os.execve(sys.executable, [sys.executable, "-c", SHELL, command], localsel.environment)
    said = b""
    while b"Stop it:" not in said:
        said += os.read(terminal, 4096)
    # The line drops: everybody who belongs to this terminal is hung up.
    os.close(terminal)
    _, status = os.waitpid(shell, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP

    run, state = state_of(localsel, workspace)
    assert state == "running"
    assert run.encode() in said
    seen = localsel("attach", run, "--display", "json", "--workspace", workspace)
    assert seen.code == 0, seen.stderr
    assert seen.lines[-1]["event"] == "done"
    until(lambda: state_of(localsel, workspace) == (run, "finished"))
    assert text_of(out, run) == calm_model.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_detached_run_that_ends_early_is_taken_up_again(
    localsel: Command,
    by_model: Runs,
    place: Callable[[str], Path],
    calm_model: Undisturbed,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    workspace, out = place("workspace"), tmp_path / "picks.jsonl"
    where = ("--workspace", workspace)
    line = (*by_model.line[:-2], *where, "--out", out, "--detach", "--json")
    run = localsel(*line).document["run"]
    show = ("show", run, "--json", *where)
    until(lambda: localsel(*show).document["answers"] > 20)
    if number == signal.SIGTERM:
        assert localsel("stop", run, *where).code == 0
    else:
        with closing(Store(workspace)) as store:
            owner = store.owner(run)
        assert owner
        os.kill(owner["pid"], signal.SIGKILL)
        until(lambda: state_of(localsel, workspace)[1] != "running")
    assert state_of(localsel, workspace) == (run, "interrupted")
    assert localsel("attach", run, *where).code == STOPPED
    assert localsel(*line).document == {"run": run, "state": "resumed"}
    assert localsel("attach", run, *where).code == 0
    assert text_of(out, run) == calm_model.text
    assert not twice(asked(workspace, run))
