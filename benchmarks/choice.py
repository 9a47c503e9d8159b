"""What do k constrained picks of 14 candidates cost, beside the prefill that nobody can avoid?

Everything runs on one llama.cpp model of SmolLM-135M's shape, one thread, from a cold cache: the
bare prefill of the same tokens in one call, localsel, Outlines' own wrapper called once for every
pick, and a free answer of 64 tokens. All take turns on the same queries; the first round is a
warm-up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from benchmarks._measure import Work, cpu, example_rows, in_turns, median, median_ratio
from benchmarks._model import parameters, random_model
from localsel.backends.base import Ask, Choice, Opening
from localsel.backends.constraint import pattern
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.records import Prompt, after_pick
from localsel.stages.prompt import find_template, render

CANDIDATES = 14
PICKS = (1, 2, 5)
FREE = 64
LIMITS = {2: 1.06, 5: 1.12}


def run(model: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Medians over `rounds` queries; ratios are taken within a round, to its bare prefill."""
    with tempfile.TemporaryDirectory() as folder:
        path = model or random_model(Path(folder))
        opening = Opening(str(path), context=4096 if model is None else None, threads=1)
        with closing(LlamaCppBackend.open(opening)) as backend:
            rival = Outlines(backend)
            measured = []
            for number, prompt in enumerate(islice(prompts(), rounds + 1)):
                measured.append(one_round(backend, rival, prompt, number))
    measured = measured[1:]
    names = [name for name in measured[0] if name not in ("tokens", "bare prefill again")]
    ways = {
        name: {
            "cpu_seconds": round(median(measured, name), 4),
            "ratio": round(median_ratio(measured, name, "bare prefill"), 3),
        }
        for name in names
    }
    return {
        "benchmark": "choice",
        "model": str(model) if model else "random weights in SmolLM-135M's shape, Q4_0",
        "parameters": parameters() if model is None else None,
        "candidates": CANDIDATES,
        "prompt_tokens": int(median(measured, "tokens")),
        "rounds": rounds,
        "threads": 1,
        "ways": ways,
        "within_limits": all(ways[way(k)]["ratio"] <= limit for k, limit in LIMITS.items()),
        "limits": {way(k): limit for k, limit in LIMITS.items()},
    }


def way(k: int) -> str:
    return f"localsel, {k} of {CANDIDATES}"


def one_round(
    backend: LlamaCppBackend, rival: Outlines, prompt: Prompt, number: int
) -> dict[str, float]:
    """CPU seconds of every way to treat one prompt, and its tokens."""
    llama = backend._llama
    tokens = [*backend._head_tokens(prompt), *backend._tail_tokens(prompt)]

    def bare() -> None:
        llama.reset()
        llama.eval(tokens)

    def free() -> None:
        llama.reset()
        for _ in islice(llama.generate(tokens, temp=0.0), FREE):
            pass

    def choose(k: int) -> Work:
        def work() -> None:
            # Nothing of an earlier query is reused, or the prefill would be a shorter one.
            backend._head = ()
            (choice,) = backend.choose([Ask(prompt, k)])
            assert isinstance(choice, Choice), choice

        return work

    works: dict[str, Work] = {"bare prefill": bare}
    works |= {way(k): choose(k) for k in PICKS}
    works |= {"bare prefill again": bare, f"free answer of {FREE} tokens": free}
    seconds = in_turns(works, number)
    # Two of them: one that was disturbed would move every ratio of the round.
    seconds["bare prefill"] = (seconds["bare prefill"] + seconds["bare prefill again"]) / 2
    return seconds | rival.seconds(prompt) | {"tokens": len(tokens)}


class Outlines:
    """Outlines' own llama.cpp model, asked for one label after the other."""

    def __init__(self, backend: LlamaCppBackend) -> None:
        import outlines

        self._backend = backend
        self._model: Any = outlines.from_llamacpp(backend._llama, chat_mode=False)

    def seconds(self, prompt: Prompt) -> dict[str, float]:
        """CPU seconds until the first, second and fifth label is there."""
        steps = self._labels(prompt)
        total, found = 0.0, {}
        for turn in range(1, max(PICKS) + 1):
            total += cpu(lambda: next(steps))
            if turn in PICKS:
                found[f"Outlines' wrapper, {turn} of {CANDIDATES}"] = total
        return found

    def _labels(self, prompt: Prompt) -> Iterator[str]:
        from outlines.types import Regex

        text, left = self._backend.whole(prompt), list(prompt.labels)
        while left:
            answer = self._model(text, Regex(pattern(left)), max_tokens=8, temperature=0.0)
            label = str(answer).rstrip("]")
            left.remove(label)
            text += after_pick(label)
            yield label


def prompts() -> Iterator[Prompt]:
    """Queries of the example pool's instructions; the same ones every time.

    Those without an input: the nano selector's tokenizer, which the random model borrows, makes
    as many tokens of them as a large one makes of the average row.
    """
    texts = [row["instruction"] for row in example_rows() if not row["input"]]
    rng = Random(0)
    template = find_template("published")
    while True:
        yield render(template, rng.sample(texts, CANDIDATES), max(PICKS))


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    head = [f"{result['prompt_tokens']} tokens", "CPU seconds", "times the prefill", "at most"]
    limits = result["limits"]
    rows: list[list[object]] = [
        [name, found["cpu_seconds"], found["ratio"], limits.get(name, "")]
        for name, found in result["ways"].items()
    ]
    return head, rows
