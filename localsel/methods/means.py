"""Vectors → their k-means clusters, the same every time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from localsel.records import Rows, Vectors

TURNS = 100


def clusters_of(vectors: Vectors, count: int, seed: int) -> Rows:
    """The k-means cluster of each vector [n, d], from 0."""
    labels: Rows = means_of(vectors, count, seed).labels_.astype(np.int64)
    return labels


def means_of(vectors: Vectors, count: int, seed: int) -> Any:
    """scikit-learn's k-means, fitted."""
    from sklearn.cluster import KMeans as Means
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # Sums over several threads come in any order, and with them the last bits of the centroids.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Fewer distinct vectors than clusters: some centroids are alike, and share what is near.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Means(count, n_init=1, max_iter=TURNS, random_state=seed).fit(vectors)
