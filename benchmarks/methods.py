"""What do `rouge` and `cbs` save beside the plain way, and what does `ifd` add to evaluation?

`rouge` compares every row with 1,000 others; a loop over rouge-score does so for a sample of the
rows, and its time is multiplied. `cbs` is measured on made-up sentence vectors; scikit-learn's
HDBSCAN on a part of them, and its time multiplied by the square of the rows, as its distances are.
`ifd` is measured beside llama.cpp reading the same tokens, with the same logits, and nothing else.
CPU seconds, on one thread, in one process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._ifd import measured
from benchmarks._measure import cpu, texts_of
from benchmarks.coreset import sentence_like
from benchmarks.pipeline import write_pool
from localsel.errors import LocalselError
from localsel.methods import METHODS
from localsel.methods.base import Journal, Pool, Tools
from localsel.methods.cbs import clusters_in
from localsel.methods.overlap import Overlap, tokens
from localsel.methods.rouge import OTHERS, others_of
from localsel.methods.spanning import SpanningTree
from localsel.records import Instruction, Vectors
from localsel.settings import Settings, resource
from localsel.stages.load import BadRow, open_rows

ROWS = 52_000
BUDGET = 1000
WIDTH = 384
PLAIN_ROUGE, PLAIN_CBS = 20, 4000
"""Rows of the plain ways: a second or two of each."""
LIMIT, LEAST_RATIO = 600.0, 20.0
SCORED, ROUNDS = 200, 5
"""Rows that `ifd` scores, and how often."""
SCORER = Path("nano-llama") / "nano-llama.gguf"


def run(
    data: Path | None = None, rows: int = ROWS, model: Path | None = None, rounds: int = ROUNDS
) -> dict[str, Any]:
    """The methods; `rows` texts are made up where no file is given, and so many vectors.

    `ifd` scores the first of them: a text that has no response is its own.
    """
    _scorer(None)  # what is not installed is better said now than after minutes
    with tempfile.TemporaryDirectory() as folder:
        file = data or write_pool(Path(folder) / "pool.jsonl", rows)
        texts, answered = texts_of(file), answered_of(file)
    for each in ("rouge", "cbs"):  # compiled once per installation, and kept
        _picks(each, texts[:3], sentence_like(3, WIDTH, 0), 2)
    return {
        "benchmark": "methods",
        "data": str(data) if data else "made up of the example pool's phrases",
        "threads": 1,
        "rouge": rouge(texts),
        "cbs": cbs(sentence_like(len(texts), WIDTH, 0)),
        "ifd": measured(answered, model or resource("models") / SCORER, rounds),
    }


def answered_of(file: Path) -> list[Instruction]:
    """The first rows of a file, each with a response."""
    _, rows = open_rows(file)
    found = (row for row in rows if not isinstance(row, BadRow))
    return [
        Instruction(place, row.instruction, row.input, row.response or row.instruction)
        for place, row in enumerate(islice(found, SCORED))
    ]


def rouge(texts: Sequence[str]) -> dict[str, Any]:
    """The whole method on all texts, and a loop over rouge-score on a few of them."""
    seconds = cpu(lambda: _picks("rouge", texts, None, min(BUDGET, len(texts))))
    generator = np.random.default_rng(0)
    rows = generator.choice(len(texts), min(PLAIN_ROUGE, len(texts)), replace=False)
    others = others_of(rows, len(texts), generator)
    plain_seconds = cpu(lambda: _loop(texts, rows.tolist(), others.tolist()))
    # Its own tokens are those of English only: with the method's tokens, the measure is the same.
    plain = _loop(texts, rows.tolist(), others.tolist(), tokenizer=Tokens())
    whole = plain_seconds * len(texts) / len(rows)
    found = Overlap.of(texts).largest(rows, others)
    return {
        "rows": len(texts),
        "others": min(OTHERS, len(texts) - 1),
        "cpu_seconds": round(seconds, 2),
        "plain_rows": len(rows),
        "plain_cpu_seconds": round(plain_seconds, 2),
        "plain_cpu_seconds_for_all": round(whole, 1),
        "ratio": round(whole / seconds, 1),
        "largest_difference": float(np.abs(found - plain).max()),
        "within_limit": seconds < LIMIT and whole / seconds > LEAST_RATIO,
    }


class Tokens:
    """The method's tokens, as rouge-score asks for them."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def _loop(
    texts: Sequence[str],
    rows: list[int],
    others: list[list[int]],
    tokenizer: Tokens | None = None,
) -> list[float]:
    """The largest ROUGE-L F1 of each row, pair by pair."""
    scorer = _scorer(tokenizer)
    return [
        max(scorer.score(texts[row], texts[other])["rougeL"].fmeasure for other in drawn)
        for row, drawn in zip(rows, others, strict=True)
    ]


def _scorer(tokenizer: Tokens | None) -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise LocalselError(
            "rouge-score, which this is compared with, is not installed.",
            "Give: pip install rouge-score",
        ) from error
    return RougeScorer(["rougeL"], tokenizer=tokenizer)


def cbs(vectors: Vectors) -> dict[str, Any]:
    """The whole method on all vectors, and HDBSCAN alone on the first of them."""
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics import adjusted_rand_score

    size = len(vectors)
    texts = [str(row) for row in range(size)]
    seconds = cpu(lambda: _picks("cbs", texts, vectors, min(BUDGET, size)))
    part = vectors[:PLAIN_CBS]
    model = HDBSCAN(min_cluster_size=2, min_samples=1, copy=True)
    plain_seconds = cpu(lambda: model.fit(part))
    whole = plain_seconds * (size / len(part)) ** 2
    tree = SpanningTree(part)
    tree.grow(len(part))
    return {
        "rows": size,
        "width": vectors.shape[1],
        "cpu_seconds": round(seconds, 2),
        "plain_rows": len(part),
        "plain_cpu_seconds": round(plain_seconds, 2),
        "plain_cpu_seconds_for_all": round(whole, 1),
        "ratio": round(whole / seconds, 1),
        "same_clusters": bool(adjusted_rand_score(model.labels_, clusters_in(tree)) == 1.0),
    }


def _picks(name: str, texts: Sequence[str], vectors: Vectors | None, budget: int) -> None:
    settings = Settings(data=Path("data.jsonl"), budget=budget, method=name)
    pool = Pool(tuple(Instruction(row, text) for row, text in enumerate(texts)), vectors)
    list(METHODS.load(name)(Tools(settings, Journal())).picks(pool, budget))


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = [
        [
            name,
            result[name]["rows"],
            result[name]["cpu_seconds"],
            f"{result[name]['plain_cpu_seconds_for_all']} (from {result[name]['plain_rows']} rows)",
            result[name]["ratio"],
        ]
        for name in ("rouge", "cbs")
    ]
    ifd = result["ifd"]
    seconds = ifd["cpu_seconds"], f"{ifd['plain_cpu_seconds']} (evaluation alone)"
    rows.append(["ifd", ifd["rows"], *seconds, ifd["ratio"]])
    return ["method", "rows", "CPU seconds", "the plain way", "ratio"], rows
