"""Two processes in one workspace → one run has one writer; two runs do not disturb each other."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from localsel.store import Store
from tests.conftest import Command, events_of
from tests.e2e.conftest import Undisturbed
from tests.e2e.disturbing import Runs, asked, run_of, text_of, twice

USAGE = 2


def test_the_second_on_a_run_is_refused_and_the_first_goes_on_undisturbed(
    by_model: Runs, place: Callable[[str], Path], calm_model: Undisturbed, tmp_path: Path
) -> None:
    workspace, out = place("workspace"), tmp_path / "picks.jsonl"
    line = (*by_model.line, "--workspace", workspace)
    seen, held = [], False
    with by_model.localsel.start(*line, "--out", out) as first:
        for event in events_of(first):
            seen.append(event)
            if event["event"] == "answer" and event["done"] == 100:
                # Held, so that it is not over before the second has come.
                os.kill(first.pid, signal.SIGSTOP)
                second = by_model.localsel(*line, "--out", tmp_path / "second.jsonl")
                os.kill(first.pid, signal.SIGCONT)
                held = True
    run, _ = run_of(seen)
    assert held and (second.code, second.stdout) == (USAGE, "")
    assert second.stderr == (
        f"localsel: Another process is working on run {run}. Wait for it, or end it with `localsel"
        f" stop {run}`.\n"
    )
    assert first.returncode == 0
    assert text_of(out, run) == calm_model.text
    assert sorted(asked(workspace, run)) == calm_model.questions


def test_two_runs_at_once_in_one_workspace_both_finish(
    by_model: Runs,
    by_rule: Runs,
    place: Callable[[str], Path],
    calm_model: Undisturbed,
    calm_rule: Undisturbed,
    tmp_path: Path,
) -> None:
    workspace = place("workspace")
    processes = [
        runs.localsel.start(*runs.line, "--workspace", workspace, "--out", tmp_path / name)
        for runs, name in ((by_model, "model.jsonl"), (by_rule, "rule.jsonl"))
    ]
    for process, name, calm in zip(
        processes, ("model.jsonl", "rule.jsonl"), (calm_model, calm_rule), strict=True
    ):
        said, _ = process.communicate()
        assert process.returncode == 0
        run, state = run_of([json.loads(line) for line in said.splitlines()])
        assert state == "new"
        assert text_of(tmp_path / name, run) == calm.text
        assert sorted(asked(workspace, run)) == calm.questions


def test_two_that_start_at_the_same_moment_make_one_run(
    localsel: Command,
    by_rule: Runs,
    place: Callable[[str], Path],
    calm_rule: Undisturbed,
    tmp_path: Path,
) -> None:
    """Whoever comes second is refused, or finds the run finished."""
    workspace, out = place("workspace"), tmp_path / "picks.jsonl"
    line = (*by_rule.line, "--workspace", workspace, "--out", out)
    processes = [localsel.start(*line) for _ in range(3)]
    for process in processes:
        process.communicate()
    codes = sorted(process.returncode for process in processes)
    assert codes[0] == 0 and set(codes) <= {0, USAGE}
    with closing(Store(workspace)) as store:
        (run,) = store.runs()
    assert text_of(out, run["run"]) == calm_rule.text
    assert not twice(asked(workspace, run["run"]))
