"""`run --dry-run` → what would be asked, measured on three questions; nothing is kept of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from localsel.store import Store
from tests.cli.conftest import Choose
from tests.conftest import Command


def test_it_foretells_what_the_run_does(
    choose: Choose, localsel: Command, workspace: Path, selector: Path
) -> None:
    options = ("--orders", 2, "--json")
    plan = choose(*options, "--dry-run", model=selector, budget=20).document
    at = ("--workspace", workspace)
    assert localsel("runs", "--json", *at).document == []
    record = choose(*options, model=selector, budget=20).document
    for name in ("clusters", "queries", "near_duplicates", "budget"):
        assert plan[name] == record[name]
    assert plan["candidates_shown"] == 485 - record["duplicates"] - record["near_duplicates"]
    assert plan["timed_queries"] == 3
    # The finals' candidates are taken to be as long as all others.
    assert plan["prompt_tokens"] == pytest.approx(record["prompt_tokens"], rel=0.1)
    assert plan["choose_seconds"] > 0
    assert plan["peak_memory"] > 2**20
    assert plan["longest_prompt"] < plan["context"]


def test_it_keeps_no_pool_and_no_plan_unless_a_run_has_them(
    choose: Choose, workspace: Path
) -> None:
    def kept() -> tuple[int, int, int]:
        with closing(Store(workspace)) as store:
            tables = ("pools", "plans", "instructions")
            counts = [store._one(f"SELECT count(*) FROM {table}") for table in tables]
        return tuple(int(count[0]) for count in counts if count)  # type: ignore[return-value]

    assert choose("--dry-run").code == 0
    assert kept() == (0, 0, 0)
    assert choose().code == 0
    before = kept()
    assert choose("--dry-run").code == 0
    assert kept() == before == (1, 1, 485)


def test_people_get_a_table_and_a_time(choose: Choose, selector: Path, tmp_path: Path) -> None:
    out = tmp_path / "picks.jsonl"
    done = choose("--dry-run", "--out", out, model=selector, budget=20)
    assert done.code == 0, done.stderr
    assert "prompt tokens" in done.stdout
    assert "choosing takes about" in done.stdout
    assert not out.exists()


def test_a_method_that_is_soon_over_has_nothing_to_time(choose: Choose) -> None:
    plan = choose("--method", "random", "--dry-run", "--json").document
    assert plan["open_rows"] == 481
    assert not {"prompt_tokens", "choose_seconds"} & set(plan)


@pytest.mark.parametrize("method", ["rouge", "cbs"])
def test_a_method_that_measures_every_row_is_timed(choose: Choose, method: str) -> None:
    plan = choose("--method", method, "--dry-run", "--json").document
    assert plan["choose_seconds"] >= 0
    assert "prompt_tokens" not in plan
    assert "choosing takes about" in choose("--method", method, "--dry-run").stdout


def test_what_the_run_would_refuse_is_refused(choose: Choose) -> None:
    done = choose("--dry-run", budget=4000)
    assert done.code == 2
    assert "Choose a smaller --budget." in done.complaint


def test_rehearsals_and_a_run_of_one_file_go_side_by_side(
    localsel: Command, example_pool: Path, workspace: Path
) -> None:
    line = ("run", example_pool, "--budget", 5, "--model", "first", "--workspace", workspace)
    plans = [localsel.start(*line, "--dry-run", "--json") for _ in range(3)]
    run = localsel.start(*line, "--json")
    for process in (*plans, run):
        process.communicate(timeout=300)
    assert [process.returncode for process in (*plans, run)] == [0, 0, 0, 0]
