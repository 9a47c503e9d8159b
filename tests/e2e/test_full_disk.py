"""The disk becomes full → one sentence; with room again, the undisturbed selection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Command, Done
from tests.e2e.conftest import Undisturbed
from tests.e2e.disks import disk
from tests.e2e.disturbing import Runs, asked, new_answers, run_of, text_of, twice

FAILED, USAGE = 1, 2
ROOM = "Make room there, and give the same command again: what was done is kept."


def the_sentence(done: Done, code: int) -> str:
    """What was said, and nothing of a kind that nobody wrote."""
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("localsel: ")]
    return said


@pytest.mark.parametrize(
    ("name", "embedded", "size", "stage"),
    [
        ("before the first table is made", False, 40_000, None),
        ("while the pool is loaded", True, 60_000, "load"),
        ("while vectors are kept", False, 700_000, "embed"),
        ("while questions are answered", True, 700_000, "choose"),
    ],
)
def test_a_full_disk_is_one_sentence_and_with_room_it_goes_on(
    by_rule: Runs,
    short_embedded: Path,
    calm_rule: Undisturbed,
    tmp_path: Path,
    name: str,
    embedded: bool,
    size: int,
    stage: str | None,
) -> None:
    with disk(by_rule.localsel, tmp_path / "disk", short_embedded if embedded else None) as small:
        small.leave(size)
        where = ("--workspace", small.folder / "workspace", "--out", tmp_path / "picks.jsonl")
        full = small.localsel(*by_rule.line, *where)
        said = the_sentence(full, FAILED)
        assert str(small.folder / "workspace") in said and said.endswith(ROOM)
        assert (full.lines[-1]["stage"] if full.lines else None) == stage
        again = small.localsel(*by_rule.line, *where)
        assert (again.code, again.complaint) == (FAILED, said)

        small.grow()
        runs = Runs(small.localsel, *by_rule.line[1:-2])
        last = runs.whole(small.folder / "workspace", *where[2:])
        run, _ = run_of(last)
        assert text_of(tmp_path / "picks.jsonl", run) == calm_rule.text
        (found,) = small.localsel("runs", "--json", *where[:2]).document
        assert (found["id"], found["state"]) == (run, "finished")
        questions = asked(small.copy(tmp_path / "seen"), run)
        assert not twice(questions) and sorted(questions) == calm_rule.questions
        seen = [*new_answers(full.lines), *new_answers(again.lines), *new_answers(last)]
        assert sorted(seen) == calm_rule.questions
        assert not list((small.outside / "workspace").rglob("*.partial"))
        assert len(list((small.outside / "workspace" / "vectors").iterdir())) == 1


def test_a_full_disk_under_the_picks_is_one_sentence(
    by_rule: Runs, place: Callable[[str], Path], calm_rule: Undisturbed, tmp_path: Path
) -> None:
    workspace = place("workspace")
    with disk(by_rule.localsel, tmp_path / "disk") as small:
        out = small.folder / "picks.jsonl"
        (small.outside / "picks.jsonl").write_text("of an earlier run")
        small.leave(8192)
        line = (*by_rule.line, "--workspace", workspace, "--out", out)
        full = small.localsel(*line)
        assert str(out) in the_sentence(full, USAGE)
        assert full.lines[-1]["stage"] == "export"
        assert (small.outside / "picks.jsonl").read_text() == "of an earlier run"
        assert [path.name for path in small.outside.iterdir()] == ["picks.jsonl"]

        small.grow()
        again = small.localsel(*line)
        assert (again.code, new_answers(again.lines)) == (0, [])
        run, state = run_of(again.lines)
        assert state == "resumed"
        assert text_of(small.outside / "picks.jsonl", run) == calm_rule.text


def test_a_run_on_a_full_disk_can_be_looked_at(
    localsel: Command, by_rule: Runs, place: Callable[[str], Path], tmp_path: Path
) -> None:
    workspace = place("workspace")
    run, _ = run_of(by_rule.whole(workspace))
    with disk(localsel, tmp_path / "disk", workspace) as small:
        small.leave(4096)
        where = ("--workspace", small.folder / "workspace")
        assert small.localsel("show", run, "--json", *where).document["picked"] == 100
        assert small.localsel("export", run, "--out", tmp_path / "p.jsonl", *where).code == 0
        for refused in (("rm", run, "--yes"), ("run", *by_rule.line[1:])):
            assert ROOM in the_sentence(small.localsel(*refused, *where), FAILED)
