"""`run --method NAME` for methods that ask no model → picks, from vectors that are kept."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from localsel.methods import METHODS
from tests.cli.conftest import Choose, read_lines
from tests.conftest import Command, events_of

WORDS = [f"word{number}" for number in range(300)]
BASELINES = [name for name in METHODS.places if not METHODS.load(name).needs_backend]
BY_VECTORS = [name for name in BASELINES if METHODS.load(name).needs_vectors]


@pytest.fixture
def small(localsel: Command, example_pool: Path, tmp_path: Path) -> Callable[..., Any]:
    """A run on the first 60 rows in a workspace of its own, where nothing is embedded yet."""
    pool = tmp_path / "small.jsonl"
    lines = example_pool.read_text(encoding="utf-8").splitlines(keepends=True)
    pool.write_text("".join(lines[:60]), encoding="utf-8")

    def run(*options: object, command: Any = localsel) -> Any:
        at = ("--workspace", tmp_path / "small", "--threads", 1)
        return command("run", pool, "--budget", 9, *at, *options)

    return run


def embedding(events: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """What was kept and what was done of embedding, as its events tell."""
    told = [each for each in events if each["stage"] == "embed" and each["event"] == "progress"]
    return [(each.get("cached", -1), each["done"]) for each in told]


@pytest.mark.parametrize("name", BASELINES)
def test_each_selects_from_end_to_end_and_again_from_what_is_kept(
    small: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    outs = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    line = ("--method", name, "--display", "json", "--resume", "never")
    first, second = (small(*line, "--out", out) for out in outs)
    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    stages = {event["stage"] for event in first.lines}
    uses = {"embed"} if name in BY_VECTORS else set()
    assert stages == {"load", "choose", "export"} | uses
    if uses:
        assert embedding(first.lines)[0] == (0, 0)
        assert embedding(first.lines)[-1][1] == 60
        assert embedding(second.lines) == [(60, 60)]
    chosen = [[pick["_localsel"]["row"] for pick in read_lines(out)] for out in outs]
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0])) == 9
    record = first.lines[-1]["record"]
    assert record["chosen_by"] == {"method": 9}
    assert (record["selector"], record["clusters"], record["queries"]) == (None, None, 0)


@pytest.mark.parametrize("name", BY_VECTORS)
def test_a_run_killed_while_embedding_goes_on(
    small: Callable[..., Any], localsel: Command, tmp_path: Path, name: str
) -> None:
    line = ("--method", name, "--display", "json")
    with small(*line, command=localsel.start) as process:
        for event in events_of(process):
            if event["stage"] == "embed":
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
    done = small(*line)
    assert done.code == 0, done.stderr
    (begun,) = (event for event in done.lines if event["event"] == "run")
    assert begun["state"] == "resumed"
    assert done.lines[-1]["record"]["picked"] == 9


def test_a_run_stopped_while_it_measures_begins_again_and_chooses_the_same(
    localsel: Command, tmp_path: Path
) -> None:
    pool, outs = tmp_path / "many.jsonl", [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    draw = Random(0)
    rows = tuple({"instruction": " ".join(draw.choices(WORDS, k=12))} for _ in range(6000))
    pool.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    line = ("run", pool, "--budget", 9, "--method", "rouge", "--display", "json")
    stopped = (*line, "--workspace", tmp_path / "stopped", "--out", outs[0])
    with localsel.start(*stopped) as process:
        for event in events_of(process):
            if (event["event"], event["stage"]) == ("progress", "choose"):
                process.send_signal(signal.SIGINT)
                break
        process.communicate()
    # On a busy machine it may be over before the signal comes, or only its process not yet.
    assert process.returncode in (0, 130)
    stood = "finished" if outs[0].exists() else "resumed"
    again = localsel(*stopped)
    assert again.code == 0, again.stderr
    (begun,) = (event for event in again.lines if event["event"] == "run")
    assert begun["state"] == stood
    assert localsel(*line, "--workspace", tmp_path / "whole", "--out", outs[1]).code == 0
    first, second = ([pick["_localsel"]["row"] for pick in read_lines(out)] for out in outs)
    assert first == second


@pytest.mark.parametrize("name", BASELINES)
def test_a_rehearsal_stops_before_the_choice(choose: Choose, name: str) -> None:
    done = choose("--method", name, "--dry-run", "--json")
    assert done.code == 0, done.stderr
    assert done.document["open_rows"] == 481
    assert ("embed" in done.document["seconds_by_stage"]) is (name in BY_VECTORS)


@pytest.mark.parametrize("name", BASELINES)
def test_given_rows_stay_out_and_included_rows_come_first(
    choose: Choose, tmp_path: Path, name: str
) -> None:
    given, include, out = (tmp_path / part for part in ("given.txt", "include.txt", "out.jsonl"))
    given.write_text(" ".join(map(str, range(0, 120, 3))))
    include.write_text("7 1")
    files = ("--given", given, "--include", include, "--out", out)
    done = choose("--method", name, *files, "--json", budget=20)
    assert done.code == 0, done.stderr
    rows = [pick["_localsel"]["row"] for pick in read_lines(out)]
    assert rows[:2] == [1, 7]
    assert len(set(rows)) == 20
    assert not set(rows) & set(range(0, 120, 3))
    assert done.document["chosen_by"] == {"human": 2, "method": 18}


def test_coreset_picks_away_from_included_and_given_rows(choose: Choose, tmp_path: Path) -> None:
    def chosen(*options: object, budget: int) -> list[int]:
        out = tmp_path / "out.jsonl"
        done = choose("--method", "coreset", *options, "--out", out, budget=budget)
        assert done.code == 0, done.stderr
        return [pick["_localsel"]["row"] for pick in read_lines(out)]

    whole = chosen(budget=20)
    file = tmp_path / "first.txt"
    file.write_text(" ".join(map(str, whole[:6])))
    # Farthest first goes on where it stood, whether those before were picked or annotated.
    assert set(chosen("--include", file, budget=20)) == set(whole)
    assert chosen("--given", file, budget=14) == whole[6:]


def test_a_budget_of_included_rows_alone_embeds_nothing(
    small: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "keep.txt"
    file.write_text(" ".join(map(str, range(9))))
    done = small("--method", "coreset", "--include", file, "--display", "json")
    assert done.code == 0, done.stderr
    assert "embed" not in {event["stage"] for event in done.lines}


def test_a_stored_plan_spares_the_vectors(choose: Choose) -> None:
    options = ("--display", "json", "--resume", "never")
    assert choose(*options, model="random:7", budget=20).code == 0
    again = choose(*options, model="random:8", budget=20)
    assert "embed" not in {event["stage"] for event in again.lines}
