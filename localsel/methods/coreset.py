"""A pool and its vectors → the centres of k-center greedy: coverage without anyone's judgement."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from localsel.coreset import kcenter
from localsel.methods.base import Method, Pool
from localsel.records import Answer, Pick, Rows, Vectors


class CoreSet(Method):
    """Each pick is the instruction farthest from all picks before it, and from what is annotated.

    Source: Sener & Savarese 2018, arXiv 1708.00489. It is what `selectllm` clusters around, so
    the difference between the two is what the model adds.
    """

    about = "each the farthest from all before it"
    source = "arXiv 1708.00489"
    needs_vectors = True
    draws = True

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer]:
        assert pool.vectors is not None
        for place in farthest(pool.vectors, budget, self.tools.settings.seed, pool.given):
            yield Pick(row=pool.instructions[place].row, chosen_by="method")


def farthest(vectors: Vectors, budget: int, seed: int, given: Vectors | None = None) -> Rows:
    """Indices of `budget` vectors in order of picking; `given` are centres from the start.

    Where every vector lies on a centre before the budget is met, all others are equally far, and
    the first of them fill it: the lowest of equally far rows, as ever.
    """
    has_given = given is not None and len(given)
    points = np.concatenate([vectors, given]) if has_given else vectors
    found = kcenter(points, budget, seed, given=range(len(vectors), len(points)))
    centres = found.centres[found.centres < len(vectors)]
    others = np.setdiff1d(np.arange(len(vectors)), centres)
    return np.concatenate([centres, others[: budget - len(centres)]])
