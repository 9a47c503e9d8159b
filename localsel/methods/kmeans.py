"""A pool and its vectors → the instruction nearest to the middle of each of `budget` clusters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from localsel.methods.base import Method, Pool
from localsel.methods.means import means_of
from localsel.records import Answer, Pick, Vectors

BLOCK = 64
"""Centroids measured against all vectors at a time: 64 rows of distances stay small."""


class KMeans(Method):
    """As many k-means clusters as picks, the largest first; each gives its most typical member.

    Where CoreSet goes to the edges of the pool, this goes to its dense middle.
    """

    about = "the middle of each k-means cluster"
    needs_vectors = True
    draws = True

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer]:
        assert pool.vectors is not None
        centroids = largest_first(pool.vectors, budget, self.tools.settings.seed)
        for place in nearest_free(pool.vectors, centroids):
            yield Pick(row=pool.instructions[place].row, chosen_by="method")


def largest_first(vectors: Vectors, count: int, seed: int) -> Vectors:
    """Centroids [count, d] of k-means, that of the cluster with the most members first."""
    means = means_of(vectors, count, seed)
    sizes = np.bincount(means.labels_, minlength=count)
    centroids: Vectors = means.cluster_centers_[np.argsort(-sizes, kind="stable")]
    return centroids


def nearest_free(vectors: Vectors, centroids: Vectors) -> Iterator[int]:
    """For each centroid in turn the index of the nearest vector that no centroid before it took.

    Of equally near vectors the first.
    """
    free = np.ones(len(vectors), dtype=bool)
    squares = (vectors**2).sum(axis=1)
    for start in range(0, len(centroids), BLOCK):
        # Less the centroid's own square, which is the same for all vectors.
        far = squares - 2 * (centroids[start : start + BLOCK] @ vectors.T)
        for distances in far:
            place = int(np.argmin(np.where(free, distances, np.inf)))
            free[place] = False
            yield place
