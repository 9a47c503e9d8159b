"""A run that asks a server: what its record says, and what it makes of a server that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, events_of
from tests.serving import Serving, free_port, llama_server
from tests.strangers import Stranger, serving

CONTEXT = 1536


@pytest.fixture(scope="module")
def server(selector: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    served = llama_server(selector, tmp_path_factory.mktemp("server") / "log", CONTEXT)
    with served.running():
        yield served


def test_a_server_that_is_killed_in_the_middle_loses_nothing(
    localsel: Command, server: Serving, workspace: Path, example_pool: Path
) -> None:
    line = ("run", example_pool, "--budget", 6, "--clusters", 6, "--per-cluster", 14)
    own = ("--model", server.address, "--context", CONTEXT, "--workspace", workspace)
    process = localsel.start(*line, *own, "--display", "json")
    asked = 0
    with process:
        for event in events_of(process):
            asked += event["event"] == "answer"
            if event["event"] == "answer" and asked == 2:
                server.kill()
                server.begin()
    assert process.returncode == 0
    record = localsel("show", "last", "--json", "--workspace", workspace).document
    assert record["picked"] == 6
    assert record["fallbacks"] == record["abstained"] == 0
    assert asked == record["answers"] == record["queries"]
    assert record["backend"] == "openai"
    assert record["selector"]["name"] == "nano-llama"
    assert record["selector"]["path"].startswith(f"{server.address}/v1#")
    assert record["backend_facts"]["constraint"] == "grammar"
    assert record["backend_facts"]["weights"].startswith("not hashed")
    assert record["repeatable"] is False
    assert record["connections_attempted"] == 0
    assert record["offline"]["guard"] is True
    again = localsel(*line, *own, "--display", "json")
    assert again.code == 0
    assert not [event for event in again.lines if event["event"] == "answer"]


@pytest.mark.parametrize(
    ("model", "more", "code", "words"),
    [
        ("http://192.0.2.1:8000", (), 2, "not on this machine"),
        ("http://me:secret@127.0.0.1:8000", (), 2, "LOCALSEL_API_KEY"),
        ("http://127.0.0.1:8000", ("--backend", "llamacpp"), 2, "cannot ask"),
        ("http://127.0.0.1:PORT", (), 3, "No server answers"),
        ("nano-llama", ("--backend", "openai"), 2, "no address of a server"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    localsel: Command, example_pool: Path, model: str, more: tuple[str, ...], code: int, words: str
) -> None:
    model = model.replace("PORT", str(free_port()))
    done = localsel("run", example_pool, "--budget", 5, "--model", model, *more)
    assert done.code == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr and "secret" not in done.stderr


def test_a_server_without_probabilities_takes_nine_candidates(
    localsel: Command, workspace: Path, example_pool: Path
) -> None:
    with serving(Stranger()) as address:
        line = ("run", example_pool, "--budget", 5, "--model", address, "--workspace", workspace)
        refused = localsel(*line)
        assert refused.code == 3
        assert "--query-size 9" in refused.stderr
        out = localsel.folder / "picks.jsonl"
        done = localsel(*line, "--query-size", 9, "--per-cluster", 9, "--out", out)
        assert done.code == 0, done.stderr
        tried = localsel("prompts", "try", "--run", "last", "--query", 0, "--workspace", workspace)
        assert tried.code == 0, tried.stderr
    shown = localsel("clusters", "last", "--json", "--workspace", workspace)
    assert shown.code == 0, shown.stderr
    picks = [line for line in out.read_text(encoding="utf-8").splitlines() if line]
    assert len(picks) == 5
    assert all('"probability": null' in line or '"probability":null' in line for line in picks)


def elsewhere(address: str) -> str:
    """The same server by an address that is not of this machine, as far as localsel knows."""
    return address.replace("127.0.0.1", "0.0.0.0")


SMALL = ("--budget", 5, "--query-size", 9, "--per-cluster", 9)


def test_a_host_that_is_allowed_is_asked_by_every_command(
    localsel: Command, workspace: Path, example_pool: Path, tmp_path: Path
) -> None:
    at, stranger = ("--workspace", workspace), Stranger()
    with serving(stranger) as here:
        model, allowed = ("--model", elsewhere(here)), ("--allow-host", "0.0.0.0")
        line = ("run", example_pool, *SMALL, *model, *at)
        refused = localsel(*line)
        assert refused.code == 2 and "--allow-host 0.0.0.0" in refused.stderr
        assert not stranger.seen
        done = localsel(*line, *allowed, LOCALSEL_API_KEY="s3cret")
        assert done.code == 0, done.stderr
        assert "Bearer s3cret" in stranger.keys
        compared = localsel("compare", example_pool, *SMALL, *model, *allowed, *at, "--json")
        assert compared.code == 0, compared.stderr
        checked = localsel("models", "check", elsewhere(here), *allowed, *at)
        assert checked.code == 0, checked.stderr
        run = localsel("runs", "--json", *at).document[-1]["id"]
        asked = ("--run", run, "--query", 0, *at)
        for what in ("show", "try"):
            tried = localsel("prompts", what, *asked)
            assert tried.code == 0, tried.stderr
        # Elsewhere another user's word for a host does not count.
        carried, there = tmp_path / "carried", ("--workspace", tmp_path / "there")
        assert localsel("runs", "export", run, carried, *at).code == 0
        assert localsel("runs", "import", carried, *there).code == 0
        seen = len(stranger.seen)
        tried = localsel("prompts", "try", "--run", run, "--query", 0, *there)
        assert tried.code == 2 and "not on this machine" in tried.stderr
        assert len(stranger.seen) == seen
    assert localsel("show", run, "--json", *at).document["offline"]["allowed"]
    kept = [path for path in workspace.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if b"s3cret" in path.read_bytes()]


def test_a_server_that_obeys_nothing_is_refused(localsel: Command, example_pool: Path) -> None:
    with serving(Stranger(obeys="nothing")) as address:
        done = localsel("run", example_pool, "--budget", 5, "--model", address)
    assert done.code == 3
    assert "cannot be held to valid answers" in done.stderr
