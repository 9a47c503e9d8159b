"""`run --method NAME` for methods that score rows with a model → picks, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from localsel.methods import METHODS
from tests.cli.conftest import read_lines
from tests.conftest import CHECKOUT, Command, Done

ROWS, BUDGET = 40, 6
FOLDER = CHECKOUT / "models" / "nano-llama"
QUALITY = CHECKOUT / "models" / "nano-quality"
RULE = ("--model", "random:1")
LINES = {
    **{
        name: ("--method", name)
        for name in METHODS.places
        if METHODS.load(name).needs_backend
        and not METHODS.load(name).needs_plan
        # These differ only in the order of what they measure.
        and name not in ("perplexity-low", "perplexity-mid")
    },
    # Any answer is good enough here: who judges is a toy.
    "mods": ("--method", "mods", "--quality-above", -100, "--tune-rate", "1e-3"),
    "superfiltering": ("--method", "ifd", "--variant", "superfiltering"),
    "pre-experience": (
        *("--method", "ifd", "--pre-experience", "--tune-rows", 8, "--tune-batch", 4),
        *("--tune-rate", "1e-3"),
    ),
}
TUNED = ("mods", "pre-experience")
MANY_STEPS = (*LINES["pre-experience"], "--tune-epochs", 12)
TOPICS = ("rivers", "bread", "law", "ships", "winter", "maps", "birds", "steel", "music", "glass")

Run = Callable[..., Any]


def row(number: int) -> dict[str, str]:
    topic, other = TOPICS[number % 10], TOPICS[(number * 7 + 3) % 10]
    return {
        "instruction": f"Tell me {number + 2} things about {topic} and {other}.",
        "response": f"{topic.title()} came before {other}. " * (number % 4 + 1),
    }


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


@pytest.fixture
def small(localsel: Command, tmp_path: Path) -> Run:
    """A run on made-up answered rows, in a workspace of its own."""
    pool = write(tmp_path / "small.jsonl", [row(number) for number in range(ROWS)])

    def run(*options: object, command: Any = localsel, data: Path = pool) -> Any:
        at = ("--workspace", tmp_path / "small", "--threads", 1)
        model = () if "--model" in options else ("--model", FOLDER, "--backend", "transformers")
        quick = () if "--new-tokens" in options else ("--new-tokens", 8)
        return command("run", data, "--budget", BUDGET, *at, *model, *own(quick, options), *options)

    return run


def own(quick: tuple[object, ...], options: tuple[object, ...]) -> tuple[object, ...]:
    """A limit to what is written, for methods that have one."""
    method = METHODS.load(str(options[options.index("--method") + 1]))
    return quick if "new_tokens" in method.options else ()


@pytest.mark.parametrize("name", [name for name in LINES if name not in ("ifd", *TUNED)])
def test_each_selects_from_end_to_end(small: Run, tmp_path: Path, name: str) -> None:
    picked(small, tmp_path, "picks", *LINES[name])
    if name in ("perplexity-high", "openended"):
        scores = scores_in(tmp_path, "picks")
        assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1] > 0


def test_a_run_killed_among_its_values_measures_the_rest(
    small: Run, localsel: Command, tmp_path: Path
) -> None:
    whole = picked(small, tmp_path, "whole", *LINES["ifd"])
    shutil.rmtree(tmp_path / "small")
    die(small, localsel, "INSERT OR REPLACE INTO scores", 10, *LINES["ifd"])
    known = kept(tmp_path / "small")
    assert 0 < known < 10
    again = picked(small, tmp_path, "again", *LINES["ifd"])
    assert told(again, "run") == ["resumed"]
    assert steps_of(again)[0] == (known, ROWS)
    assert rows_in(tmp_path, "again") == rows_in(tmp_path, "whole")
    assert steps_of(whole)[0] == (0, ROWS)


def test_a_run_killed_while_its_model_learns_goes_on_behind_the_checkpoint(
    small: Run, localsel: Command, tmp_path: Path
) -> None:
    picked(small, tmp_path, "whole", *MANY_STEPS)
    shutil.rmtree(tmp_path / "small")
    die(small, localsel, "training.json", 3, *MANY_STEPS)
    (state,) = tmp_path.glob("small/tuned/*/training.json")
    learnt = json.loads(state.read_text(encoding="utf-8"))
    assert 0 < learnt["done"] < learnt["steps"] == 24
    there = shutil.copytree(tmp_path / "small", tmp_path / "there")
    assert localsel("rm", "last", "--yes", "--workspace", there).code == 0
    assert not list(there.glob("tuned/*"))
    again = picked(small, tmp_path, "again", *MANY_STEPS)
    assert told(again, "run") == ["resumed"]
    since = [event.get("text", "").startswith("Tuning ") for event in again.lines].index(True)
    assert steps_of(again, since)[0] == (learnt["done"] + 1, learnt["steps"])
    assert rows_in(tmp_path, "again") == rows_in(tmp_path, "whole")


def die(small: Run, localsel: Command, what: str, times: int, *line: Any) -> None:
    """A run that kills itself before it does that for this time."""

    def dying(*arguments: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "tests.dying", what, times, *arguments]
        return subprocess.run(
            [*map(str, line)],
            cwd=CHECKOUT,
            env=localsel.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    done = small(*line, command=dying)
    assert done.returncode == -signal.SIGKILL, done.stderr


def kept(workspace: Path) -> int:
    """Values that the workspace has."""
    with closing(sqlite3.connect(workspace / "localsel.db")) as database:
        return int(database.execute("SELECT count(*) FROM scores").fetchone()[0])


def picked(small: Run, tmp_path: Path, name: str, *line: Any, **at: Any) -> Done:
    """A run to its end, and all that is true of every one."""
    done: Done = small(*line, "--display", "json", "--out", tmp_path / f"{name}.jsonl", **at)
    assert done.code == 0, done.stderr
    assert len(set(rows_in(tmp_path, name))) == len(rows_in(tmp_path, name)) == BUDGET
    record = done.lines[-1]["record"]
    assert record["chosen_by"] == {"method": BUDGET}
    assert all(isinstance(score, float) for score in scores_in(tmp_path, name))
    assert record["selector"] is None
    assert record["scorer"]["name"] == ("random:1" if RULE[1] in line else "nano-llama")
    assert record["unscored"] == 0 and record["connections_attempted"] == 0
    assert not list((tmp_path / "small").glob("tuned/*"))
    return done


def rows_in(tmp_path: Path, name: str) -> list[int]:
    return [pick["_localsel"]["row"] for pick in read_lines(tmp_path / f"{name}.jsonl")]


def scores_in(tmp_path: Path, name: str) -> list[float]:
    return [pick["_localsel"]["score"] for pick in read_lines(tmp_path / f"{name}.jsonl")]


def told(done: Done, kind: str) -> list[str]:
    """The states that events of a kind tell."""
    return [event["state"] for event in done.lines if event["event"] == kind]


def steps_of(done: Done, since: int = 0) -> list[tuple[int, int]]:
    """How far the method was, event by event."""
    return [
        (event["done"], event["total"])
        for event in done.lines[since:]
        if event["stage"] == "choose" and event["event"] == "progress"
    ]


def test_a_pool_without_responses_is_refused_by_name(small: Run, tmp_path: Path) -> None:
    bare = write(
        tmp_path / "bare.jsonl", [{"instruction": row(n)["instruction"]} for n in range(9)]
    )
    for name in METHODS.places:
        if METHODS.load(name).needs_responses:
            done = small("--method", name, *RULE, data=bare)
            assert done.code == 2
            assert "bare.jsonl has no column of responses" in done.stderr
            assert "output, response, answer, completion" in done.stderr


def test_rows_without_a_response_are_counted_and_over_the_limit_it_is_said(
    small: Run, localsel: Command, tmp_path: Path
) -> None:
    rows = [row(number) | ({"response": ""} if number in (3, 5) else {}) for number in range(ROWS)]
    pool = write(tmp_path / "gaps.jsonl", rows)
    done = small("--method", "ifd", *RULE, "--display", "json", data=pool)
    assert done.code == 4
    record = done.lines[-1]["record"]
    assert record["unscored"] == 2 and record["state"] == "over-limit"
    reasons = {each["row"]: each["reason"] for each in record["left_out"]}
    assert reasons.pop(3) == reasons.pop(5) == "it has no response"
    assert not any("response" in reason for reason in reasons.values())
    there = ("--workspace", tmp_path / "small")
    assert "than --max-fallback 1% allows" in localsel("show", "last", *there).stderr
    allowed = small("--method", "ifd", *RULE, "--max-fallback", "10%", data=pool)
    assert allowed.code == 0, allowed.stderr
    assert "--max-fallback" not in localsel("show", "last", *there).stderr


def test_a_run_that_failed_says_why_afterwards(
    small: Run, localsel: Command, tmp_path: Path
) -> None:
    line = ("--method", "alpagasus", *RULE)
    failed = small(*line, "--threshold", 5)
    assert failed.code == 2
    there = ("--workspace", tmp_path / "small")
    said = localsel("show", "last", *there)
    assert said.stdout == ""
    assert "is failed: --threshold 5 leaves 0 rows, fewer than the budget" in said.stderr
    assert small(*line).code == 0
    shown = localsel("show", "last", *there)
    assert shown.stdout.split()[:5] == ["rank", "row", "score", "by", "instruction"]
    assert "is failed" not in shown.stderr


@pytest.mark.parametrize("name", TUNED)
def test_a_gguf_cannot_be_tuned(small: Run, name: str) -> None:
    done = small(*LINES[name], "--model", FOLDER / "nano-llama.gguf")
    assert done.code == 2
    assert "fine-tunes its model" in done.stderr and "no Hugging Face folder" in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("--method", "random", "--threshold", "4"), "The method 'random' has no --threshold."),
        (
            ("--method", "ifd", "--tune-rows", "9"),
            "The method 'ifd' has no --tune-rows without --pre-experience.",
        ),
        (
            ("--method", "ifd", "--variant", "superfiltering", "--pre-experience"),
            "The method 'ifd' has no --pre-experience without --variant cherry.",
        ),
        (
            ("--method", "ifd", "--variant", "odd"),
            "has no --variant 'odd'. There are cherry, super",
        ),
        (
            ("--method", "alpagasus", "--threshold", "5.5"),
            "--threshold 5.5 is more than any rating",
        ),
        (
            ("--method", "ifd", "--reason"),
            "The method 'ifd' has no model that could give a --reason",
        ),
    ],
)
def test_an_option_that_a_method_does_not_have_is_refused(
    small: Run, line: tuple[str, ...], says: str
) -> None:
    done = small(*line, *RULE)
    assert done.code == 2
    assert says in done.stderr


def test_what_another_method_has_is_refused_only_where_it_was_typed(
    small: Run, localsel: Command
) -> None:
    line = ("--method", "random", *RULE)
    there = partial(localsel, LOCALSEL_QUALITY_MODEL="nowhere")
    assert small(*line, command=there).code == 0
    typed = small(*line, "--quality-model", "nowhere")
    assert typed.code == 2
    assert "The method 'random' has no --quality-model." in typed.stderr
    # A variant is some other method's, too.
    there_too = partial(localsel, LOCALSEL_VARIANT="helpfulness")
    assert small("--method", "ifd", *RULE, command=there_too).code == 0
    # No method has this one.
    odd = partial(localsel, LOCALSEL_VARIANT="superfilterin")
    assert "has no --variant 'superfilterin'" in small("--method", "ifd", *RULE, command=odd).stderr
    # One that has it is told by the environment, too.
    had = small("--method", "mods", *RULE, command=there)
    assert had.code != 0
    assert "nowhere" in had.stderr


def test_a_narrower_context_measures_anew(small: Run, tmp_path: Path) -> None:
    long = [row(n) | {"response": row(n)["response"] * (10 + n % 7)} for n in range(ROWS)]
    pool = write(tmp_path / "long.jsonl", long)
    line, narrow = ("--method", "ifd", *RULE), ("--context", 256)
    picked(small, tmp_path, "wide", *line, data=pool)
    picked(small, tmp_path, "after", *line, *narrow, data=pool)
    shutil.rmtree(tmp_path / "small")
    picked(small, tmp_path, "alone", *line, *narrow, data=pool)
    assert rows_in(tmp_path, "after") == rows_in(tmp_path, "alone")
    assert rows_in(tmp_path, "alone") != rows_in(tmp_path, "wide")


def test_a_quality_model_is_the_same_whatever_it_is_called(small: Run) -> None:
    named = [(), ("--quality-model", "nano-quality"), ("--quality-model", QUALITY)]
    done = [small(*LINES["mods"], *RULE, "--display", "json", *each) for each in named]
    assert [each.code for each in done] == [0, 0, 0], done[0].stderr
    assert [told(each, "run") for each in done] == [["new"], ["finished"], ["finished"]]
    assert len({each.lines[-1]["record"]["id"] for each in done}) == 1


@pytest.mark.parametrize("line", [(), ("--pre-experience",)])
def test_a_dry_run_tells_tokens_and_time(small: Run, line: tuple[str, ...]) -> None:
    done = small("--method", "ifd", *line, "--dry-run", "--json")
    assert done.code == 0, done.stderr
    assert done.document["prompt_tokens"] > 500 and done.document["choose_seconds"] > 0
