"""Benchmarks at a small size → every one runs, says what was measured, and measures it rightly."""

from __future__ import annotations

import json
import math
import runpy
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks._ifd import LARGEST_RATIO
from benchmarks.methods import answered_of
from benchmarks.pipeline import write_pool
from localsel.alpaca import RESPONSE, before
from localsel.backends.base import Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.cli import bench
from tests.conftest import CHECKOUT, Command

SELECTOR = CHECKOUT / "models" / "nano-llama" / "nano-llama.gguf"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a few instructions."""
    path = tmp_path_factory.mktemp("few") / "few.jsonl"
    rows = [{"instruction": f"Explain topic {number} to a child."} for number in range(40)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_every_benchmark_says_what_it_asks(localsel: Command) -> None:
    listed = localsel("bench", "--json").document
    assert {"choice", "coreset", "embed", "injection", "memory", "pipeline"} <= {
        row["name"] for row in listed
    }
    assert all(row["asks"] for row in listed)


def test_choice_has_every_way_and_its_ratio(localsel: Command) -> None:
    found = localsel("bench", "choice", "--rounds", 1, "--model", SELECTOR, "--json").document
    assert found["prompt_tokens"] > 400
    ways = found["ways"]
    assert ways["bare prefill"]["ratio"] == 1
    assert {f"localsel, {k} of 14" for k in (1, 2, 5)} <= set(ways)
    assert {f"Outlines' wrapper, {k} of 14" for k in (1, 2, 5)} <= set(ways)
    # Outlines forgets the prompt after every call, and pays for it again.
    assert ways["Outlines' wrapper, 5 of 14"]["ratio"] > ways["localsel, 5 of 14"]["ratio"]
    assert "free answer of 64 tokens" in ways


def test_embed_finds_the_same_vectors(localsel: Command, few: Path) -> None:
    found = localsel("bench", "embed", "--rounds", 1, "--data", few, "--json").document
    assert found["sentences"] == 40
    assert found["same_vectors"]
    assert found["ratio"] > 0


def test_pipeline_names_every_stage_and_embeds_once(localsel: Command) -> None:
    done = localsel("bench", "pipeline", "--rows", 120, "--json")
    assert done.code == 0, done.stderr
    first, second = done.document["first"], done.document["second"]
    stages = {"load", "embed", "index", "cluster", "plan", "choose", "export"}
    assert stages | {"between stages"} == set(first["own_cpu_seconds_by_stage"])
    assert (first["rows"], first["picked"], second["picked"]) == (120, 12, 11)
    assert first["embedded_batches"] >= math.ceil(120 / 32)
    assert second["embedded_batches"] == second["embedding_model_cpu_seconds"] == 0
    assert done.document["index"] == "hnsw"


def test_injection_counts_every_wording_and_its_control(localsel: Command) -> None:
    found = localsel("bench", "injection", "--rounds", 1, "--json").document
    assert found["queries"] == 1
    for figures in found["injections"].values():
        assert figures["moved"] in (0, 1)
        assert figures["control"] in (0, 1)
        assert figures["excess"] == figures["moved"] - figures["control"]


def test_methods_find_what_the_plain_way_finds(localsel: Command, tmp_path: Path) -> None:
    done = localsel("bench", "methods", "--rows", 60, "--rounds", 1, "--json")
    assert done.code == 0, done.stderr
    rouge, cbs = done.document["rouge"], done.document["cbs"]
    assert (rouge["rows"], rouge["others"], rouge["plain_rows"]) == (60, 59, 20)
    assert rouge["largest_difference"] < 1e-9
    assert (cbs["rows"], cbs["plain_rows"], cbs["same_clusters"]) == (60, 60, True)
    ifd = done.document["ifd"]
    assert (ifd["rows"], ifd["rounds"], ifd["tokens"]) == (60, 1, tokens_of_pairs(60, tmp_path))
    # All three are rounded.
    assert ifd["ratio"] * ifd["plain_cpu_seconds"] == pytest.approx(
        ifd["cpu_seconds"], abs=0.01 * (1 + ifd["ratio"])
    )
    assert ifd["within_limit"] is (ifd["ratio"] <= LARGEST_RATIO)


def tokens_of_pairs(rows: int, folder: Path) -> int:
    """Of the texts that `ifd` reads of the made-up pool: responses, after what asks and alone."""
    answered = answered_of(write_pool(folder / "pool.jsonl", rows))
    with closing(LlamaCppBackend.open_reader(Opening(str(SELECTOR)))) as reader:
        befores = sum(reader.count(before(each)) + reader.count(RESPONSE) for each in answered)
        return befores + 2 * sum(reader.count(each.response) for each in answered)


def test_memory_is_that_of_all_processes_together() -> None:
    memory = bench._load("memory")
    found = memory.run(threads=1, shape=memory.Shape("tiny", 2, 64, 2, 1, 128, 4096))
    assert found["parameters"] < 1e6
    peaks = found["peak_bytes"]
    both, alone = peaks["compare, two models"], peaks["run, one model"]
    # An interpreter with llama.cpp and its context, at least; a comparison has one beside it.
    assert both > alone > 50 * 2**20
    assert found["ratio"] == round(both / alone, 3)
    assert found["within_limit"] is (both <= found["limit"] * alone)
    head, rows = memory.table(found)
    assert all(len(row) == len(head) for row in rows)


def test_people_get_a_table(localsel: Command, few: Path) -> None:
    done = localsel("bench", "embed", "--rounds", 1, "--data", few)
    assert done.stdout.splitlines()[0].split("  ")[0] == "40 sentences"
    assert "SentenceTransformer.encode" in done.stdout


def test_an_option_that_a_benchmark_has_no_use_for_is_refused(localsel: Command) -> None:
    done = localsel("bench", "embed", "--model", SELECTOR)
    assert done.code == 2
    assert "The benchmark 'embed' has no use for --model. It takes --data, --rounds." in done.stderr


def test_a_made_up_model_has_the_shape_it_says(tmp_path: Path) -> None:
    made: dict[str, Any] = runpy.run_path(str(CHECKOUT / "benchmarks" / "_model.py"))
    path = made["random_model"](tmp_path)
    assert 134e6 < made["parameters"]() < 136e6
    # 4.5 bits a weight, and a vocabulary.
    assert 75e6 < path.stat().st_size < 79e6
    path.unlink()


@pytest.mark.parametrize("name", bench.names())
def test_every_result_has_a_table(name: str) -> None:
    benchmark = bench._load(name)
    assert callable(benchmark.run)
    assert callable(benchmark.table)
