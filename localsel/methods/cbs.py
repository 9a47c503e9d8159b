"""A pool and its vectors → rows far from the middles of its clusters, and none of the noise."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from localsel.methods.base import Method, Pool, Progress, Remark
from localsel.methods.farthest import farthest
from localsel.methods.spanning import SpanningTree
from localsel.records import Pick, Rows, Vectors
from localsel.wording import counted

SMALLEST = 2
DISTANCES_AT_ONCE = 10_000_000
NOISE = -1
TIMED_STEPS = 20


class ClusterBased(Method):
    """Drops the noise of HDBSCAN, then picks k-center greedy with the clusters' means as centres.

    HDBSCAN is scikit-learn's, with clusters of two rows and more, and as many samples as in the
    paper's code: one. Its tree of distances is made here, so that it can say how far it is and be
    stopped. Nothing is drawn. Where fewer rows than the budget are in clusters, all of them are
    picked, then the noise that is farthest from everything; where there is no cluster at all, the
    pool is one. What is annotated already is a centre, too.

    Source: CBS-SBERT, a baseline of SelectLLM, arXiv 2401.16553. `docs/methods.md` lists every
    difference from the released code.
    """

    about = "far from the middles of HDBSCAN clusters, no noise"
    source = "arXiv 2401.16553"
    needs_vectors = True

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Progress | Remark]:
        assert pool.vectors is not None
        size = len(pool.vectors)
        tree = SpanningTree(pool.vectors)
        while not tree.is_whole:
            tree.grow(max(1, DISTANCES_AT_ONCE // size))
            yield Progress(max(1, int(size * tree.share)), size)
        labels = clusters_in(tree)
        inside = int((labels != NOISE).sum())
        clusters = counted(len(set(labels.tolist()) - {NOISE}), "cluster")
        yield Remark(f"HDBSCAN found {clusters}; {size - inside:,} of {size:,} rows are in none.")
        if budget > inside > 0:
            yield Remark(f"The clusters hold {counted(inside, 'row')}: the other picks are noise.")
        for place in away_from_middles(pool.vectors, labels, budget, pool.given):
            yield Pick(row=pool.instructions[place].row, chosen_by="method")

    def seconds(self, pool: Pool) -> float:
        assert pool.vectors is not None
        tree = SpanningTree(pool.vectors)
        tree.grow(1)  # compiles
        before, started = tree.share, time.perf_counter()
        tree.grow(TIMED_STEPS)
        done = tree.share - before
        return (time.perf_counter() - started) / done if done else 0.0


def clusters_in(tree: SpanningTree) -> Rows:
    """The cluster of each row, from 0, or NOISE, as HDBSCAN finds them.

    With one sample a row's core distance is that to its nearest neighbour, and no edge is shorter:
    mutual reachability is distance, and its minimum spanning tree this one. Which of the tree's
    branches are clusters is scikit-learn's to say.
    """
    from scipy.sparse import csr_array
    from sklearn.cluster import HDBSCAN

    size = len(tree.ends) + 1
    if size <= SMALLEST:
        return np.full(size, NOISE)
    # What is stored as zero would not be an edge.
    lengths = np.maximum(tree.lengths, np.finfo(np.float32).tiny)
    first, second = tree.ends.T
    both = np.concatenate([first, second]), np.concatenate([second, first])
    graph = csr_array((np.concatenate([lengths, lengths]), both), shape=(size, size))
    model = HDBSCAN(min_cluster_size=SMALLEST, min_samples=1, metric="precomputed", copy=True)
    labels: Rows = model.fit(graph).labels_.astype(np.int64)
    return labels


def away_from_middles(
    vectors: Vectors, labels: Rows, budget: int, given: Vectors | None = None
) -> Rows:
    """Indices of `budget` vectors, each the farthest from all before it, from the mean of every
    cluster, and from `given`; those of no cluster after all others.
    """
    if not (labels != NOISE).any():
        labels = np.zeros_like(labels)
    clustered, noise = np.flatnonzero(labels != NOISE), np.flatnonzero(labels == NOISE)
    centres = means_of(vectors[clustered], labels[clustered])
    if given is not None:
        centres = np.concatenate([centres, given])
    picked = clustered[farthest(vectors[clustered], min(budget, len(clustered)), 0, centres)]
    if not (missing := budget - len(picked)):
        return picked
    known = np.concatenate([centres, vectors[clustered]])
    return np.concatenate([picked, noise[farthest(vectors[noise], missing, 0, known)]])


def means_of(vectors: Vectors, labels: Rows) -> Vectors:
    """The mean vector of each cluster."""
    sums = np.zeros((labels.max() + 1, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    means: Vectors = (sums / np.bincount(labels)[:, None]).astype(np.float32)
    return means
