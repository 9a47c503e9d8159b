"""`run --method NAME` for methods that score rows with a model → picks, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localsel.methods import METHODS
from tests.cli.conftest import read_lines
from tests.conftest import CHECKOUT, Command, events_of

ROWS, BUDGET = 40, 6
FOLDER = CHECKOUT / "models" / "nano-llama"
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
TOPICS = ("rivers", "bread", "law", "ships", "winter", "maps", "birds", "steel", "music", "glass")

Run = Callable[..., Any]


def row(number: int) -> dict[str, str]:
    topic, other = TOPICS[number % 10], TOPICS[(number * 7 + 3) % 10]
    return {
        "instruction": f"Tell me {number % 5 + 2} things about {topic} and {other}.",
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


@pytest.mark.parametrize("name", LINES)
def test_each_selects_from_end_to_end(small: Run, tmp_path: Path, name: str) -> None:
    done = small(*LINES[name], "--display", "json", "--out", tmp_path / "picks.jsonl")
    assert done.code == 0, done.stderr
    picks = read_lines(tmp_path / "picks.jsonl")
    assert len({pick["_localsel"]["row"] for pick in picks}) == len(picks) == BUDGET
    record = done.lines[-1]["record"]
    assert record["chosen_by"] == {"method": BUDGET}
    assert record["selector"] is None and record["scorer"]["name"] == "nano-llama"
    assert record["unscored"] == 0 and record["connections_attempted"] == 0
    assert not list((tmp_path / "small").glob("tuned/*"))


@pytest.mark.parametrize("name", ["ifd", *TUNED])
def test_a_run_killed_in_the_middle_goes_on(
    small: Run, localsel: Command, tmp_path: Path, name: str
) -> None:
    # One that only reads is soon through a few rows.
    rows = [row(number) for number in range(ROWS if name in TUNED else 10 * ROWS)]
    pool = write(tmp_path / "pool.jsonl", rows)
    whole = small(*LINES[name], "--out", tmp_path / "whole.jsonl", data=pool)
    assert whole.code == 0, whole.stderr
    shutil.rmtree(tmp_path / "small")
    started = small(*LINES[name], "--display", "json", command=localsel.start, data=pool)
    with started as process:
        for event in events_of(process):
            if event["stage"] == "choose" and event["event"] == "progress" and event["done"]:
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
    done = small(*LINES[name], "--display", "json", "--out", tmp_path / "again.jsonl", data=pool)
    assert done.code == 0, done.stderr
    (begun,) = (event for event in done.lines if event["event"] == "run")
    assert begun["state"] == "resumed"
    picks = [
        [pick["_localsel"]["row"] for pick in read_lines(tmp_path / f"{each}.jsonl")]
        for each in ("whole", "again")
    ]
    assert picks[0] == picks[1]


def test_a_pool_without_responses_is_refused_by_name(small: Run, tmp_path: Path) -> None:
    bare = write(
        tmp_path / "bare.jsonl", [{"instruction": row(n)["instruction"]} for n in range(9)]
    )
    for name in METHODS.places:
        if METHODS.load(name).needs_responses:
            done = small("--method", name, data=bare)
            assert done.code == 2
            assert "bare.jsonl has no column of responses" in done.stderr
            assert "output, response, answer, completion" in done.stderr


def test_rows_without_a_response_are_counted_and_over_the_limit_it_is_said(
    small: Run, tmp_path: Path
) -> None:
    rows = [row(number) | ({"response": ""} if number in (3, 5) else {}) for number in range(ROWS)]
    pool = write(tmp_path / "gaps.jsonl", rows)
    done = small("--method", "ifd", "--display", "json", data=pool)
    assert done.code == 4
    record = done.lines[-1]["record"]
    assert record["unscored"] == 2 and record["state"] == "over-limit"
    reasons = {each["row"]: each["reason"] for each in record["left_out"]}
    assert reasons.pop(3) == reasons.pop(5) == "it has no response"
    assert not any("response" in reason for reason in reasons.values())
    allowed = small("--method", "ifd", "--max-fallback", "10%", data=pool)
    assert allowed.code == 0, allowed.stderr


@pytest.mark.parametrize("name", TUNED)
def test_a_gguf_cannot_be_tuned(small: Run, name: str) -> None:
    done = small(*LINES[name], "--model", FOLDER / "nano-llama.gguf")
    assert done.code == 2
    assert "fine-tunes its model" in done.stderr and "no Hugging Face folder" in done.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("--method", "random", "--threshold", "4"), "The method 'random' has no --threshold."),
        (("--method", "ifd", "--tune-rows", "9"), "The method 'ifd' has no --tune-rows."),
        (
            ("--method", "ifd", "--variant", "odd"),
            "has no --variant 'odd'. There are cherry, super",
        ),
        (
            ("--method", "alpagasus", "--threshold", "5.5"),
            "--threshold 5.5 is more than any rating",
        ),
    ],
)
def test_an_option_that_a_method_does_not_have_is_refused(
    small: Run, line: tuple[str, ...], says: str
) -> None:
    done = small(*line)
    assert done.code == 2
    assert says in done.stderr


def test_a_dry_run_tells_tokens_and_time(small: Run) -> None:
    done = small("--method", "ifd", "--dry-run", "--json")
    assert done.code == 0, done.stderr
    assert done.document["prompt_tokens"] > 500 and done.document["choose_seconds"] > 0


def test_several_are_compared_with_a_selector(localsel: Command, tmp_path: Path) -> None:
    pool = write(tmp_path / "pool.jsonl", [row(number) for number in range(ROWS)])
    lines = [word for name in ("ifd", "alpagasus", "deita") for word in ("--baseline", name)]
    done = localsel(
        *(
            "compare",
            pool,
            "--budget",
            BUDGET,
            "--model",
            "random:1",
            "--workspace",
            tmp_path / "w",
        ),
        *("--json", "--display", "none", "--threads", 1, *lines),
    )
    assert done.code == 0, done.stderr
    assert {each["name"] for each in done.document["baselines"]} >= {"ifd", "alpagasus", "deita"}
    assert [each["name"] for each in done.document["selectors"]] == ["random:1"]
