"""The memory that a header promises → what llama.cpp lays out, and what a process really takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from localsel.backends.footprint import Shape
from localsel.backends.probe import probe, probe_folder
from tests.conftest import CHECKOUT
from tests.vocabularies import cached_model

NANO = {name: CHECKOUT / "models" / name for name in ("nano-llama", "nano-gemma2")}


def shape_of(path: Path) -> Shape:
    facts = probe_folder(path) if path.is_dir() else probe(path)
    return Shape.from_json(facts["shape"])


def test_the_product_is_written_out() -> None:
    shape = Shape(kv_heads=(8,) * 42, key=256, value=256, number=2)
    # Gemma-2-9B at its whole context: 2.6 GiB.
    assert shape.cache(8192) == 42 * 8 * 512 * 2 * 8192
    assert shape.words(8192) == (
        "42 layers × 8 key-value heads × (256 + 256) numbers × 2 bytes × 8,192 tokens"
    )
    assert Shape((2, 0, 4), 64, 32, 2).words(10).startswith("6 key-value heads in 3 layers × ")


@pytest.mark.parametrize("context", [512, 8192])
@pytest.mark.parametrize("name", [*NANO, "llama-3"])
def test_the_product_is_what_llama_cpp_lays_out(name: str, context: int) -> None:
    path = NANO[name] / f"{name}.gguf" if name in NANO else cached_model(name)
    facts = probe(path, context)
    # It tells hundredths of a MiB.
    assert abs(shape_of(path).cache(context) - facts["cache_bytes"]) < 0.01 * 2**20
    assert facts["weights_bytes"] <= path.stat().st_size


# Resident bytes that loading takes, at two contexts, in a process that has seen the model before.
MEASURED = """
import os, sys
import psutil
from localsel.backends.base import Opening
from localsel.backends.llamacpp import LlamaCppBackend

def resident():
    return psutil.Process().memory_info().rss

def opened(context):
    before = resident()
    backend = LlamaCppBackend.open(Opening(sys.argv[1], context=context, threads=1))
    taken = resident() - before
    backend.close()
    return taken

opened(512)
print(opened(512), opened(8192))
"""


@pytest.mark.parametrize("name", NANO)
def test_a_process_takes_what_is_promised(name: str) -> None:
    path = NANO[name] / f"{name}.gguf"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True
    )
    small, large = map(int, done.stdout.split())
    promised = shape_of(path).cache(8192) - shape_of(path).cache(512)
    assert 0.8 * promised < large - small < 1.5 * promised
    facts = probe(path, 8192)
    whole = facts["weights_bytes"] + facts["cache_bytes"] + facts["working_bytes"]
    assert 0.5 * whole < large < 2 * whole


CACHED = """
import sys
import torch
from transformers import DynamicCache
from localsel.backends.transformers import load
from pathlib import Path

model = load(Path(sys.argv[1]), 1)
cache = DynamicCache()
with torch.inference_mode():
    model(torch.zeros((1, 300), dtype=torch.long), past_key_values=cache, use_cache=True)
held = sum(each.keys.nbytes + each.values.nbytes for each in cache.layers)
print(held, sum(each.nbytes for each in model.state_dict().values()), model.num_parameters())
"""


@pytest.mark.parametrize("name", NANO)
def test_transformers_keeps_what_is_promised(name: str) -> None:
    line = [sys.executable, "-c", CACHED, str(NANO[name])]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    held, weights, parameters = map(int, done.stdout.split())
    facts = probe_folder(NANO[name])
    shape = Shape.from_json(facts["shape"])
    assert shape.cache(300) == held
    assert facts["parameters"] == parameters
    # One matrix is the first and the last of these models.
    assert parameters * shape.number <= weights <= 1.5 * parameters * shape.number
