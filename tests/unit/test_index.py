"""Vectors in known company → the near-duplicates, densities and graphs that have to come out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.records import Vectors
from localsel.stages.index import (
    NEIGHBOURS,
    Neighbours,
    Progress,
    exact_search,
    find_neighbours,
    measure_recall,
)

Kind = Literal["auto", "hnsw", "exact"]

KINDS: tuple[Kind, ...] = ("exact", "hnsw")


def unit(vectors: object) -> Vectors:
    array = np.asarray(vectors, dtype=np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def angles(*degrees: float) -> Vectors:
    """Points on the circle: the cosine of two is that of the angle between them."""
    turns = np.radians(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def found(
    vectors: Vectors,
    path: Path,
    threshold: float | None = 0.95,
    kind: Kind = "exact",
    seed: int = 0,
) -> Neighbours:
    return followed(vectors, path, threshold, kind, seed)[0]


def followed(
    vectors: Vectors, path: Path, threshold: float | None, kind: Kind, seed: int
) -> tuple[Neighbours, list[Progress]]:
    """What was found, and the progress on the way."""
    steps, progress = find_neighbours(vectors, threshold, kind, seed, path), []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as finished:
            return finished.value, progress


def bunches(count: int, each: int, width: int = 32, seed: int = 0, spread: float = 0.02) -> Vectors:
    """`count` far-apart groups of near-duplicates, all in scattered order."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(count, width))
    bunch = generator.permutation(np.repeat(np.arange(count), each))
    return unit(centres[bunch] + generator.normal(scale=spread, size=(len(bunch), width)))


# --- near-duplicates -----------------------------------------------------------------------------


def test_the_first_row_of_a_group_stands_for_it(tmp_path: Path) -> None:
    vectors = angles(0, 90, 5, 95, 180, 3)
    assert found(vectors, tmp_path / "i").duplicate_of.tolist() == [-1, -1, 0, 1, -1, 0]


def test_nobody_is_dropped_for_being_near_a_row_that_is_dropped(tmp_path: Path) -> None:
    # 18 degrees are within 0.95, 20 are not: the third is near the second, not near the first.
    vectors = angles(0, 15, 30, 45, 46)
    assert found(vectors, tmp_path / "i").duplicate_of.tolist() == [-1, 0, -1, 2, 2]


def test_without_a_threshold_nobody_is_a_near_duplicate(tmp_path: Path) -> None:
    same = np.ones((9, 4), dtype=np.float32) / 2
    assert found(same, tmp_path / "i", None).duplicate_of.tolist() == [-1] * 9
    assert found(same, tmp_path / "i", 0.95).duplicate_of.tolist() == [-1] + [0] * 8


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 999), st.sampled_from([0.5, 0.8, 0.95]))
def test_every_dropped_row_is_near_an_earlier_row_that_is_kept(
    tmp_path_factory: pytest.TempPathFactory, kind: Kind, size: int, seed: int, threshold: float
) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(size, 3)))
    path = tmp_path_factory.mktemp("index") / "i"
    duplicate_of = found(vectors, path, threshold, kind).duplicate_of
    cosines = vectors @ vectors.T
    for row in np.flatnonzero(duplicate_of >= 0):
        leader = duplicate_of[row]
        assert leader < row
        assert duplicate_of[leader] == -1
        assert cosines[row, leader] >= threshold - 1e-6
    kept = np.flatnonzero(duplicate_of < 0)
    between = cosines[np.ix_(kept, kept)][np.triu_indices(len(kept), 1)]
    assert (between < threshold + 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spread", [0.0, 1e-4, 0.01])
def test_more_near_duplicates_than_the_list_is_long_are_all_found(
    tmp_path: Path, kind: Kind, spread: float
) -> None:
    generator = np.random.default_rng(1)
    others = generator.normal(size=(400, 32))
    copies = np.ones((60, 32)) + generator.normal(scale=spread, size=(60, 32))
    vectors = unit(np.concatenate([others[:200], copies, others[200:]]))
    duplicate_of = found(vectors, tmp_path / "i", 0.95, kind).duplicate_of
    assert duplicate_of.tolist() == [-1] * 201 + [200] * 59 + [-1] * 200
    assert NEIGHBOURS < 60


def test_both_kinds_agree_on_three_thousand_rows(tmp_path: Path) -> None:
    vectors = bunches(600, 5)
    exact = found(vectors, tmp_path / "unused", 0.95, "exact")
    hnsw = found(vectors, tmp_path / "i", 0.95, "hnsw")
    assert (exact.kind, hnsw.kind) == ("exact", "hnsw")
    assert (exact.duplicate_of >= 0).sum() == 2400
    assert hnsw.duplicate_of.tolist() == exact.duplicate_of.tolist()
    assert not (tmp_path / "unused").exists()
    assert hnsw.recall > 0.95


# --- density and recall --------------------------------------------------------------------------


def test_density_is_the_mean_cosine_to_the_ten_nearest_others(tmp_path: Path) -> None:
    vectors = bunches(7, 6, spread=0.5)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = -np.sort(-cosines, axis=1)[:, :NEIGHBOURS]
    for threshold in (None, 0.95):
        density = found(vectors, tmp_path / "i", threshold).density
        assert density == pytest.approx(nearest.mean(axis=1), abs=1e-6)
    assert density.dtype == np.float32


def test_density_does_not_depend_on_how_many_near_duplicates_were_looked_for(
    tmp_path: Path,
) -> None:
    vectors = bunches(4, 40)
    some = found(vectors, tmp_path / "i", None).density
    assert found(vectors, tmp_path / "i", 0.95).density == pytest.approx(some, abs=1e-6)


def test_the_fringe_is_less_dense_than_the_middle(tmp_path: Path) -> None:
    density = found(angles(*range(40), 120), tmp_path / "i").density
    assert int(np.argmin(density)) == 40
    assert density[20] > density[0] > density[40]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_pool_smaller_than_the_list_of_neighbours(tmp_path: Path, kind: Kind, size: int) -> None:
    vectors = angles(0, 90, 180, 270, 45)[:size]
    neighbours = found(vectors, tmp_path / "i", 0.95, kind)
    assert neighbours.duplicate_of.tolist() == [-1] * size
    others = (vectors @ vectors.T).sum(axis=1) - 1
    assert neighbours.density == pytest.approx(others / max(size - 1, 1), abs=1e-6)
    assert neighbours.recall == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(0, 99))
def test_recall_is_a_share_and_whole_where_the_search_is_exact(size: int, seed: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(size, 8)))
    assert measure_recall(exact_search(vectors), vectors, seed) == 1

    def half(rows: np.ndarray, count: int) -> tuple[np.ndarray, Vectors]:
        near, cosines = exact_search(vectors)(rows, count)
        return np.where(np.arange(count) % 2, -1, near), cosines

    count = min(NEIGHBOURS + 1, size)
    assert measure_recall(half, vectors, seed) == pytest.approx(-(-count // 2) / count)


def test_auto_is_exact_for_a_small_pool(tmp_path: Path) -> None:
    neighbours = found(bunches(20, 3), tmp_path / "i", 0.95, "auto")
    assert (neighbours.kind, neighbours.recall) == ("exact", 1.0)


# --- the graph -----------------------------------------------------------------------------------


def everything(neighbours: Neighbours) -> tuple[list[int], bytes, float]:
    return neighbours.duplicate_of.tolist(), neighbours.density.tobytes(), neighbours.recall


def test_the_same_graph_every_time(tmp_path: Path) -> None:
    vectors = bunches(500, 4, spread=0.1)
    first = found(vectors, tmp_path / "a", 0.95, "hnsw", seed=3)
    second = found(vectors, tmp_path / "b", 0.95, "hnsw", seed=3)
    assert everything(first) == everything(second)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_seed_is_another_graph(tmp_path: Path) -> None:
    vectors = bunches(50, 4)
    found(vectors, tmp_path / "a", 0.95, "hnsw", seed=3)
    found(vectors, tmp_path / "b", 0.95, "hnsw", seed=4)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_a_saved_index_gives_the_same_answers_and_is_not_built_again(tmp_path: Path) -> None:
    vectors = bunches(500, 4, spread=0.1)
    built, progress = followed(vectors, tmp_path / "i", 0.95, "hnsw", 0)
    content = (tmp_path / "i").read_bytes()
    loaded, shorter = followed(vectors, tmp_path / "i", 0.95, "hnsw", 0)
    assert everything(loaded) == everything(built)
    assert (tmp_path / "i").read_bytes() == content
    assert (len(progress), len(shorter)) == (4, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["i"]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_only_grows_and_ends_at_the_total(tmp_path: Path, kind: Kind) -> None:
    _, progress = followed(bunches(600, 4), tmp_path / "i", 0.95, kind, 0)
    done = [step for step, _ in progress]
    assert done == sorted(set(done))
    assert progress[-1][0] == progress[-1][1]
    assert len({total for _, total in progress}) == 1


def test_rows_whose_graph_falls_apart_are_still_found(tmp_path: Path) -> None:
    same = np.tile(unit([[1, 2, 3, 4]]), (1500, 1))
    duplicate_of = found(same, tmp_path / "i", 0.95, "hnsw").duplicate_of
    assert duplicate_of.tolist() == [-1] + [0] * 1499
