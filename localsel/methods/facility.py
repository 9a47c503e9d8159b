"""Unit vectors → the rows that are near to all others: facility location, greedy."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from localsel.records import Rows, Vectors

FARTHEST = 2.0
"""Between two unit vectors no distance is larger."""
BLOCK = 512


def facility_location(vectors: Vectors, count: int) -> Rows:
    """Indices of `count` unit vectors [n, d], each adding most to the summed likeness of every row
    to the nearest of them; likeness is 2 less the Euclidean distance. Of equal gains the lowest
    index.

    Gains never grow, so most are not computed again. At least 1 - 1/e of the best sum is reached.

    Source: Minoux 1978 (accelerated greedy); Nemhauser, Wolsey & Fisher 1978 (the bound).
    """
    reached = np.zeros(len(vectors), dtype=np.float64)
    gains = np.concatenate(
        [
            _likeness(vectors, vectors[start : start + BLOCK]).sum(axis=0)
            for start in range(0, len(vectors), BLOCK)
        ]
    )
    waiting = [(-gain, place, 0) for place, gain in enumerate(gains.tolist())]
    heapq.heapify(waiting)
    chosen: list[int] = []
    while len(chosen) < count:
        _, place, known = heapq.heappop(waiting)
        likeness = _likeness(vectors, vectors[place : place + 1])[:, 0]
        if known == len(chosen):
            chosen.append(place)
            np.maximum(reached, likeness, out=reached)
        else:
            fresh = float(np.maximum(likeness - reached, 0).sum())
            heapq.heappush(waiting, (-fresh, place, len(chosen)))
    return np.array(chosen, dtype=np.int64)


def _likeness(vectors: Vectors, others: Vectors) -> NDArray[np.float64]:
    """[n, m] of vectors [n, d] to others [m, d]."""
    squares = np.maximum(2 - 2 * (vectors @ others.T).astype(np.float64), 0)
    found: NDArray[np.float64] = FARTHEST - np.sqrt(squares)
    return found
