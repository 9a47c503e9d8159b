"""Stored runs → which stand together on the first screen, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localsel.tui.following import Job, Told
from localsel.tui.listing import Listing, groups

COMMAND = "localsel compare pool.jsonl --model a --model b"


def run(name: str, at: float, selector: str = "", command: str = "", **more: Any) -> dict[str, Any]:
    """A run as the store has it, that took a second."""
    return {
        "run": name,
        "pool": "p",
        "created": at,
        "updated": at + 1,
        "settings": {
            "method": "selectllm" if selector else "random",
            "budget": 40,
            "data": "/data/pool.jsonl",
        },
        "facts": {
            "selector": {"name": selector} if selector else None,
            "sharing": {"command": command},
        },
    } | more


COMPARED = [
    run("random", 104, command=COMMAND),
    run("b", 102, "b", COMMAND),
    run("a", 100, "a", COMMAND),
]


def names(runs: list[dict[str, Any]]) -> list[list[str]]:
    return [[each["run"] for each in group] for group in groups(runs)]


def test_a_comparison_is_its_selectors_and_its_baselines() -> None:
    assert names(COMPARED) == [["a", "b", "random"]]


@pytest.mark.parametrize(
    "other",
    [
        run("c", 110, "c"),
        run("c", 110, "c", "localsel compare pool.jsonl --model c --model d"),
        # The same command, from the beginning.
        run("c", 110, "a", COMMAND),
        # Somebody asked for a random selection, right after it.
        run("c", 106),
        run("c", 110, pool="other"),
    ],
)
def test_other_runs_stand_alone_and_newest_first(other: dict[str, Any]) -> None:
    assert names([other, *COMPARED]) == [["c"], ["a", "b", "random"]]


def test_a_comparison_shows_its_selectors_and_holds_all_its_runs() -> None:
    states = {"a": "finished", "b": "interrupted", "random": "finished"}
    listing = Listing(COMPARED, states, {"a": 40, "random": 40}, [])
    entry = listing.entries["compare:a"]
    assert (entry.runs, entry.members) == (("a", "b"), ("a", "b", "random"))
    # As bad as the worst of them, and as far as the least.
    assert listing.lines[0].cells[1:5:3] == ("□ interrupted", "0/40")
    assert [line.cells[0] for line in listing.lines] == ["compare", "├ a", "├ b", "└ random"]
    assert not listing.entries["run:random"].asks


def test_a_job_tells_how_far_its_run_is_and_is_a_line_before_it_has_one() -> None:
    told = Told(run="a", stage="choose", done=17, total=50)
    job = Job(Path("one.jsonl"), told={("a", "a"): told})
    planning = Job(Path("two.jsonl"), ("run", "--budget=3", "--", "/d/new.jsonl"))
    dead = Job(Path("three.jsonl"), ("run", "--", "/d/old.jsonl"), alive=False)
    listing = Listing([run("a", 100, "a")], {"a": "running"}, {}, [job, planning, dead])
    assert [line.cells[1] for line in listing.lines] == ["▶ load", "▶ choose 34%"]
    assert listing.lines[0].cells[0] == "run" and listing.lines[0].cells[-1] == "new.jsonl"
    assert listing.entries["job:two.jsonl"].runs == ()


def test_a_comparison_of_which_every_run_has_failed_says_so() -> None:
    runs = [run("b", 102, "b", COMMAND), run("a", 100, "a", COMMAND)]
    listing = Listing(runs, {"a": "failed", "b": "failed"}, {}, ())
    assert listing.entries["compare:a"].state == "failed"
    assert listing.lines[0].tone == "bad"
