"""A workspace that can only be read → what is in it can be looked at, and nothing slow begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.conftest import Undisturbed
from tests.e2e.disks import read_only
from tests.e2e.disturbing import Runs, answered, new_answers, run_of, text_of

FAILED = 1


@pytest.mark.parametrize("mounted", [True, False], ids=["by its mount", "by its rights"])
def test_what_is_there_is_shown_and_a_run_is_refused_at_once(
    localsel: Command,
    by_rule: Runs,
    place: Callable[[str], Path],
    calm_rule: Undisturbed,
    tmp_path: Path,
    mounted: bool,
) -> None:
    workspace, out = place("workspace"), tmp_path / "picks.jsonl"
    cut, _ = run_of(by_rule.killed(workspace, answered(0.3)))
    finished, _ = run_of(by_rule.whole(workspace))
    assert finished == cut
    where = ("--workspace", workspace)
    with read_only(localsel, workspace, mounted) as reading:
        (found,) = reading("runs", "--json", *where).document
        assert (found["id"], found["state"]) == (finished, "finished")
        assert reading("show", finished, "--json", *where).document["picked"] == 100
        assert reading("export", finished, "--out", out, *where).code == 0
        assert text_of(out, finished) == calm_rule.text
        refused = f"localsel: The workspace {workspace} cannot be written: "
        lines = (
            (*by_rule.line, "--resume", "never"),
            (*by_rule.line, "--dry-run"),
            (*by_rule.line, "--detach"),
            ("rm", finished, "--yes"),
        )
        for line in lines:
            done = reading(*line, *where)
            assert (done.code, done.stdout) == (FAILED, ""), done.stderr
            assert done.stderr.startswith(refused), line
            assert done.stderr.endswith("Choose another with --workspace.\n")
            assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("mounted", [True, False], ids=["by its mount", "by its rights"])
def test_a_run_that_was_cut_off_is_seen_as_far_as_it_came(
    localsel: Command, by_rule: Runs, place: Callable[[str], Path], mounted: bool
) -> None:
    workspace = place("workspace")
    seen = by_rule.killed(workspace, answered(0.5))
    cut, _ = run_of(seen)
    assert (workspace / "localsel.db-wal").stat().st_size
    with read_only(localsel, workspace, mounted) as reading:
        shown = reading("show", cut, "--json", "--workspace", workspace)
        assert shown.code == 0, shown.stderr
        assert shown.document["state"] == "interrupted"
        assert shown.document["answers"] >= len(new_answers(seen)) > 0
