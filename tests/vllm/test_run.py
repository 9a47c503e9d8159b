"""`localsel` with vLLM, killed and gone on with → one selection; and beside other backends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, Command
from tests.e2e.disturbing import Runs, answered, asked, new_answers, run_of, twice, write_pool

ROWS = 240
# 80 queries or more: several batches of a CPU.
OPTIONS = ("--budget", 60, "--query-size", 3, "--near-duplicates", "off", "--threads", 1)
FOLDER = CHECKOUT / "models" / "nano-llama"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pool(tmp_path_factory.mktemp("pool") / "pool.jsonl", ROWS)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, blocker: Path, pool: Path
) -> Callable[[str], Path]:
    """Workspaces in which the pool need not be embedded again."""
    folder = tmp_path_factory.mktemp("places")
    ready = folder / "ready"
    line = ("run", pool, *OPTIONS, "--model", "first", "--dry-run", "--workspace", ready)
    ran = Command(folder, blocker)(*line)
    assert ran.code == 0, ran.stderr
    return lambda name: Path(shutil.copytree(ready, folder / name))


def chosen(path: Path) -> list[tuple[int, str]]:
    picks = [json.loads(line)["_localsel"] for line in path.read_text().splitlines()]
    return [(pick["row"], pick["chosen_by"]) for pick in picks]


def test_killed_in_the_middle_it_goes_on_and_selects_the_same(
    localsel: Command, pool: Path, place: Callable[[str], Path], tmp_path: Path
) -> None:
    # A folder goes to vllm by itself where vllm is installed.
    runs = Runs(localsel, pool, *OPTIONS, "--model", FOLDER)
    calm, rough = place("calm"), place("rough")
    undisturbed, _ = run_of(runs.whole(calm, "--out", tmp_path / "calm.jsonl"))
    first = runs.killed(rough, answered(0.5))
    rest = runs.whole(rough, "--out", tmp_path / "rough.jsonl")

    run, state = run_of(rest)
    assert (run_of(first), state) == ((run, "new"), "resumed")
    assert new_answers(first) and new_answers(rest)
    assert not twice(asked(rough, run))
    assert sorted(asked(rough, run)) == sorted(asked(calm, undisturbed))
    assert chosen(tmp_path / "rough.jsonl") == chosen(tmp_path / "calm.jsonl")

    record = rest[-1]["record"]
    assert (record["backend"], record["repeatable"]) == ("vllm", False)
    assert record["backend_facts"]["why_not_repeatable"].startswith("queries are read together")
    assert record["connections_attempted"] == 0
    assert record["chosen_by"].keys() <= {"model", "forced"}


def test_its_runs_are_compared_with_those_of_other_backends(
    localsel: Command, pool: Path, place: Callable[[str], Path]
) -> None:
    workspace = place("compared")
    found = localsel(
        *("compare", pool, *OPTIONS, "--orders", 1, "--json", "--workspace", workspace),
        *("--model", FOLDER, "--model", FOLDER / "nano-llama.gguf"),
    )
    assert found.code == 0, found.stderr
    folder, gguf = (each["run"] for each in found.document["selectors"])
    other = localsel(
        *("run", pool, *OPTIONS, "--json", "--workspace", workspace),
        *("--model", FOLDER, "--backend", "transformers"),
    )
    assert other.code == 0, other.stderr
    compared = localsel(
        *("compare", folder, gguf, other.document["id"]), "--json", "--workspace", workspace
    )
    assert compared.code == 0, compared.stderr
    records = [
        localsel("show", run, "--json", "--workspace", workspace).document
        for run in (folder, gguf, other.document["id"])
    ]
    assert [each["backend"] for each in records] == ["vllm", "llamacpp", "transformers"]
    assert [each["repeatable"] for each in records] == [False, True, True]
    # The same weights in three runtimes: they choose the same but for near-ties.
    assert all(pair["overlap"]["same_order"] > 0.95 for pair in compared.document["pairs"])


TWICE = """
import sys, localsel
for seed in (1, 2):
    chosen = localsel.run(
        sys.argv[1], 12, sys.argv[2], workspace=sys.argv[3], query_size=6, seed=seed, threads=1
    )
    print(len(chosen.picks), chosen.record["backend"], "vllm" in sys.modules)
"""


def test_from_python_every_run_has_a_process_of_its_own(
    localsel: Command, pool: Path, place: Callable[[str], Path]
) -> None:
    line = [sys.executable, "-c", TWICE, pool, FOLDER, place("python")]
    done = subprocess.run(
        line, env=localsel.environment, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "12 vllm False\n" * 2, done.stderr
