"""`run --detach`, `attach`, `stop` → a run that needs no terminal, followed and stopped by any."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from localsel.store import Store
from tests.conftest import Command, Done, Finished

Detach = Callable[..., str]


@pytest.fixture
def at(workspace: Path) -> Iterator[tuple[str, Path]]:
    """`--workspace …`; no detached run outlives its test."""
    yield "--workspace", workspace
    with closing(Store(workspace)) as store:
        for run in store.runs():
            if owner := store.owner(run["run"]):
                os.kill(owner["pid"], signal.SIGKILL)


@pytest.fixture
def detach(localsel: Command, example_pool: Path, selector: Path, at: tuple[str, Path]) -> Detach:
    """Starts a run and gives its name."""

    def start(*options: object, budget: int = 20) -> str:
        line = ("run", example_pool, "--budget", budget, "--model", selector, "--detach")
        done = localsel(*line, *at, *options)
        assert done.code == 0, done.stderr
        assert f"Follow it: localsel attach {done.stdout.strip()} --workspace" in done.stderr
        return done.stdout.strip()

    return start


# Enough questions for some seconds.
LONG = ("--query-size", 3, "--orders", 20)


def until(condition: Callable[[], bool], seconds: float = 180) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


def record(localsel: Command, run: str, at: tuple[str, Path]) -> dict[str, Any]:
    done = localsel("show", run, "--json", *at)
    assert done.code == 0, done.stderr
    found: dict[str, Any] = done.document
    return found


def test_a_detached_run_is_followed_to_its_end(
    localsel: Command, detach: Detach, at: tuple[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "picks.jsonl"
    run = detach("--out", out)
    seen = localsel("attach", run, *at, "--display", "json")
    assert seen.code == 0, seen.stderr
    assert seen.lines[-1]["event"] == "done"
    assert seen.lines[-1]["record"]["id"] == run
    assert len(out.read_text().splitlines()) == 20
    again = localsel("attach", run, *at, "--display", "plain")
    assert again.code == 0
    assert f"(run {run})." in again.stderr
    assert f"Written to {out}." in again.stderr


def test_a_detached_run_is_stopped_and_goes_on(
    localsel: Command, detach: Detach, at: tuple[str, Path], example_pool: Path, selector: Path
) -> None:
    run = detach(*LONG)
    until(lambda: record(localsel, run, at)["answers"] > 5)
    stopped = localsel("stop", run, *at)
    assert stopped.code == 0
    assert f"Stopped run {run}" in stopped.stderr
    kept = record(localsel, run, at)
    assert (kept["state"], kept["picked"]) == ("interrupted", 0)
    assert kept["answers"] > 5
    followed = localsel("attach", run, *at)
    assert followed.code == 130
    assert "was stopped" in followed.complaint
    assert f"Run {run} is not running: it is interrupted." in localsel("stop", run, *at).stderr
    assert detach(*LONG) == run
    localsel("stop", run, *at)


def test_leaving_does_not_stop_it(localsel: Command, detach: Detach, at: tuple[str, Path]) -> None:
    run = detach(*LONG)
    viewer = localsel.start("attach", run, *at, "--display", "plain", stderr=subprocess.PIPE)
    assert viewer.stderr is not None
    assert viewer.stderr.readline()
    viewer.send_signal(signal.SIGINT)
    _, said = viewer.communicate(timeout=180)
    assert viewer.returncode == 130
    assert f"Run {run} goes on. Stop it with `localsel stop {run}`." in said
    assert record(localsel, run, at)["state"] == "running"
    refused = localsel("rm", run, "--yes", *at)
    assert refused.code == 2
    assert localsel("stop", run, *at).code == 0
    assert localsel("rm", run, "--yes", *at).code == 0
    assert not list((at[1] / "logs").iterdir())


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--budget", 4000), 2, "Choose a smaller --budget."),
        (("--model", "nano-lama"), 3, "There is no model nano-lama."),
        (("--dry-run",), 2, "--dry-run and --detach do not go together."),
    ],
)
def test_what_fails_before_the_run_has_a_name_is_told_at_once(
    localsel: Command,
    example_pool: Path,
    at: tuple[str, Path],
    options: tuple[object, ...],
    code: int,
    complaint: str,
) -> None:
    line = ("run", example_pool, "--budget", 5, "--model", "first", "--detach", *at)
    done = localsel(*line, *options)
    assert done.code == code
    assert complaint in done.complaint
    assert done.complaint.startswith("localsel: ")
    assert done.stdout == ""
    assert not list((at[1] / "logs").glob("*")) if (at[1] / "logs").exists() else True


def test_a_run_that_is_not_detached_is_shown_where_it_was_started(
    localsel: Command, finished: Finished
) -> None:
    done: Done = localsel("attach", finished.id, "--workspace", finished.workspace)
    assert done.code == 0
    assert done.complaint == f"Run {finished.id} is finished; see `localsel show {finished.id}`."


def test_a_finished_run_is_reported_not_started(
    localsel: Command, detach: Detach, at: tuple[str, Path]
) -> None:
    line = ("--query-size", 14)
    run = detach(*line)
    localsel("attach", run, *at)
    with closing(Store(at[1])) as store:
        until(lambda: store.owner(run) is None)
        settings = store.run(run)["settings"]
    again = localsel(
        *("run", settings["data"], "--budget", 20, "--model", settings["model"], "--detach"),
        *("--json", *at, *line),
    )
    assert json.loads(again.stdout) == {"run": run, "state": "finished"}
    assert f"Run {run} did this before" in again.stderr
