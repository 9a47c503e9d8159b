"""Vectors → their spanning tree, scikit-learn's clusters, and the picks far from their means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn.cluster import HDBSCAN
from sklearn.metrics import pairwise_distances

from localsel.methods.base import Journal, Pool, Progress, Remark, Tools
from localsel.methods.cbs import NOISE, ClusterBased, away_from_middles, clusters_in
from localsel.methods.spanning import SpanningTree
from localsel.records import Instruction, Pick, Rows, Vectors
from localsel.settings import Settings


def heaps(sizes: list[int], stray: int = 0, seed: int = 0, width: int = 16) -> Vectors:
    """Unit vectors: tight heaps of these sizes, then some that lie anywhere."""
    generator = np.random.default_rng(seed)
    middles = generator.normal(size=(len(sizes), width))
    near = np.repeat(middles, sizes, axis=0) + generator.normal(size=(sum(sizes), width)) / 20
    vectors = np.concatenate([near, generator.normal(size=(stray, width))]).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def whole(vectors: Vectors, steps: int = 7) -> SpanningTree:
    tree = SpanningTree(vectors)
    while not tree.is_whole:
        tree.grow(steps)
    return tree


def parts(labels: Rows) -> set[frozenset[int]]:
    """Who is together, whatever the clusters' numbers."""
    return {
        frozenset(np.flatnonzero(labels == label).tolist())
        for label in set(labels.tolist()) - {NOISE}
    }


# --- the tree ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 50, 300])
def test_no_tree_is_shorter(size: int) -> None:
    vectors = heaps([size // 2, size - size // 2])
    tree = whole(vectors)
    shortest = minimum_spanning_tree(pairwise_distances(vectors.astype(np.float64))).sum()
    assert tree.lengths.sum() == pytest.approx(shortest, rel=1e-6)
    assert set(tree.ends.ravel().tolist()) == set(range(size))


def test_it_is_the_same_however_it_grows_and_says_how_far_it_is() -> None:
    vectors = heaps([40, 60])
    assert whole(vectors, 1).ends.tolist() == whole(vectors, 1000).ends.tolist()
    tree = SpanningTree(vectors)
    shares = [tree.share]
    while not tree.is_whole:
        tree.grow(9)
        shares.append(tree.share)
    assert shares[0] == 0.0
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0
    assert SpanningTree(vectors[:1]).is_whole


# --- the clusters --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("samples", [1, 2])
def test_the_clusters_are_those_of_scikit_learn(seed: int, samples: int) -> None:
    vectors = heaps([30, 3, 12, 55, 2, 8], stray=60, seed=seed)
    vectors[4] = vectors[2]  # one point
    # It counts a row among its own samples, and hdbscan does not: one or two are the same here.
    plain = HDBSCAN(min_cluster_size=2, min_samples=samples, copy=True).fit(vectors)
    found = clusters_in(whole(vectors))
    assert parts(found) == parts(plain.labels_)
    assert len(parts(found)) > 1


@pytest.mark.parametrize("size", [1, 2, 3])
def test_very_few_rows_are_no_clusters(size: int) -> None:
    assert clusters_in(whole(heaps([size]))).tolist() == [NOISE] * size


# --- the picks -----------------------------------------------------------------------------------


def loop(vectors: Vectors, labels: Rows, budget: int, given: Vectors) -> list[int]:
    """The picks by a loop over all distances: clustered rows first, noise when they run out."""
    rows = sorted(set(labels.tolist()) - {NOISE})
    means = np.array([vectors[labels == row].mean(axis=0) for row in rows], np.float32)
    known, picked = np.concatenate([means, given]), []
    for free in (
        np.flatnonzero(labels != NOISE).tolist(),
        np.flatnonzero(labels == NOISE).tolist(),
    ):
        while free and len(picked) < budget:
            far = pairwise_distances(vectors[free], known).min(axis=1)
            picked.append(free.pop(int(far.argmax())))
            known = np.concatenate([known, vectors[picked[-1:]]])
    return picked


@pytest.mark.parametrize("budget", [1, 20, 45, 52, 60])
@pytest.mark.parametrize("given", [0, 5])
def test_each_is_the_farthest_from_the_means_and_from_all_before(budget: int, given: int) -> None:
    vectors, annotated = heaps([20, 10, 15], stray=15), heaps([5], seed=9)[:given]
    labels = np.repeat([0, 1, 2, NOISE], [20, 10, 15, 15])
    found = away_from_middles(vectors, labels, budget, annotated)
    assert found.tolist() == loop(vectors, labels, budget, annotated)
    assert len(set(found.tolist())) == budget


def test_a_pool_without_clusters_is_one() -> None:
    vectors = heaps([], stray=30)
    labels = np.full(30, NOISE)
    found = away_from_middles(vectors, labels, 12)
    assert found.tolist() == loop(vectors, np.zeros(30, np.int64), 12, vectors[:0])


def test_alike_vectors_still_fill_the_budget() -> None:
    vectors = heaps([2, 2])[[0, 0, 0, 2, 2, 2]]
    for budget in range(1, 7):
        found = away_from_middles(vectors, np.array([0, 0, 0, 1, 1, NOISE]), budget)
        assert len(set(found.tolist())) == budget


# --- the method ----------------------------------------------------------------------------------


def told(vectors: Vectors, budget: int) -> list[Pick | Progress | Remark]:
    """All that the method says; rows are 5, 7, 9, …"""
    rows = tuple(Instruction(5 + 2 * place, f"Do {place}.") for place in range(len(vectors)))
    options = Settings(data=Path("data.jsonl"), budget=budget, method="cbs")
    return list(ClusterBased(Tools(options, Journal())).picks(Pool(rows, vectors), budget))


def test_noise_is_picked_only_when_the_clusters_are_empty_and_said_so() -> None:
    vectors = heaps([20, 20, 20], stray=20)
    labels = clusters_in(whole(vectors))
    noise = set((5 + 2 * np.flatnonzero(labels == NOISE)).tolist())
    inside = len(vectors) - len(noise)
    assert noise
    few, many = told(vectors, inside), told(vectors, inside + 3)
    assert not noise & {each.row for each in few if isinstance(each, Pick)}
    assert len(noise & {each.row for each in many if isinstance(each, Pick)}) == 3
    first, second = ([e.text for e in said if isinstance(e, Remark)] for said in (few, many))
    assert first == [
        f"HDBSCAN found {len(parts(labels))} clusters; {len(noise)} of 80 rows are in none."
    ]
    assert second == [*first, f"The clusters hold {inside} rows: the other picks are noise."]


def test_it_says_how_far_it_is() -> None:
    steps = [each for each in told(heaps([30, 30]), 1) if isinstance(each, Progress)]
    assert (steps[-1].done, steps[-1].total) == (60, 60)
