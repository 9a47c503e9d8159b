"""What was filled in, or a stored run → the command line that does it."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from localsel.errors import UsageError
from localsel.store import Store
from localsel.tui.commands import Form, line_of, parted, resumed, shown
from tests.conftest import Command


def test_one_model_is_a_run_and_several_a_comparison() -> None:
    one = Form("a.jsonl", ("x",), values={"budget": " 40 ", "orders": ""})
    assert line_of(one) == ("run", "--budget=40", "--model=x", "--", "a.jsonl")
    two = Form("a.jsonl", ("x", "y"), values={"budget": "40"})
    assert line_of(two)[:1] == ("compare",)
    beside = Form("a.jsonl", ("x",), ("length",), {"budget": "40"})
    assert line_of(beside)[-3:] == ("--baseline=length", "--", "a.jsonl")


def test_a_method_without_questions_has_no_model() -> None:
    form = Form("a.jsonl", ("x", "y"), values={"method": "random"}, needs_model=False)
    assert line_of(form) == ("run", "--method=random", "--", "a.jsonl")


def test_a_method_without_a_plan_works_with_one_model() -> None:
    one = Form("a.jsonl", ("x",), ("length",), {"method": "ifd"}, asks_queries=False)
    assert line_of(one) == ("run", "--method=ifd", "--model=x", "--", "a.jsonl")
    two = replace(one, models=("x", "y"))
    assert two.has_too_many and not two.compares
    assert line_of(two) == ()


def test_what_is_on_or_off_is_a_flag_alone() -> None:
    form = Form("a.jsonl", ("x",), values={"pre_experience": "on"}, asks_queries=False)
    assert line_of(form) == ("run", "--pre-experience", "--model=x", "--", "a.jsonl")


def test_several_files_are_typed_as_in_a_shell() -> None:
    assert parted("ban", "a.txt 'b c.txt'") == ("a.txt", "b c.txt")
    assert parted("criteria", "it's mine") == ("it's mine",)
    with pytest.raises(UsageError, match="no partner"):
        parted("ban", "it's")


def test_the_line_is_shown_as_a_shell_takes_it() -> None:
    line = ("run", "--criteria=hard ones", "--", "my data.jsonl")
    assert shown(line) == "localsel run 'my data.jsonl' '--criteria=hard ones'"


SETTINGS = (
    *("--budget", 12, "--orders", 2, "--clusters", 9, "--near-duplicates", "off", "--seed", 7),
    *("--criteria", "what is 'hard', and rare", "--trim", "5%", "--grouping", "diverse"),
    *("--map", "instruction=instruction,input=input"),
)


def test_a_stored_run_goes_on_by_its_line(
    tmp_path: Path, blocker: Path, embedded: Path, example_pool: Path
) -> None:
    """The line has the run's fingerprint: nothing is asked again, and there is no second run."""
    workspace = Path(shutil.copytree(embedded, tmp_path / "workspace"))
    localsel = Command(tmp_path, blocker)
    banned = tmp_path / "no more.txt"
    banned.write_text("3\n5\n")
    own = (*SETTINGS, "--ban", banned, "--model", "first", "--workspace", workspace)
    assert localsel("run", example_pool, *own, "--display", "none").code == 0
    # What a file beside the data says later does not change what the run was.
    data = Path(shutil.copy(example_pool, tmp_path))
    assert data.name == example_pool.name
    with closing(Store(workspace)) as store:
        (run,) = store.runs()
        there = {**run, "settings": {**run["settings"], "data": str(data)}}
    (tmp_path / "localsel.toml").write_text("query-size = 9\ntemperature = 0.5\n")
    line = resumed(there)
    again = localsel(line[0], "--workspace", workspace, "--display", "json", *line[1:])
    assert again.code == 0, again.stderr
    with closing(Store(workspace)) as store:
        assert [each["fingerprint"] for each in store.runs()] == [run["fingerprint"]]


def test_a_compared_run_goes_on_by_its_comparison(
    workspace: Path, tmp_path: Path, blocker: Path
) -> None:
    with closing(Store(workspace)) as store:
        runs = store.runs()
        compared = next(run for run in runs if run["facts"]["sharing"]["command"])
    line = resumed(compared)
    assert line[0] == "compare"
    assert not any(word.startswith(("--workspace", "--display")) for word in line)
    done = Command(tmp_path, blocker)(
        line[0], "--workspace", workspace, "--display", "json", *line[1:]
    )
    assert done.code == 0, done.stderr
    with closing(Store(workspace)) as store:
        assert {run["run"] for run in store.runs()} == {run["run"] for run in runs}
