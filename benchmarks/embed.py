"""How many sentences a CPU second, beside `SentenceTransformer.encode` with its defaults?

Both embed the same texts with the same weights on one thread and take turns; the first round is a
warm-up. localsel pays for vectors that do not depend on a text's company.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import in_turns, median, median_ratio, texts_of
from localsel.stages.embed import Embedder, default_embedder

OURS, THEIRS = "localsel", "SentenceTransformer.encode"
SENTENCES = 485
ALIKE = 1e-5


def run(data: Path | None = None, rounds: int = 5) -> dict[str, Any]:
    """Medians over `rounds`; the ratio is taken within a round."""
    texts = texts_of(data)[:SENTENCES]
    embedder = Embedder(default_embedder(), threads=1)
    vectors: dict[str, Any] = {}

    def ours() -> None:
        found = np.empty((len(texts), embedder.width), dtype=np.float32)
        for rows, batch in embedder.encode(texts):
            found[rows] = batch
        vectors[OURS] = found

    def theirs() -> None:
        vectors[THEIRS] = embedder._model.encode(texts, show_progress_bar=False)

    works = {OURS: ours, THEIRS: theirs}
    measured = [in_turns(works, number) for number in range(rounds + 1)][1:]
    return {
        "benchmark": "embed",
        "sentences": len(texts),
        "rounds": rounds,
        "threads": 1,
        "sentences_per_cpu_second": {
            name: round(len(texts) / median(measured, name), 1) for name in works
        },
        # Above 1 localsel is the faster one.
        "ratio": round(1 / median_ratio(measured, OURS, THEIRS), 3),
        "largest_difference": float(np.abs(vectors[OURS] - vectors[THEIRS]).max()),
        "same_vectors": bool(np.allclose(vectors[OURS], vectors[THEIRS], atol=ALIKE)),
    }


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    speeds = result["sentences_per_cpu_second"]
    rows: list[list[object]] = [
        [OURS, speeds[OURS], result["ratio"]],
        [THEIRS, speeds[THEIRS], 1.0],
    ]
    return [f"{result['sentences']} sentences", "per CPU second", "times theirs"], rows
