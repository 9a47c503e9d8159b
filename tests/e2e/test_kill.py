"""A run that is killed and started again → the selection of one that never was; nothing asked
twice.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Command, events_of
from tests.e2e.disturbing import Runs, answered, asked, new_answers, run_of, text_of, write_pool

ROWS = 1600
COMMITTED = 1024
"""Vectors are kept every so many texts; the first start is killed when that many are."""


@pytest.fixture(scope="module")
def large_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short texts, all distinct: quick to embed, and more than are kept at once."""
    return write_pool(tmp_path_factory.mktemp("pool") / "pool.jsonl", ROWS)


def test_killed_three_times_it_selects_the_same_and_asks_nothing_twice(
    localsel: Command, large_pool: Path, selector: Path, tmp_path: Path
) -> None:
    options = ("--budget", 20, "--query-size", 40, "--near-duplicates", "off", "--threads", 1)
    runs = Runs(localsel, large_pool, *options, "--model", selector)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    undisturbed = runs.whole(calm, "--out", tmp_path / "calm.jsonl")

    embedding = runs.killed(
        rough, lambda event: event["stage"] == "embed" and event["done"] >= COMMITTED
    )
    assert {event["stage"] for event in embedding} == {"load", "embed"}
    third = runs.killed(rough, answered(1 / 3))
    two_thirds = runs.killed(rough, answered(2 / 3))
    last = runs.whole(rough, "--out", tmp_path / "rough.jsonl")

    run, _ = run_of(last)
    starts = (embedding, third, two_thirds, last)
    states = ("new", "resumed", "resumed", "resumed")
    assert [run_of(events) for events in starts] == [(run, state) for state in states]

    (embedded,) = (event for event in third if event["stage"] == "embed" and "cached" in event)
    assert COMMITTED <= embedded["cached"] < ROWS
    assert not [event for event in two_thirds if event["stage"] == "embed"]

    by_model = new_answers(undisturbed)
    log = asked(rough, run)
    assert Counter(log) == Counter(by_model)
    assert max(Counter(log).values()) == 1
    seen = Counter(answer for events in starts for answer in new_answers(events))
    assert max(seen.values()) == 1
    assert all(new_answers(events) for events in (third, two_thirds, last))

    calm_id, _ = run_of(undisturbed)
    assert calm_id != run
    assert text_of(tmp_path / "rough.jsonl", run) == text_of(tmp_path / "calm.jsonl", calm_id)


@pytest.fixture
def runs(localsel: Command, example_pool: Path, tmp_path: Path) -> Runs:
    """A small run that needs no weights, of a copy of the example pool."""
    data = Path(shutil.copy(example_pool, tmp_path / "pool.jsonl"))
    return Runs(localsel, data, "--budget", 12, "--model", "random:3")


def test_the_same_settings_select_the_same_in_any_workspace(
    runs: Runs, embedded: Path, tmp_path: Path
) -> None:
    texts = []
    for name in ("one", "two"):
        workspace, out = shutil.copytree(embedded, tmp_path / name), tmp_path / f"{name}.jsonl"
        run, state = run_of(runs.whole(Path(workspace), "--out", out))
        assert state == "new"
        texts.append(text_of(out, run))
    assert texts[0] == texts[1]


def test_a_finished_run_is_reported_and_written_again_and_nothing_asked(
    runs: Runs, workspace: Path, tmp_path: Path
) -> None:
    out = tmp_path / "picks.jsonl"
    first = runs.whole(workspace, "--out", out)
    before = out.read_text(encoding="utf-8")
    out.write_text("something else")
    again = runs.whole(workspace, "--out", out)
    assert run_of(again) == (run_of(first)[0], "finished")
    assert not [event for event in again if event["event"] == "answer"]
    assert out.read_text(encoding="utf-8") == before
    assert again[-1]["record"]["picked"] == 12


def test_resume_never_is_a_new_run_with_the_same_picks(
    runs: Runs, workspace: Path, tmp_path: Path
) -> None:
    texts, names = [], []
    for place in range(2):
        out = tmp_path / f"{place}.jsonl"
        name, state = run_of(runs.whole(workspace, "--resume", "never", "--out", out))
        assert state == "new"
        names.append(name)
        texts.append(text_of(out, name))
    assert names[0] != names[1]
    assert texts[0] == texts[1]


def test_resume_always_goes_on_or_says_what_changed(runs: Runs, workspace: Path) -> None:
    killed, _ = run_of(runs.killed(workspace, answered(0.4)))
    where = ("--workspace", workspace, "--resume", "always")
    changed = runs.localsel(*runs.line, *where, "--seed", 1, "--orders", 3)
    assert (changed.code, changed.stdout) == (2, "")
    said = f"Run {killed} cannot be resumed: changed since then: orders, seed."
    assert changed.complaint == f"localsel: {said}"
    assert run_of(runs.whole(workspace, "--resume", "always")) == (killed, "resumed")
    over = runs.localsel(*runs.line, *where)
    assert over.code == 2
    assert "There is no unfinished run of" in over.complaint


def test_a_killed_run_is_listed_as_interrupted(runs: Runs, workspace: Path) -> None:
    run, _ = run_of(runs.killed(workspace, answered(0.5)))
    (found,) = runs.localsel("runs", "--json", "--workspace", workspace).document
    assert (found["id"], found["state"]) == (run, "interrupted")
    record = runs.localsel("show", run, "--json", "--workspace", workspace).document
    assert record["picked"] == 0
    assert record["answers"] >= record["queries"] // 2


def test_a_second_process_on_the_same_run_is_refused(
    localsel: Command, example_pool: Path, selector: Path, workspace: Path
) -> None:
    # A model that takes its time, so that the first process can be held in the middle.
    runs = Runs(localsel, example_pool, "--budget", 12, "--model", selector)
    with localsel.start(*runs.line, "--workspace", workspace) as first:
        held = False
        for event in events_of(first):
            if event["event"] == "answer" and not held:
                os.kill(first.pid, signal.SIGSTOP)
                second = localsel(*runs.line, "--workspace", workspace)
                refused = localsel("rm", "last", "--yes", "--workspace", workspace)
                os.kill(first.pid, signal.SIGCONT)
                held = True
    assert first.returncode == 0
    sentence = f"Another process is working on run {event['run']}. Wait for it, or end it with"
    assert second.code == 2
    assert second.complaint.startswith(f"localsel: {sentence} `localsel stop")
    assert (refused.code, refused.complaint) == (
        2,
        f"localsel: Run {event['run']} is running. Stop it first.",
    )


def test_the_original_file_may_go(runs: Runs, workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.jsonl"
    run, _ = run_of(runs.whole(workspace, "--out", out))
    (tmp_path / "pool.jsonl").unlink()
    where = ("--workspace", workspace)
    assert runs.localsel("show", run, *where).code == 0
    again = tmp_path / "again.jsonl"
    assert runs.localsel("export", run, "--out", again, *where).code == 0
    assert again.read_bytes() == out.read_bytes()
    shown = runs.localsel("prompts", "show", "--run", run, "--query", 0, "--json", *where)
    assert shown.code == 0
