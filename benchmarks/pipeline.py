"""Where does our own CPU time go when 1,000 of 52,000 instructions are chosen, the index included?

Ours is everything but the embedding model's forward passes and the selector's evaluations: imports,
reading, tokenising, caches, index, CoreSet, planning, prompts, scores, records, the written file.
The selector is nano-llama, which really reads only its canary: after that its logits stay what they
are, so that its own time is left out and the rest is not. A second run with another budget finds
every vector in the cache.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks._measure import example_rows, spent
from benchmarks._model import nano
from localsel.backends.base import Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.coreset import kcenter
from localsel.pipeline import course
from localsel.pipeline import run as pipeline
from localsel.settings import Settings
from localsel.stages.embed import Embedder

ROWS = 52_000
BUDGET = 1000
LIMIT = 40.0


class Clock:
    """CPU seconds by stage, and those of the embedding model, which are not ours."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.forward = 0.0
        self.batches = 0
        self.started = spent()

    @property
    def own(self) -> dict[str, float]:
        """By stage, with what no stage accounts for: imports, opening, the pool read back."""
        total = spent() - self.started
        stages = {**self.stages}
        stages["embed"] = stages.get("embed", 0.0) - self.forward
        between = total - sum(self.stages.values())
        return {"between stages": between, **stages}


def run(data: Path | None = None, rows: int = ROWS) -> dict[str, Any]:
    """Two runs in one workspace; `rows` are made up where no file is given."""
    # Compiled once per installation, and kept.
    kcenter(np.eye(8, dtype=np.float32), 2, 0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = data or write_pool(home / "pool.jsonl", rows)
        budget = min(BUDGET, rows // 10) if data is None else BUDGET
        first = measure(path, home, budget)
        second = measure(path, home, budget - 1)
    return {
        "benchmark": "pipeline",
        "data": str(data) if data else "made up of the example pool's phrases",
        "rows": first["rows"],
        "budget": budget,
        "index": "hnsw",
        "threads": 1,
        "first": first,
        "second": second,
        "limit": LIMIT,
        "within_limit": first["own_cpu_seconds"] < LIMIT and second["embedded_batches"] == 0,
    }


def measure(path: Path, home: Path, budget: int) -> dict[str, Any]:
    """One run on one thread, so that nobody's waiting is counted as work."""
    clock = Clock()
    settings = Settings(
        data=path,
        budget=budget,
        model=str(nano()),
        index="hnsw",
        threads=1,
        out=home / "picks.jsonl",
        workspace=home / "workspace",
    )
    with ExitStack() as stack:
        for each in observed(clock):
            stack.enter_context(each)
        *_, last = pipeline(settings)
    record: Any = last.details["record"]
    own = clock.own
    return {
        "rows": record["pool_rows"],
        "picked": record["picked"],
        "queries": record["queries"],
        "own_cpu_seconds": round(sum(own.values()), 2),
        "own_cpu_seconds_by_stage": {name: round(value, 2) for name, value in own.items()},
        "embedding_model_cpu_seconds": round(clock.forward, 2),
        "embedded_batches": clock.batches,
    }


def observed(clock: Clock) -> Iterator[Any]:
    """The patches that let the clock see the stages and the models."""
    timed, forward, opened = course.Course.timed, Embedder._forward, LlamaCppBackend.open

    @contextmanager
    def timed_by_cpu(self: course.Course, stage: Any) -> Iterator[None]:
        before = spent()
        with timed(self, stage):
            yield
        clock.stages[stage] = clock.stages.get(stage, 0.0) + spent() - before

    def forward_apart(self: Embedder, tokens: Sequence[Sequence[int]], width: int) -> Any:
        before = spent()
        vectors = forward(self, tokens, width)
        clock.forward += spent() - before
        clock.batches += 1
        return vectors

    def open_and_stop_reading(opening: Opening) -> LlamaCppBackend:
        backend = opened(opening)
        llama = backend._llama

        def skip(tokens: Sequence[int]) -> None:
            llama.n_tokens += len(tokens)

        llama.eval = skip
        return backend

    yield patch.object(course.Course, "timed", timed_by_cpu)
    yield patch.object(Embedder, "_forward", forward_apart)
    yield patch.object(LlamaCppBackend, "open", open_and_stop_reading)


def write_pool(path: Path, rows: int) -> Path:
    """Pairs of the example pool's sentences, all different; the same ones every time."""
    texts = [row["instruction"] for row in example_rows()]
    rng = Random(0)
    pairs: dict[tuple[str, str], None] = {}
    while len(pairs) < rows:
        first, second = rng.sample(texts, 2)
        pairs[first, second] = None
    with path.open("w", encoding="utf-8") as file:
        for pair in pairs:
            file.write(json.dumps({"instruction": " ".join(pair)}) + "\n")
    return path


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    first, second = result["first"], result["second"]
    stages = list(first["own_cpu_seconds_by_stage"])
    rows: list[list[object]] = [
        [name, *(run["own_cpu_seconds_by_stage"].get(name, 0.0) for run in (first, second))]
        for name in stages
    ]
    rows.append(["all our own", first["own_cpu_seconds"], second["own_cpu_seconds"]])
    apart = "embedding_model_cpu_seconds"
    rows.append(["embedding model, not ours", first[apart], second[apart]])
    title = f"{result['budget']:,} of {result['rows']:,}, CPU seconds"
    return [title, "first run", "vectors cached"], rows
