"""Vectors, and what is known already → the rows farthest from all before them, in that order."""

from __future__ import annotations

import numpy as np

from localsel.coreset import kcenter
from localsel.records import Rows, Vectors


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
