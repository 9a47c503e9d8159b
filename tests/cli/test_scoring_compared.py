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
    for done in (unanswered, untunable):
        assert not [event for event in done.lines if event["event"] == "answer"]


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
