"""`runs export` and `runs import` → the same run on another machine, or one sentence."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command, Finished


@pytest.fixture
def carried(localsel: Command, finished: Finished, tmp_path: Path) -> Path:
    file = tmp_path / "run.localsel"
    done = localsel("runs", "export", finished.id, file, "--workspace", finished.workspace)
    assert done.code == 0, done.stderr
    return file


def test_an_imported_run_shows_and_exports_alike(
    localsel: Command, finished: Finished, carried: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    done = localsel("runs", "import", carried, "--workspace", there)
    assert done.code == 0, done.stderr
    assert done.stdout.strip() == finished.id
    for line in (("show", "last", "--json"), ("runs", "--json")):
        here = localsel(*line, "--workspace", finished.workspace).document
        assert localsel(*line, "--workspace", there).document == here
    out = tmp_path / "picks.jsonl"
    assert localsel("export", "last", "--out", out, "--workspace", there).code == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == finished.picks


def test_the_same_run_is_the_same_file_wherever_it_is_exported(
    localsel: Command, carried: Path, tmp_path: Path
) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    assert localsel("runs", "import", carried, "--workspace", there).code == 0
    assert localsel("runs", "export", "last", back, "--workspace", there).code == 0
    assert back.read_bytes() == carried.read_bytes()


def test_an_unfinished_run_goes_on_elsewhere(
    localsel: Command, example_pool: Path, workspace: Path, tmp_path: Path
) -> None:
    line = ("run", example_pool, "--budget", 5, "--model", "first")
    first = localsel(*line, "--workspace", workspace, "--json").document
    file, there = tmp_path / "run", shutil.copytree(workspace, tmp_path / "there")
    assert localsel("rm", "last", "--yes", "--workspace", there).code == 0
    assert localsel("runs", "export", "last", file, "--workspace", workspace).code == 0
    cut = [each for each in lines_of(file) if each.get("table") != "picks"]
    run = next(each for each in cut if each.get("table") == "runs")
    run["state"] = "running"
    write(file, cut)
    assert localsel("runs", "import", file, "--workspace", there).code == 0
    assert localsel("runs", "--json", "--workspace", there).document[0]["state"] == "interrupted"
    again = localsel(*line, "--workspace", there, "--json")
    assert f"Going on with run {first['id']}." in again.stderr
    assert again.document["picked"] == 5
    assert again.document["answers"] == first["answers"]


def test_an_imported_pool_does_not_stand_for_the_file(
    localsel: Command, carried: Path, example_pool: Path, tmp_path: Path
) -> None:
    lines = lines_of(carried)
    for line in lines:
        if line.get("table") == "instructions":
            line["instruction"] = f"Poisoned {line['row']}."
    write(carried, lines)
    there = ("--workspace", tmp_path / "there")
    assert localsel("runs", "import", carried, *there).code == 0
    out = tmp_path / "picks.jsonl"
    run = ("run", example_pool, "--budget", 5, "--method", "random", "--out", out)
    assert localsel(*run, *there).code == 0
    assert "Poisoned" not in out.read_text()


def lines_of(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write(file: Path, lines: list[dict[str, Any]]) -> None:
    with gzip.open(file, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)


def change(table: str, /, **values: object) -> Any:
    """A line of `table` with other values; None takes the column away."""

    def changed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        line = next(each for each in lines if each.get("table") == table)
        line.update(values)
        for name in [name for name, value in values.items() if value is None]:
            del line[name]
        return lines

    return changed


def run_of(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each for each in lines if each.get("table") == "runs")


def spoil_json(column: str, **values: object) -> Any:
    """The run's settings or facts with other values in them."""

    def spoilt(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        run_of(lines)[column] = json.dumps(json.loads(run_of(lines)[column]) | values)
        return lines

    return spoilt


BREAK = {
    "no first line": (lambda lines: lines[1:], "its first line does not say so"),
    "another format": (lambda lines: [lines[0] | {"format": 99}, *lines[1:]], "it has format 99"),
    "no run": (lambda lines: [x for x in lines if x.get("table") != "runs"], "it holds no run"),
    "no pool": (lambda lines: [x for x in lines if x.get("table") != "pools"], "sound run"),
    "a strange table": (change("picks", table="sqlite_master"), "there is no table"),
    "a column too few": (change("picks", rank=None), "the columns of picks are"),
    "a list for a value": (change("picks", rank=[1]), "this is not a row of picks"),
    "a path for a name": (change("runs", run="../../x"), "not a row of runs"),
    "two runs": (lambda lines: [*lines, run_of(lines) | {"run": "0" * 8}], "more than one run"),
    "a row of another run": (change("picks", run="0" * 8), "belongs to another run"),
    "a row twice": (lambda lines: [*lines, lines[-1]], "a row is in it twice"),
    "a state that is none": (change("runs", state="\x1b]0;pwned\x07"), "not a row of runs"),
    "a time that is text": (change("runs", created="today"), "not a row of runs"),
    "a time without end": (change("runs", created=1e300), "not a row of runs"),
    "a number too large": (change("picks", rank=10**30), "not a row of picks"),
    "settings that are no JSON": (change("runs", settings="{"), "sound run"),
    "settings without a budget": (change("runs", settings="{}"), "its settings lack"),
    "settings of another type": (spoil_json("settings", data=5), "expected a path"),
    "a selector of another type": (spoil_json("facts", selector="x"), "$.selector"),
    "seconds of another type": (spoil_json("facts", seconds_by_stage={"load": "x"}), "$.seconds"),
    "a pick too few": (lambda lines: [x for x in lines if x.get("rank") != 3], "19 picks"),
    "a pick of no row": (change("picks", row=9999), "sound run"),
    "an answer that is no list": (change("answers", shown="7"), "sound run"),
    "not an object": (lambda lines: [lines[0], *lines[1:3], 5], "line 4 is not an object"),
}


@pytest.mark.parametrize("name", BREAK)
def test_a_broken_file_is_refused_and_nothing_of_it_kept(
    localsel: Command, carried: Path, tmp_path: Path, name: str
) -> None:
    spoil, complaint = BREAK[name]
    write(carried, spoil(lines_of(carried)))
    done = localsel("runs", "import", carried, "--workspace", tmp_path / "there")
    assert done.code == 2, done.stderr
    assert complaint in done.complaint
    assert str(carried) in done.complaint
    assert localsel("runs", "--json", "--workspace", tmp_path / "there").document == []


@pytest.mark.parametrize("tuned", ["..", "../..", "{kept}"])
def test_what_a_stranger_says_of_a_folder_is_not_removed(
    localsel: Command, carried: Path, tmp_path: Path, tuned: str
) -> None:
    """A run names no folder: what is removed with it goes by its id."""
    kept, there = tmp_path / "kept", tmp_path / "there"
    (kept / "tuned").mkdir(parents=True)
    write(carried, spoil_json("facts", tuned=tuned.format(kept=kept))(lines_of(carried)))
    assert localsel("runs", "import", carried, "--workspace", there).code == 0
    (there / "tuned").mkdir()
    assert localsel("rm", "last", "--yes", "--workspace", there).code == 0
    assert (kept / "tuned").is_dir() and (there / "tuned").is_dir() and carried.is_file()
    assert localsel("runs", "--json", "--workspace", there).document == []


def test_a_file_that_was_cut_off_or_is_something_else_is_refused(
    localsel: Command, carried: Path, example_pool: Path, tmp_path: Path
) -> None:
    carried.write_bytes(carried.read_bytes()[:2000])
    at = ("--workspace", tmp_path / "there")
    for file in (carried, example_pool, tmp_path / "nothing"):
        done = localsel("runs", "import", file, *at)
        assert done.code == 2
        assert str(file) in done.complaint
        assert "Traceback" not in done.stderr


def test_a_run_that_is_there_is_not_taken_up_again(
    localsel: Command, finished: Finished, carried: Path
) -> None:
    done = localsel("runs", "import", carried, "--workspace", finished.workspace)
    assert done.code == 2
    assert f"Run {finished.id} is in {finished.workspace} already." in done.complaint
