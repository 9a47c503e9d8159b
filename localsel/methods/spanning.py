"""Vectors → their minimum spanning tree: the n - 1 shortest edges that join them all.

Prim's algorithm: whoever is nearest to the tree joins it, and is measured against all who are not
in it. n² / 2 distances, on one thread; the tree grows by so many vectors as it is told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localsel.compiled import compiled
from localsel.records import Rows, Vectors


class SpanningTree:
    """A tree that begins at the first vector. `ends` [n - 1, 2] are complete once all are in it."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        size = len(vectors)
        self.ends: Rows = np.zeros((size - 1, 2), np.int64)
        self.size = 1
        self._newest = 0
        # Of those outside, by place: who it is, how far the tree is (squared), and who of it.
        self._outside = np.arange(1, size)
        self._far = np.full(size - 1, np.inf, np.float32)
        self._nearest = np.zeros(size - 1, np.int64)

    @property
    def is_whole(self) -> bool:
        return self.size == len(self._vectors)

    @property
    def share(self) -> float:
        """Of all distances, those that are taken."""
        size, left = len(self._vectors), len(self._vectors) - self.size
        return 1 - left * (left + 1) / max(size * (size - 1), 1)

    def grow(self, steps: int) -> None:
        """Lets so many more join, as long as there are any."""
        first, self.size = self.size, min(self.size + steps, len(self._vectors))
        self._newest = compiled(_join)(
            self._vectors,
            self._outside,
            self._far,
            self._nearest,
            self.ends,
            self._newest,
            first,
            self.size,
        )

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Euclidean, of every edge."""
        first, second = self._vectors[self.ends[:, 0]], self._vectors[self.ends[:, 1]]
        found: NDArray[np.float64] = np.linalg.norm(first.astype(np.float64) - second, axis=1)
        return found


def _join(
    vectors: Vectors,
    outside: Rows,
    far: Vectors,
    nearest: Rows,
    ends: Rows,
    newest: int,
    first: int,
    last: int,
) -> int:
    """Enlarges the tree from `first` vectors to `last`; returns who joined last."""
    n, d = vectors.shape
    for size in range(first, last):
        left = n - size
        best = 0
        for place in range(left):
            row = outside[place]
            total = np.float32(0)
            for axis in range(d):
                difference = vectors[newest, axis] - vectors[row, axis]
                total += difference * difference
            if total < far[place]:
                far[place], nearest[place] = total, newest
            if far[place] < far[best]:
                best = place
        ends[size - 1, 0], ends[size - 1, 1] = nearest[best], outside[best]
        newest = outside[best]
        # The last one outside takes the place that is free now.
        outside[best], far[best], nearest[best] = (
            outside[left - 1],
            far[left - 1],
            nearest[left - 1],
        )
    return newest
