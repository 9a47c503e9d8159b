"""Hand-made pools → the rows that a baseline has to pick, found by brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from localsel.coreset import kcenter
from localsel.methods import METHODS
from localsel.methods.base import Journal, Pool, Tools
from localsel.methods.farthest import farthest
from localsel.methods.kmeans import BLOCK, largest_first, nearest_free
from localsel.records import Instruction, Pick, Vectors
from localsel.settings import Settings


def unit_vectors(size: int, seed: int = 0, width: int = 8) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(size, width)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def picked(name: str, pool: Pool, budget: int, seed: int = 0) -> list[int]:
    """The rows that a method picks, in its order."""
    settings = Settings(data=Path("data.jsonl"), budget=budget, method=name, seed=seed)
    picks = list(METHODS.load(name)(Tools(settings, Journal())).picks(pool, budget))
    assert all(isinstance(pick, Pick) and pick.chosen_by == "method" for pick in picks)
    return [pick.row for pick in picks]


def pool_of(vectors: Vectors, given: Vectors | None = None) -> Pool:
    """Rows 5, 7, 9, …, so that a place is never taken for a row."""
    rows = range(5, 5 + 2 * len(vectors), 2)
    return Pool(tuple(Instruction(row, f"Do {row}.") for row in rows), vectors, given=given)


# --- length --------------------------------------------------------------------------------------


def written(*texts: tuple[str, str]) -> Pool:
    return Pool(tuple(Instruction(3 * place, *text) for place, text in enumerate(texts)))


def test_length_counts_the_characters_of_instruction_and_input() -> None:
    pool = written(("a b c d", ""), ("abcdefgh", ""), ("ab", "cdefgh"), ("日本語", ""))
    assert picked("length-short", pool, 4) == [9, 0, 3, 6]
    assert picked("length-long", pool, 4) == [6, 3, 0, 9]


def test_of_equal_lengths_the_earlier_row_comes_first() -> None:
    pool = written(("bb", ""), ("aaa", ""), ("aa", ""), ("bbb", ""))
    assert picked("length-short", pool, 3) == [0, 6, 3]
    assert picked("length-long", pool, 3) == [3, 9, 0]


# --- coreset -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_coreset_picks_the_centres_of_k_center(seed: int) -> None:
    vectors = unit_vectors(60, seed)
    places = kcenter(vectors, 17, seed).centres
    assert picked("coreset", pool_of(vectors), 17, seed) == (5 + 2 * places).tolist()


def test_coreset_picks_away_from_what_is_annotated() -> None:
    vectors, given = unit_vectors(60), unit_vectors(7, seed=1)
    centres: list[int] = []
    for _ in range(17):
        known = np.concatenate([given, vectors[centres]])
        centres.append(int(pairwise_distances(vectors, known).min(axis=1).argmax()))
    # Whatever the seed: the annotated ones leave nothing to draw.
    for seed in (0, 1):
        rows = picked("coreset", pool_of(vectors, given), 17, seed)
        assert rows == [5 + 2 * place for place in centres]


def test_an_empty_given_is_none_given() -> None:
    vectors = unit_vectors(20)
    nothing = np.empty((0, 8), np.float32)
    assert farthest(vectors, 5, 3, nothing).tolist() == farthest(vectors, 5, 3).tolist()


def test_where_all_vectors_lie_on_centres_the_first_rows_fill_the_budget() -> None:
    vectors = unit_vectors(3)[[0, 0, 1, 1, 2, 2]]
    found = farthest(vectors, 5, seed=0).tolist()
    assert len(set(vectors[found[:3], 0].tolist())) == 3
    assert found[3:] == sorted(set(range(6)) - set(found[:3]))[:2]
    # All of them annotated already.
    assert farthest(vectors, 4, 0, vectors[::2]).tolist() == [0, 1, 2, 3]


# --- kmeans --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 9, 2 * BLOCK + 1, 200])
def test_kmeans_gives_each_centroid_its_nearest_free_row(count: int) -> None:
    vectors = unit_vectors(200)
    centroids = largest_first(vectors, count, seed=0)
    free = list(range(200))
    for centroid, place in zip(centroids, nearest_free(vectors, centroids), strict=True):
        distances = np.linalg.norm(vectors[free] - centroid, axis=1)
        assert np.linalg.norm(vectors[place] - centroid) == pytest.approx(distances.min(), abs=1e-3)
        free.remove(place)


def test_of_equally_near_rows_the_first_is_taken() -> None:
    vectors = np.array([[0, 1], [1, 0], [1, 0], [0, 1]], np.float32)
    centroids = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    assert list(nearest_free(vectors, centroids)) == [1, 0, 2]


def test_kmeans_finds_one_row_of_each_heap_the_largest_heap_first() -> None:
    heaps = np.repeat(np.eye(4, 8, dtype=np.float32), [3, 20, 5, 10], axis=0)
    vectors = heaps + unit_vectors(38) / 50
    rows = picked("kmeans", pool_of(vectors), 4)
    heap_of = np.repeat(np.arange(4), [3, 20, 5, 10])
    assert [int(heap_of[(row - 5) // 2]) for row in rows] == [1, 3, 2, 0]


def test_kmeans_fills_the_budget_from_fewer_distinct_vectors() -> None:
    vectors = unit_vectors(3)[[0, 0, 1, 1, 2, 2]]
    assert len(set(picked("kmeans", pool_of(vectors), 5))) == 5


def test_kmeans_is_the_same_whatever_the_number_of_threads() -> None:
    from threadpoolctl import threadpool_limits

    pool = pool_of(unit_vectors(600, width=32))
    with threadpool_limits(limits=2):
        several = picked("kmeans", pool, 40)
    with threadpool_limits(limits=1):
        assert picked("kmeans", pool, 40) == several
