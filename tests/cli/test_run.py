"""`localsel run` → picks, a record, events, and an exit code that says how it went."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from localsel.events import STAGES
from localsel.wording import STOPPED
from tests.cli.conftest import Choose, read_lines
from tests.conftest import Command, Finished, events_of

RECORD = [
    *("id", "fingerprint", "method", "selector", "backend", "seed", "pool_rows", "bad_rows"),
    *("duplicates", "near_duplicates", "budget", "picked", "clusters", "radius"),
    *("radius_before_joining", "mean_distance", "random_radius", "random_mean_distance"),
    *("index_recall", "queries", "prompt_tokens", "seconds_by_stage", "abstained", "fallbacks"),
    *("connections_attempted", "repeatable", "left_out"),
]
REASONS = ["row", "rank", "cluster", "query", "label", "position", "probability", "votes"]
REASONS += ["chosen_by", "run"]

# Rows that try to colour the screen, move the cursor, or be markup.
NASTY = [
    "\x1b[31mred\x1b[2J\x1b]0;title\x07",
    "[bold red]loud[/bold red] :smile:",
    "\u202ebackwards",
]
# What a terminal obeys beside line ends: colours and cursor moves of our own are not among these.
OBEYED = re.compile("\x1b\\[31mred|\x1b\\[2J|\x1b\\]|\x07|\u202e")


# Picks and record.


def test_a_run_writes_exactly_its_budget_of_distinct_picks(finished: Finished) -> None:
    rows = [pick["_localsel"]["row"] for pick in finished.picks]
    assert len(rows) == len(set(rows)) == 20
    assert [pick["_localsel"]["rank"] for pick in finished.picks] == list(range(1, 21))


def test_a_pick_is_its_whole_input_row_and_why_it_is_here(
    finished: Finished, example_pool: Path
) -> None:
    pool = read_lines(example_pool)
    for pick in finished.picks:
        why = pick.pop("_localsel")
        assert list(why) == REASONS
        assert pick == pool[why["row"]]
        assert why["run"] == finished.id
        assert why["chosen_by"] == "model"
        assert why["label"] == why["position"] >= 1
        assert 0 < why["probability"] <= 1
        pick["_localsel"] = why


def test_the_record_has_every_field(finished: Finished) -> None:
    record = finished.record
    assert set(RECORD) <= set(record)
    assert (record["pool_rows"], record["bad_rows"], record["duplicates"]) == (485, 0, 4)
    assert (record["budget"], record["picked"], record["clusters"]) == (20, 20, 20)
    assert record["connections_attempted"] == 0
    assert record["repeatable"] is True
    assert record["radius"] > record["mean_distance"] > 0
    assert record["selector"]["name"] == "random:7"


def test_every_row_is_shown_or_listed_with_a_reason(finished: Finished) -> None:
    left_out = finished.record["left_out"]
    assert len(left_out) == finished.record["duplicates"] + finished.record["near_duplicates"]
    assert all("duplicate of row" in each["reason"] for each in left_out)


def test_json_is_one_document_and_talk_goes_to_stderr(choose: Choose) -> None:
    done = choose("--json")
    assert done.code == 0
    assert done.document["picked"] == 5
    assert "Choose …" in done.stderr


def test_without_json_stdout_is_empty(choose: Choose) -> None:
    done = choose()
    assert (done.code, done.stdout) == (0, "")
    assert "Next: localsel export" in done.stderr


def test_silence_is_kept_when_it_is_asked_for(choose: Choose) -> None:
    done = choose("--display", "none")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
def test_the_ending_says_how_picks_are_written(choose: Choose, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"picks.{ending}"
    assert choose("--out", out).code == 0
    text = out.read_text(encoding="utf-8")
    starts = {"jsonl": '{"instruction": ', "json": "[\n {", "csv": '"instruction","input","topic",'}
    assert text.startswith(starts[ending])
    assert os.listdir(tmp_path).count(out.name) == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_the_python_call_gives_the_same_picks_as_the_command(
    choose: Choose, workspace: Path, example_pool: Path, tmp_path: Path, clean: None
) -> None:
    import localsel

    assert choose("--out", tmp_path / "picks.jsonl", "--seed", 3).code == 0
    options = {"workspace": workspace, "seed": 3, "resume": "never"}
    selection = localsel.run(example_pool, 5, "first", **options)
    by_command = read_lines(tmp_path / "picks.jsonl")
    for pick in by_command:
        pick["_localsel"]["run"] = selection.record["id"]
    assert list(selection.picks) == by_command
    assert selection.record["connections_attempted"] == 0


def test_selectors_are_compared_from_python_too(
    localsel: Command, example_pool: Path, workspace: Path, clean: None
) -> None:
    import localsel as package

    options = {"workspace": workspace, "backend": "scripted"}
    found = package.compare(example_pool, 5, ["first", "random:7"], **options)
    line = ("compare", example_pool, "--budget", 5, "--workspace", workspace, "--json")
    done = localsel(*line, "--backend", "scripted", "--model", "first", "--model", "random:7")
    assert done.code == 0, done.stderr
    assert done.document == json.loads(json.dumps(found))
    assert [each["name"] for each in found["selectors"]] == ["first", "random:7"]


def test_the_python_call_raises_what_the_command_says(tmp_path: Path, clean: None) -> None:
    import localsel

    with pytest.raises(localsel.LocalselError, match="There is no file"):
        localsel.run(tmp_path / "no.jsonl", 5, "first", workspace=tmp_path / "workspace")


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    for name in [name for name in os.environ if name.startswith("LOCALSEL_")]:
        monkeypatch.delenv(name)


# Settings.


def test_flag_beats_environment_beats_file(localsel: Command, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"instruction": "one"}\n{"instruction": "two"}\n')
    (tmp_path / "localsel.toml").write_text('method = "random"\nseed = 1\nbudget = 1\n')

    def seed(*flags: object, **environment: str) -> object:
        return localsel("run", data, "--json", *flags, **environment).document["seed"]

    assert seed() == 1
    assert seed(LOCALSEL_SEED="2") == 2
    assert seed("--seed", 3, LOCALSEL_SEED="2") == 3


def test_a_method_without_a_model_needs_none(localsel: Command, example_pool: Path) -> None:
    done = localsel("run", example_pool, "--budget", 30, "--method", "random", "--json")
    assert done.code == 0
    assert done.document["chosen_by"] == {"method": 30}
    assert done.document["selector"] is None
    assert done.document["radius"] is None


@pytest.mark.parametrize("grouping", ["diverse", "similar", "random"])
def test_every_grouping_runs(choose: Choose, grouping: str) -> None:
    done = choose("--grouping", grouping, "--clusters", 4, "--json")
    assert done.code == 0, done.stderr
    assert done.document["picked"] == 5


def test_votes_of_several_orders_are_counted(choose: Choose, tmp_path: Path) -> None:
    out = tmp_path / "picks.jsonl"
    assert choose("--orders", 3, "--out", out, model="random:1").code == 0
    why = [pick["_localsel"] for pick in read_lines(out)]
    assert {each["chosen_by"] for each in why} == {"vote"}
    assert all(1 <= each["votes"] <= 3 for each in why)


# Over the limit.


def test_too_many_unanswered_queries_are_exit_code_4(choose: Choose, tmp_path: Path) -> None:
    out = tmp_path / "picks.jsonl"
    done = choose("--max-fallback", 0, "--json", "--out", out, model="abstain:1.0")
    record = done.document
    assert done.code == 4
    assert record["state"] == "over-limit"
    assert record["abstained"] == record["queries"] > 0
    assert record["fallbacks"] == record["picked"] == 5
    why = [pick["_localsel"] for pick in read_lines(out)]
    assert {(each["chosen_by"], each["probability"]) for each in why} == {("fallback", None)}


def test_asked_again_it_is_still_over_the_limit(choose: Choose) -> None:
    options = ("--max-fallback", 0, "--json")
    first, second = (choose(*options, model="abstain:1.0") for _ in range(2))
    assert (first.code, second.code) == (4, 4)
    assert first.document["id"] == second.document["id"]


def test_unanswered_queries_within_the_limit_are_fine(choose: Choose) -> None:
    assert choose("--max-fallback", "100%", model="abstain:1.0").code == 0


# Display.


def test_events_are_lines_of_json_and_stages_come_in_order(choose: Choose) -> None:
    done = choose("--display", "json")
    assert done.code == 0
    for event in done.lines:
        assert list(event)[:5] == ["event", "run", "stage", "done", "total"]
    seen = [STAGES.index(event["stage"]) for event in done.lines]
    assert seen == sorted(seen)
    started = [event["stage"] for event in done.lines if event["event"] == "stage"]
    assert started == ["load", "embed", "index", "cluster", "plan", "choose"]
    answers = [event for event in done.lines if event["event"] == "answer"]
    assert [event["done"] for event in answers] == list(range(1, len(answers) + 1))
    assert answers[-1]["done"] == answers[-1]["total"]
    assert done.lines[-1]["event"] == "done"
    assert done.lines[-1]["record"]["picked"] == 5


def test_export_is_a_stage_where_there_is_something_to_write(
    choose: Choose, tmp_path: Path
) -> None:
    done = choose("--display", "json", "--out", tmp_path / "picks.jsonl")
    assert [event["stage"] for event in done.lines if event["event"] == "stage"] == list(STAGES)


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """A file whose rows, and the name of which, try to be more than text."""
    path = tmp_path / "[bold]\x1b[31mred.jsonl"
    rows = [json.dumps({"instruction": text, "\x1b[31mred": text}) for text in NASTY]
    path.write_text("\n".join([*rows, '{"instruction": ""}']), encoding="utf-8")
    return path


def in_a_terminal(localsel: Command, *arguments: object) -> tuple[int, str]:
    """Exit code and everything a terminal was sent."""
    outer, inner = pty.openpty()
    sent = b""
    with localsel.start(*arguments, stdout=inner, stderr=inner) as process:
        os.close(inner)
        while True:
            try:
                some = os.read(outer, 65536)
            except OSError:
                break
            if not some:
                break
            sent += some
    os.close(outer)
    return process.returncode, sent.decode()


@pytest.mark.parametrize("display", ["full", "plain"])
def test_data_never_speaks_to_the_terminal(localsel: Command, nasty: Path, display: str) -> None:
    options = ("--budget", 3, "--method", "random", "--max-bad-rows", "50%")
    code, sent = in_a_terminal(localsel, "run", nasty, *options, "--display", display)
    assert code == 0, sent
    assert "Skipped" in sent
    assert not OBEYED.search(sent)
    code, shown = in_a_terminal(localsel, "show", "last")
    assert code == 0
    assert not OBEYED.search(shown)
    assert "␛[31mred␛[2J␛]0;title␇" in shown
    assert "[bold red]loud[/bold red] :smile:" in shown


def test_a_live_view_is_drawn_in_a_terminal(
    localsel: Command, example_pool: Path, workspace: Path
) -> None:
    line = ("run", example_pool, "--budget", 5, "--model", "first", "--workspace", workspace)
    code, sent = in_a_terminal(localsel, *line)
    assert code == 0
    assert "\x1b[" in sent
    assert all(verb in sent for verb in ("Embed", "Index", "Cluster", "Plan", "Choose"))
    assert "Chose 5 of 485 instructions" in sent


def test_a_failure_in_a_terminal_gives_the_cursor_back(localsel: Command, nasty: Path) -> None:
    code, sent = in_a_terminal(localsel, "run", nasty, "--budget", 9, "--method", "random")
    assert code == 2
    assert "Traceback" not in sent
    assert sent.count("\x1b[?25l") == sent.count("\x1b[?25h")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("show last --json --workspace WORKSPACE", 0),
        ("methods", 0),
        ("run POOL --budget 5 --method random --display json", 130),
    ],
)
def test_a_reader_that_stops_reading_is_told_nothing(
    localsel: Command, finished: Finished, example_pool: Path, line: str, code: int
) -> None:
    names = {"WORKSPACE": finished.workspace, "POOL": example_pool}
    options = [names.get(part, part) for part in line.split()]
    with localsel.start(*options, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (code, "")


# Interrupted.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_done(
    localsel: Command,
    example_pool: Path,
    workspace: Path,
    selector: Path,
    number: signal.Signals,
) -> None:
    line = ("run", example_pool, "--budget", 20, "--model", selector, "--orders", 2)
    line += ("--workspace", workspace, "--display", "json")
    with localsel.start(*line, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for event in events_of(process):
            if event["event"] == "answer" and event["done"] == 3:
                process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.strip() == f"localsel: {STOPPED}"
    (stopped,) = localsel("runs", "--json", "--workspace", workspace).document
    assert stopped["state"] == "interrupted"

    again = localsel(*line)
    assert again.code == 0
    (run,) = (event for event in again.lines if event["event"] == "run")
    assert (run["run"], run["state"]) == (stopped["id"], "resumed")
    (stage,) = (event for event in again.lines if event["stage"] == "choose" and "cached" in event)
    assert stage["cached"] >= 3
    assert again.lines[-1]["record"]["picked"] == 20
