"""Every command that reads → a table for people, one JSON document with `--json`, exit code 0."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tomllib
from pathlib import Path

import pytest

from localsel.cli import COMMANDS
from localsel.settings import fields
from tests.conftest import CHECKOUT, Command, Finished

SELECTORS = sorted(path.stem for path in (CHECKOUT / "models").glob("nano-*/*.gguf"))


@pytest.fixture
def mine(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the workspace with the finished run."""
    return Path(shutil.copytree(finished.workspace, tmp_path / "mine"))


# One document on stdout, or a table; nothing said without need.

READING = [
    "runs --workspace WORKSPACE",
    "show last --workspace WORKSPACE",
    "pools --workspace WORKSPACE",
    "pools show last --workspace WORKSPACE",
    "clusters last --workspace WORKSPACE",
    "clusters last 0 --workspace WORKSPACE",
    "neighbours last 0 --workspace WORKSPACE",
    "models --workspace WORKSPACE",
    "models check SELECTOR",
    "methods",
    "prompts",
    "prompts show published",
    "prompts show --run last --query 0 --workspace WORKSPACE",
    "prompts try --run last --query 0 --workspace WORKSPACE",
    "config show",
    "doctor --workspace WORKSPACE",
    "bench",
]


def filled(line: str, finished: Finished, selector: Path) -> list[str]:
    names = {"WORKSPACE": str(finished.workspace), "SELECTOR": str(selector)}
    return [names.get(part, part) for part in line.split()]


@pytest.mark.parametrize("line", READING)
def test_with_json_there_is_exactly_one_document(
    localsel: Command, finished: Finished, selector: Path, line: str
) -> None:
    done = localsel(*filled(line, finished, selector), "--json")
    assert done.code == 0, done.stderr
    assert done.document
    assert done.stderr == ""


@pytest.mark.parametrize("line", [*READING, "config schema", "--help", "--version", "run --help"])
def test_without_json_there_is_text_that_a_pipe_can_take(
    localsel: Command, finished: Finished, selector: Path, line: str
) -> None:
    done = localsel(*filled(line, finished, selector))
    assert done.code == 0, done.stderr
    assert done.stdout.strip()
    assert "\x1b" not in done.stdout + done.stderr


def test_help_names_every_command(localsel: Command) -> None:
    done = localsel("--help")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert localsel().stdout == done.stdout


# runs, show, rm, export.


def test_an_empty_workspace_says_what_to_do(localsel: Command) -> None:
    assert localsel("runs", "--json").document == []
    done = localsel("runs")
    assert (done.code, done.stdout) == (0, "")
    assert "Try `localsel demo`." in done.complaint


def test_runs_are_listed_with_what_tells_them_apart(localsel: Command, finished: Finished) -> None:
    (run,) = localsel("runs", "--json", "--workspace", finished.workspace).document
    assert run["id"] == finished.id
    assert run["state"] == "finished"
    assert (run["method"], run["selector"], run["budget"]) == ("selectllm", "random:7", 20)
    assert run["data"] == "pool.jsonl"


@pytest.mark.parametrize("name", ["last", "ID", "BEGINNING"])
def test_a_run_is_shown_by_any_of_its_names(
    localsel: Command, finished: Finished, name: str
) -> None:
    name = {"ID": finished.id, "BEGINNING": finished.id[:5]}.get(name, name)
    done = localsel("show", name, "--json", "--workspace", finished.workspace)
    assert done.document == finished.record


def test_a_shown_run_lists_its_picks_best_first(localsel: Command, finished: Finished) -> None:
    done = localsel("show", "last", "--picks", 3, "--workspace", finished.workspace)
    rows = [str(pick["_localsel"]["row"]) for pick in finished.picks[:3]]
    shown = [line.split()[1] for line in done.stdout.splitlines()[2:]]
    assert shown == rows
    assert "… and 17 more; --picks 20 shows them all." in done.stderr
    assert "rows were shown in no query; --json lists each with its reason." in done.stderr


def test_a_removed_run_is_gone_and_nothing_else(localsel: Command, mine: Path) -> None:
    assert localsel("rm", "last", "--yes", "--workspace", mine).code == 0
    assert localsel("runs", "--json", "--workspace", mine).document == []
    assert list((mine / "vectors").iterdir())


def test_nothing_is_removed_without_a_yes(
    localsel: Command, mine: Path, finished: Finished
) -> None:
    done = localsel("rm", "last", "--workspace", mine)
    assert (done.code, done.complaint) == (2, "localsel: Nobody is here to say yes. Give --yes.")
    assert len(localsel("runs", "--json", "--workspace", mine).document) == 1


@pytest.mark.parametrize("form", ["jsonl", "alpaca", "csv"])
def test_an_export_has_every_pick(
    localsel: Command, finished: Finished, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "picks.txt"
    line = ("export", "last", "--to", form, "--out", out, "--workspace", finished.workspace)
    done = localsel(*line)
    assert (done.code, done.stdout) == (0, "")
    assert f"Wrote 20 picks to {out} ({form})." in done.stderr
    text = out.read_text(encoding="utf-8")
    if form == "jsonl":
        assert [json.loads(each) for each in text.splitlines()] == finished.picks
    elif form == "alpaca":
        wanted = [{"instruction": p["instruction"], "input": p["input"]} for p in finished.picks]
        assert json.loads(text) == [each | {"output": ""} for each in wanted]
    else:
        rows = list(csv.DictReader(io.StringIO(text)))
        ranks = [str(pick["_localsel"]["rank"]) for pick in finished.picks]
        assert [row["localsel_rank"] for row in rows] == ranks
        assert [row["topic"] for row in rows] == [pick["topic"] for pick in finished.picks]


# models, methods, prompts.


def test_models_here_are_listed_once(localsel: Command, selector: Path) -> None:
    (localsel.folder / "models").mkdir()
    shutil.copy(selector, localsel.folder / "models" / "mine.gguf")
    (localsel.folder / "models" / "again.gguf").symlink_to("mine.gguf")
    (localsel.folder / "models" / "below").mkdir()
    shutil.copy(selector, localsel.folder / "models" / "below" / "mine.gguf")
    names = [found["name"] for found in localsel("models", "--json").document]
    assert (names.count("mine"), names.count("again")) == (1, 1)


def test_the_model_card_says_what_it_is(localsel: Command, selector: Path) -> None:
    card = localsel("models", "check", selector, "--json").document
    assert card["architecture"] == "llama"
    assert len(card["sha256"]) == 64
    assert card["context_used"] <= card["context"]
    assert card["canary"].startswith("held")


def test_methods_say_what_they_need(localsel: Command) -> None:
    methods = {found["name"]: found for found in localsel("methods", "--json").document}
    assert methods["selectllm"]["needs"] == ["a model", "an embedder"]
    assert methods["random"]["needs"] == []


def test_the_prompt_of_a_query_is_the_one_that_was_asked(
    localsel: Command, finished: Finished
) -> None:
    line = ("prompts", "show", "--run", "last", "--query", 0, "--workspace", finished.workspace)
    shown = localsel(*line, "--json").document
    assert set(shown["chosen"]) <= set(shown["rows"])
    assert shown["tokens"] > len(shown["rows"])
    for pick in finished.picks:
        if pick["_localsel"]["query"] == 0:
            assert f"[{pick['_localsel']['label']}]" in shown["text"]
            assert pick["instruction"] in shown["text"]
    assert localsel(*line).stdout.rstrip("\n") == shown["text"].rstrip("\n")


def test_the_prompt_of_a_query_that_was_not_asked(localsel: Command, finished: Finished) -> None:
    line = ("prompts", "show", "--run", "last", "--query", 9999)
    done = localsel(*line, "--workspace", finished.workspace)
    assert done.code == 2
    assert "has not asked a query 9999" in done.complaint


# config.


def test_settings_say_where_they_come_from(localsel: Command, tmp_path: Path) -> None:
    (tmp_path / "localsel.toml").write_text("seed = 4\norders = 2\n")
    data = ("--data", tmp_path / "data.jsonl")
    shown = localsel("config", "show", "--json", *data, LOCALSEL_SEED="5").document
    found = {row["setting"]: (row["value"], row["source"]) for row in shown}
    assert found["seed"] == (5, "LOCALSEL_SEED")
    assert found["orders"] == (2, f"{tmp_path / 'localsel.toml'}: orders")
    assert found["query_size"] == (14, "default")
    assert set(found) == set(fields()) - {"data", "out"}


def test_the_schema_knows_every_setting(localsel: Command) -> None:
    schema = localsel("config", "schema").document
    assert list(schema["properties"]) == list(fields())
    assert schema["additionalProperties"] is False


def test_a_settings_file_is_written_once_valid_and_without_effect(localsel: Command) -> None:
    assert localsel("config", "init").code == 0
    path = localsel.folder / "localsel.toml"
    text = path.read_text(encoding="utf-8")
    assert tomllib.loads(text) == {}
    assert localsel("config", "validate", path).code == 0
    assert localsel("config", "init").code == 2
    assert path.read_text(encoding="utf-8") == text


def test_every_line_of_it_may_be_used_as_it_stands(localsel: Command) -> None:
    localsel("config", "init")
    path = localsel.folder / "localsel.toml"
    lines = [line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines()]
    given = [line for line in lines if line.partition(" = ")[0] in fields() and "…" not in line]
    path.write_text("\n".join(given), encoding="utf-8")
    done = localsel("config", "validate", path)
    assert done.code == 0, done.stderr
    assert len(given) > 10


# doctor, bench, demo.


def test_a_doctor_finds_nothing_here(localsel: Command) -> None:
    findings = {found["what"]: found for found in localsel("doctor", "--json").document}
    assert {"python", "cpu", "memory", "gpu", "disk", "embedder", "models"} <= set(findings)
    assert {"llamacpp", "transformers", "vllm", "openai", "outlines"} <= set(findings)
    assert {"guard", "namespace", "workspace"} <= set(findings)
    assert all(found["state"] != "failure" for found in findings.values())


def test_what_a_doctor_finds_is_exit_code_3_with_advice(localsel: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = localsel("doctor", "--json", "--workspace", tmp_path / "file")
    assert done.code == 3
    (failed,) = (found for found in done.document if found["state"] == "failure")
    assert (failed["what"], failed["advice"]) == ("workspace", "Choose another with --workspace.")


def test_benchmarks_are_listed_with_their_question(localsel: Command) -> None:
    assert "coreset" in {found["name"] for found in localsel("bench", "--json").document}


def test_the_demo_chooses_40_and_says_how_good_they_are(localsel: Command, workspace: Path) -> None:
    done = localsel("demo", "--workspace", workspace)
    assert done.code == 0, done.stderr
    assert done.stderr.count("Chose 40 of 485 instructions") == len(SELECTORS)
    assert "0 connections attempted." in done.stderr
    assert "of 40 picks are poor rows; 12% of the pool are." in done.stderr
    assert " · ".join(SELECTORS) in done.stdout
    assert "of their picks in the same order" in " ".join(done.stdout.split())
    runs = localsel("runs", "--json", "--workspace", workspace).document[::-1]
    assert {(run["state"], run["budget"]) for run in runs} == {("finished", 40)}
    assert [run["selector"] for run in runs] == [*SELECTORS, None, None, None]
    assert {run["method"] for run in runs[len(SELECTORS) :]} == {"random"}
