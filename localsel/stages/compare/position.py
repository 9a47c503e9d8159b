"""A selector's answers → does it choose by place: counts by position, a test, label prior, entropy.

Candidates are shuffled anew for every query and order, so whatever a selector likes stands at any
position equally often. Answers that were forced or filled at random say nothing about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from localsel.records import Answer, Plan
from localsel.stages.compare.board import Contestant, Floats

SHUFFLES = 2_000
BLOCK = 1_000_000

Shapes = tuple[tuple[int, int, int], ...]
"""Answers alike: candidates shown, chosen, and how many answers of that shape."""


def answered(contestant: Contestant, plan: Plan) -> list[Answer]:
    """What the selector itself said to queries of this plan."""
    asked = {query.id for query in plan.queries}
    answers = (contestant.answers[key] for key in sorted(contestant.answers))
    return [each for each in answers if each.outcome == "answered" and each.query in asked]


def position(answers: Sequence[Answer], seed: int) -> dict[str, Any] | None:
    """Chosen against expected per position; `rate` is the share of times shown there."""
    if not answers:
        return None
    shapes = shapes_of(answers)
    shown, expected = shown_at(shapes), expected_at(shapes)
    chosen = np.zeros(len(expected))
    for answer in answers:
        chosen[[answer.shown.index(row) for row in answer.chosen]] += 1
    statistic = float(((chosen - expected) ** 2 / expected).sum())
    return {
        "chi_square": statistic,
        "degrees": len(expected) - 1,
        "p_value": p_value(statistic, shapes, seed),
        "curve": [
            {"position": at, "chosen": int(count), "expected": float(mean), "rate": count / times}
            for at, (count, mean, times) in enumerate(zip(chosen, expected, shown, strict=True), 1)
        ],
    }


def shapes_of(answers: Iterable[Answer]) -> Shapes:
    found = Counter((len(answer.shown), len(answer.chosen)) for answer in answers)
    return tuple((*shape, count) for shape, count in sorted(found.items()))


def shown_at(shapes: Shapes) -> Floats:
    """[positions] how many answers had this position."""
    return _summed(shapes, lambda size, taken: 1.0)


def expected_at(shapes: Shapes) -> Floats:
    """[positions] how often each would be chosen if all were alike."""
    return _summed(shapes, lambda size, taken: taken / size)


def _summed(shapes: Shapes, each: Any) -> Floats:
    total = np.zeros(max(size for size, _, _ in shapes))
    for size, taken, count in shapes:
        total[:size] += each(size, taken) * count
    return total


def p_value(statistic: float, shapes: Shapes, seed: int) -> float | None:
    """Of a chi-square scaled to the mean and the variance that shuffles show.

    So a p far below 1 / shuffles can be said.
    """
    from scipy.special import chdtrc

    mean, variance = moments(shapes, seed)
    if not variance:
        return None
    return float(chdtrc(2 * mean**2 / variance, statistic * 2 * mean / variance))


@cache
def moments(shapes: Shapes, seed: int) -> tuple[float, float]:
    """Mean (computed) and variance (from shuffles) of the statistic when position is nothing."""
    expected = expected_at(shapes)
    spread = _summed(shapes, lambda size, taken: taken / size * (1 - taken / size))
    draw = np.random.default_rng([seed, 3])
    counts = np.zeros((SHUFFLES, len(expected)))
    for size, taken, count in shapes:
        counts[:, :size] += _shuffled(size, taken, count, draw)
    statistics = ((counts - expected) ** 2 / expected).sum(axis=1)
    return float((spread / expected).sum()), float(statistics.var())


def _shuffled(size: int, taken: int, count: int, draw: np.random.Generator) -> Floats:
    """[SHUFFLES, size] how often each position is chosen in `count` answers."""
    if taken == 1:
        return draw.multinomial(count, np.full(size, 1 / size), size=SHUFFLES).astype(float)
    total = np.zeros((SHUFFLES, size))
    step = max(1, BLOCK // (SHUFFLES * size))
    for start in range(0, count, step):
        keys = draw.random((SHUFFLES, min(step, count - start), size), dtype=np.float32)
        first = np.argpartition(keys, taken - 1, axis=2)[:, :, :taken]
        np.add.at(total, (np.arange(SHUFFLES)[:, None, None], first), 1)
    return total


def label_prior(answers: Sequence[Answer]) -> list[float]:
    """Mean probability of each label at the first choice, over the answers that have the label."""
    scored = [np.exp(answer.scores) for answer in answers if answer.scores]
    longest = max(map(len, scored), default=0)
    return [float(np.mean([p[at] for p in scored if at < len(p)])) for at in range(longest)]


def entropy(answers: Sequence[Answer]) -> float | None:
    """Mean over answers: 0 where the first choice is certain, 1 where all candidates are alike."""
    found = [_entropy(np.exp(answer.scores)) for answer in answers if len(answer.scores) > 1]
    return float(np.mean(found)) if found else None


def _entropy(weights: Floats) -> float:
    shares = weights / weights.sum()
    shares = shares[shares > 0]
    # Rounding can leave an even distribution a hair above 1.
    return float(np.clip(-(shares * np.log(shares)).sum() / np.log(len(weights)), 0, 1))
