"""Real vLLM and real llama.cpp on the same weights: valid answers, and the same ones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from localsel.backends.base import Ask, Choice, Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.backends.vllm import VllmBackend
from localsel.errors import AnswerError
from localsel.stages.prompt import find_template, render

MODELS = Path(__file__).parents[2] / "models"
POOL = Path(__file__).parents[2] / "examples" / "pool.jsonl"
QUERIES = int(os.environ.get("AGREEMENT_QUERIES", 2000))
SHOWN, QUOTAS = 14, (1, 2, 5)
NEAR = 0.03
"""Two choices whose probabilities differ by less are a tie that the last bits may decide."""


@dataclass
class Pair:
    """The same weights in both."""

    vllm: VllmBackend
    llamacpp: LlamaCppBackend


@pytest.fixture(scope="module", params=["nano-llama", "nano-gemma2"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    folder = MODELS / request.param
    vllm = VllmBackend.open(Opening(str(folder), threads=2))
    llamacpp = LlamaCppBackend.open(Opening(str(folder / f"{request.param}.gguf"), threads=2))
    yield Pair(vllm, llamacpp)
    vllm.close()
    llamacpp.close()


def asks() -> list[Ask]:
    """Queries over random rows of the example pool, with one, two and five picks in turn."""
    texts = [json.loads(line)["instruction"] for line in POOL.read_text().splitlines()]
    generator = np.random.default_rng(6)
    template = find_template("published")
    found = []
    for number in range(QUERIES):
        rows = generator.choice(len(texts), SHOWN, replace=False)
        quota = QUOTAS[number % len(QUOTAS)]
        found.append(Ask(render(template, [texts[row] for row in rows], quota), quota))
    return found


@pytest.mark.timeout(3000)
def test_valid_distinct_and_as_llamacpp_says(pair: Pair) -> None:
    wanted = asks()
    theirs, ours = pair.llamacpp.choose(wanted), pair.vllm.choose(wanted)
    apart = 0
    for ask, one, other in zip(wanted, theirs, ours, strict=True):
        assert isinstance(one, Choice) and isinstance(other, Choice), (one, other)
        assert len(set(other.positions)) == ask.quota
        assert all(0 <= place < SHOWN for place in other.positions)
        assert np.exp(other.scores).sum() == pytest.approx(1)
        assert other.prompt_tokens == one.prompt_tokens
        if one.positions != other.positions:
            apart += 1
            print(near_tie(one, other))
    print(f"{apart} of {QUERIES} queries apart")
    assert apart <= 0.02 * QUERIES


def near_tie(one: Choice, other: Choice) -> str:
    """Says how near the first choice that differs was; fails where it was not near."""
    turn = next(
        turn
        for turn, (a, b) in enumerate(zip(one.positions, other.positions, strict=True))
        if a != b
    )
    gap = abs(one.probabilities[turn] - other.probabilities[turn])
    assert gap < NEAR, (one, other)
    return f"pick {turn + 1}: {one.probabilities[turn]:.4f} and {other.probabilities[turn]:.4f}"


def test_an_answer_that_does_not_end_is_none(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM gives up in silence where a constraint takes too long: here it runs out of tokens."""
    monkeypatch.setattr("localsel.backends.vllm.LONGEST", 1)
    (said,) = pair.vllm.choose(asks()[:1])
    assert isinstance(said, AnswerError)
    assert "'length'" in str(said)
