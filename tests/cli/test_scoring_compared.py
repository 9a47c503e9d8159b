"""`compare --baseline NAME` for methods that score rows with a model → results, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_scoring import BUDGET, FOLDER, ROWS, RULE, Run, row, write
from tests.conftest import Command, Done


@pytest.fixture
def compared(localsel: Command, tmp_path: Path) -> Run:
    """A comparison on made-up answered rows."""
    pool = write(tmp_path / "pool.jsonl", [row(number) for number in range(ROWS)])

    def compare(*options: object, model: object = RULE[1], data: Path = pool) -> Done:
        at = ("--workspace", tmp_path / "compared", "--threads", 1, "--display", "json")
        return localsel("compare", data, "--budget", BUDGET, "--model", model, *at, *options)

    return compare


def test_several_are_compared_with_a_selector(compared: Run) -> None:
    names = ("ifd", "alpagasus", "deita")
    done = compared(*(word for name in names for word in ("--baseline", name)))
    assert done.code == 0, done.stderr
    found = done.lines[-1]["comparison"]
    assert {each["name"] for each in found["baselines"]} >= {*names}
    assert [each["name"] for each in found["selectors"]] == ["random:1"]


def test_a_baseline_that_cannot_be_is_refused_before_a_selector_is_asked(
    compared: Run, tmp_path: Path
) -> None:
    bare = [{"instruction": row(number)["instruction"]} for number in range(ROWS)]
    pool = write(tmp_path / "bare.jsonl", bare)
    unanswered = compared("--baseline", "ifd", data=pool)
    file = FOLDER / "nano-llama.gguf"
    untunable = compared("--baseline", "mods", model=file)
    assert unanswered.code == untunable.code == 2
    assert "bare.jsonl has no column of responses" in unanswered.stderr
    assert "fine-tunes its model" in untunable.stderr and file.name in untunable.stderr
    unrated = compared("--baseline", "mods", "--quality-model", "nowhere")
    assert unrated.code != 0 and "nowhere" in unrated.stderr
    for done in (unanswered, untunable, unrated):
        assert not [event for event in done.lines if event["event"] == "answer"]
    # What a dry run lets through is let through.
    assert compared("--baseline", "ifd", "--dry-run", data=pool).stderr == unanswered.stderr
    assert compared("--baseline", "mods", "--dry-run", model=file).stderr == untunable.stderr


def test_rows_with_responses_are_counted_among_those_that_can_be_picked(
    compared: Run, tmp_path: Path
) -> None:
    """A baseline picks as many rows as the selectors did, and of those that are open to them."""
    rows = [row(number) | ({"response": ""} if number > 8 else {}) for number in range(ROWS)]
    pool = write(tmp_path / "some.jsonl", rows)
    line = ("--baseline", "ifd", "--max-fallback", "100%")
    few = compared(*line, "--budget", 12, "--queries", 2, data=pool)
    assert few.code == 0, few.stderr
    assert not few.lines[-1]["comparison"]["failed"]
    some = write(tmp_path / "given.jsonl", rows[:4])
    closed = compared(*line, "--given", some, "--budget", 8, data=pool)
    assert closed.code == 2
    assert "Only 5 rows of" in closed.stderr and "fewer than the 8 that" in closed.stderr
    held = write(tmp_path / "held.jsonl", rows[10:14])
    included = compared(*line, "--include", held, "--budget", 12, data=pool)
    assert included.code == 0, included.stderr


def test_what_tunes_is_drawn_once_unless_a_number_is_typed(compared: Run) -> None:
    quick = ("--tune-epochs", 1, "--tune-rows", 2, "--new-tokens", 2)
    line = ("--baseline", "mods", "--quality-above", -9, *quick)
    for typed, expected in (((), 1), (("--seeds", 3), 3)):
        done = compared(*line, *typed)
        assert done.code == 0, done.stderr
        found = {each["name"]: each for each in done.lines[-1]["comparison"]["baselines"]}
        assert len(found["mods"]["runs"]) == expected


def test_a_baseline_that_fails_leaves_the_selectors_their_results(compared: Run) -> None:
    done = compared("--baseline", "alpagasus", "--threshold", 5)
    assert done.code == 4
    found = done.lines[-1]["comparison"]
    (failed,) = found["failed"]
    assert failed["name"] == "alpagasus"
    assert "--threshold 5 leaves 0 rows, fewer than the budget" in failed["error"]
    (selector,) = found["selectors"]
    assert selector["name"] == "random:1" and selector["state"] == "finished"
    assert "random" in {each["name"] for each in found["baselines"]}
