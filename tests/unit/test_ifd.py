"""IFD: ratios of a plain loop's losses, the rows that it takes, and what the variants add."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.alpaca import RESPONSE, before
from localsel.backends.base import Backend
from localsel.methods.base import Journal, Pool, Progress, Remark, Tools, Unscored
from localsel.methods.experience import typical
from localsel.methods.ifd import Experienced, Ifd, Superfiltering
from localsel.records import Instruction, Pick, Vectors
from localsel.settings import Settings
from tests.conftest import CHECKOUT

FOLDER = CHECKOUT / "models" / "nano-llama"
ANSWERS = (
    "The sun is a star.",
    "Bread is made of flour, water and salt.",
    "Thirty-seven.",
    "A poem about rivers:\nthey run, they turn.",
    "Yes.",
    "I do not know what you mean.",
)


def pool_of(count: int = len(ANSWERS)) -> Pool:
    return Pool(
        tuple(
            Instruction(10 + 3 * place, f"Question {place}?", "about it" * (place % 2), answer)
            for place, answer in enumerate(ANSWERS[:count])
        )
    )


def vectors_of(size: int) -> Vectors:
    found = np.random.default_rng(0).normal(size=(size, 8)).astype(np.float32)
    unit: Vectors = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def tools_of(backend: Backend | None, **options: Any) -> Tools:
    settings = Settings(data=Path("pool.jsonl"), budget=1, method="ifd", **options)
    return Tools(settings, Journal(), backend, selector="ab" * 32)


def losses_by_hand(instruction: Instruction) -> tuple[float, float]:
    """One row at a time, all logits, in float64."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    start = tokenizer("")["input_ids"]
    answer = tokenizer(instruction.response, add_special_tokens=False)["input_ids"]
    found = []
    for text in (before(instruction), RESPONSE):
        ids = [*start, *tokenizer(text, add_special_tokens=False)["input_ids"], *answer]
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        first = len(ids) - len(answer)
        found.append(-sum(float(logits[i - 1, ids[i]]) for i in range(first, len(ids))))
    return found[0] / len(answer), found[1] / len(answer)


def picked(method: Ifd, pool: Pool, budget: int) -> tuple[list[int], list[object]]:
    told = list(method.picks(pool, budget))
    rows = [each.row for each in told if isinstance(each, Pick)]
    return rows, [each for each in told if not isinstance(each, Pick | Progress)]


def taken(ratios: Sequence[tuple[int, float]], budget: int) -> list[int]:
    """Rows by the rule: the largest of those at most 1, then the smallest of the others."""
    inside = sorted((each for each in ratios if each[1] <= 1), key=lambda each: -each[1])
    outside = sorted((each for each in ratios if each[1] > 1), key=lambda each: each[1])
    return [row for row, _ in [*inside, *outside]][:budget]


def test_the_picks_are_those_of_a_plain_loop(backend: Backend) -> None:
    pool = pool_of()
    by_hand = [(each.row, losses_by_hand(each)) for each in pool.instructions]
    ratios = [(row, after / alone) for row, (after, alone) in by_hand]
    for budget in range(1, len(ANSWERS) + 1):
        rows, said = picked(Ifd(tools_of(backend)), pool, budget)
        assert rows == taken(ratios, budget)
        helped = sum(ratio <= 1 for _, ratio in ratios)
        assert any(isinstance(each, Remark) for each in said) is (helped < budget)


def test_superfiltering_goes_by_perplexities_strictly_below_one() -> None:
    assert Superfiltering.of(Settings(data=Path("x"), budget=1, variant="superfiltering")) is (
        Superfiltering
    )
    method = Superfiltering(tools_of(None, variant="superfiltering"))
    assert method.ratio(2.0, 2.5) == pytest.approx(math.exp(2.0) / math.exp(2.5))
    assert not method.helps(1.0) and method.helps(0.999)
    assert Ifd(tools_of(None)).helps(1.0)


def test_the_two_ratios_do_not_rank_alike() -> None:
    plain, small = Ifd(tools_of(None)), Superfiltering(tools_of(None))
    one, other = (1.0, 1.2), (4.0, 4.5)
    assert plain.ratio(*one) < plain.ratio(*other)
    assert small.ratio(*one) > small.ratio(*other)


def test_superfiltering_takes_the_typical_of_the_best_fifth() -> None:
    method = Superfiltering(tools_of(None, variant="superfiltering"))
    ratios = [place / 100 for place in range(100)]
    vectors = vectors_of(100)
    vectors[80:] = vectors[97]  # Of the best fifth all are alike: then the first is taken.
    pool = Pool((), vectors)
    chosen = method.chosen(ratios, 3, pool, list(range(100)))
    assert len(set(chosen)) == 3 and set(chosen) <= set(range(80, 100))
    assert method.chosen(ratios, 90, pool, list(range(100))) != sorted(range(10, 100), reverse=True)
    # 1.0 does not help: 99 rows are left, and no more than these are wanted.
    assert (
        method.chosen([*ratios, 1.0], 101, Pool((), vectors_of(101)), list(range(101)))[-1] == 100
    )


def test_rows_without_a_response_are_unscored_and_never_picked(backend: Backend) -> None:
    rows = (*pool_of().instructions, Instruction(99, "Nothing said", response=""))
    picks, said = picked(Ifd(tools_of(backend)), Pool(rows), 6)
    assert 99 not in picks and len(picks) == 6
    assert Unscored({99: "it has no response"}) in said


def test_a_prompt_that_fills_the_window_is_missing_not_zero(backend: Backend) -> None:
    long = Instruction(99, "word " * 400, response="Yes.")
    picks, said = picked(
        Ifd(tools_of(backend, tune_length=64)), Pool((*pool_of().instructions, long)), 6
    )
    assert 99 not in picks
    assert any(isinstance(each, Unscored) and 99 in each.reasons for each in said)


def test_settings_say_which_it_is() -> None:
    def of(**options: Any) -> type:
        return Ifd.of(Settings(data=Path("x"), budget=1, **options))

    assert of() is Ifd and of(variant="cherry") is Ifd
    assert of(pre_experience=True) is Experienced
    assert Experienced.tunes and Experienced.needs_vectors and not Ifd.tunes


def test_experience_takes_the_middle_at_even_steps() -> None:
    losses = [float(place) for place in range(40)]
    chosen = typical(np.arange(40), losses, 4)
    assert len(chosen) == 4 and chosen == sorted(chosen)
    assert all(9 <= place <= 30 for place in chosen)
    assert typical(np.arange(3), losses, 4) == [0, 1, 2]
    assert 1 not in typical(np.arange(10), [None if place == 1 else 1.0 for place in range(10)], 9)
