"""A pool with responses, its vectors and a model → complex rows with good responses, all apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from localsel.errors import UsageError
from localsel.methods.base import Method, Pool, Remark, Step
from localsel.methods.measuring import answered, best, refuse_too_few
from localsel.methods.rating import Parts, Rating, asked, expected, pair
from localsel.records import Pick, Vectors
from localsel.settings import Settings
from localsel.wording import counted

OPTIONS = ("1", "2", "3", "4", "5", "6")
"""The ratings, as its templates have them."""
THRESHOLD = 0.9
BLOCK = 1024
"""Vectors that are measured against others at a time."""


class Deita(Rating):
    """The highest product of complexity and quality, passing over what is like a row before it.

    The complexity of the instruction alone and the quality of the response are expected values
    over the ratings 1 to 6. From the best row down, one is picked if its largest cosine to those
    that are picked or annotated already is at most --threshold [0.9]. The vectors are those of
    instruction and response together; of what is annotated, only the instruction is known. Where
    the pool ends before the budget is met, the best of those that were passed over fill it.

    Source: Liu et al. 2023 (DEITA), arXiv 2312.15685. Otherwise than there, the ratings are those
    of any model, asked in our words, and not of two that were trained for it; the vectors are of a
    sentence embedder, and not a language model's last state; of a conversation the first turn
    counts. Otherwise than in the released code, a rating that failed is missing and not 3, a row
    is measured against picked ones only, and equal scores keep the order of the file.
    """

    about = "complexity times quality, and no two picks alike"
    source = "arXiv 2312.15685"
    cost = "2 N calls"
    needs_vectors = True
    embeds_responses = True
    options: ClassVar[tuple[str, ...]] = ("threshold",)
    templates: ClassVar[tuple[str, ...]] = ("ratings/complexity", "ratings/quality")
    questions: ClassVar[Mapping[str, Parts]] = {
        "ratings/complexity": asked,
        "ratings/quality": pair,
    }

    @classmethod
    def of(cls, settings: Settings) -> type[Method]:
        """
        Raises:
            UsageError: the threshold is no cosine.
        """
        if settings.threshold is not None and not -1 <= settings.threshold <= 1:
            raise UsageError(
                f"--threshold {settings.threshold:g} is no cosine.",
                "Give a number from -1 to 1: picks are at most so alike.",
            )
        return cls

    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        assert pool.vectors is not None
        places, without = answered(pool.instructions)
        if without:
            yield without
        complexity, quality = yield from self.ratings([pool.instructions[each] for each in places])
        scores = [
            expected(hard, OPTIONS) * expected(good, OPTIONS) if hard and good else None
            for hard, good in zip(complexity, quality, strict=True)
        ]
        scored = sum(score is not None for score in scores)
        refuse_too_few(scored, budget)
        ranked = best(scores, scored)
        order = [places[each] for each in ranked]
        threshold = self.tools.settings.threshold
        apart = spread(
            pool.vectors[order], budget, THRESHOLD if threshold is None else threshold, pool.given
        )
        if missing := budget - len(apart):
            rows = counted(missing, "pick")
            yield Remark(f"{rows} are more like others than --threshold allows: no row was left.")
        passed = np.setdiff1d(np.arange(scored), apart)[:missing]
        for each in (*apart, *passed):
            row = pool.instructions[order[each]].row
            yield Pick(row=row, chosen_by="method", score=scores[ranked[each]])


def spread(
    vectors: Vectors, count: int, threshold: float, given: Vectors | None = None
) -> list[int]:
    """Indices of at most `count` unit vectors [n, d], taken in their order: each whose cosine to
    all `given` [g, d] and to all that were taken before is at most `threshold`.
    """
    known = 0 if given is None else len(given)
    others = np.empty((known + count, vectors.shape[1]), np.float32)
    if given is not None:
        others[:known] = given
    taken: list[int] = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        nearest = _nearest(block, others[: known + len(taken)])
        among = _cosines(block, block)
        for place in range(len(block)):
            if len(taken) == count:
                return taken
            if nearest[place] <= threshold:
                others[known + len(taken)] = block[place]
                taken.append(start + place)
                np.maximum(nearest, among[place], out=nearest)
    return taken


def _nearest(vectors: Vectors, others: Vectors) -> Vectors:
    """The largest cosine of each vector to any other; -1 where there is none."""
    found = np.full(len(vectors), -1, np.float32)
    for start in range(0, len(others), BLOCK):
        cosines = _cosines(vectors, others[start : start + BLOCK])
        np.maximum(found, cosines.max(axis=1), out=found)
    return found


def _cosines(vectors: Vectors, others: Vectors) -> Vectors:
    """[n, m] of unit vectors; what is equal has no more than 1."""
    found: Vectors = np.minimum(vectors @ others.T, 1)
    return found
