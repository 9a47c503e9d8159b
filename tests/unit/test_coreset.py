"""k-center against loops written out: the same picks, labels and radius on all kinds of vectors."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from localsel.compiled import compiled
from localsel.coreset import KCenter, kcenter
from localsel.errors import UsageError

Vectors = NDArray[np.float32]
# The first call compiles, which no deadline should count.
relaxed = settings(deadline=None, max_examples=60, derandomize=True)


def distances(vectors: Vectors, centre: int) -> Vectors:
    """As scikit-learn has them: double precision, then float32."""
    gaps = vectors.astype(np.float64) - vectors[centre].astype(np.float64)
    return np.sqrt((gaps**2).sum(axis=1).astype(np.float32))


def reference(vectors: Vectors, k: int, seed: int = 0, given: Sequence[int] = ()) -> KCenter:
    """The plain loop, every distance kept."""
    n = len(vectors)
    centres = list(given) or [int(np.random.default_rng(seed).integers(n))]
    wanted = min(n, len(given) + k)
    table = [distances(vectors, centre) for centre in centres]
    while len(centres) < wanted and np.min(table, axis=0).max() > 0:
        centres.append(int(np.min(table, axis=0).argmax()))
        table.append(distances(vectors, centres[-1]))
    radius = float(np.min(table, axis=0).max())
    return KCenter(np.array(centres), np.argmin(table, axis=0), radius)


def same(one: KCenter, other: KCenter) -> None:
    assert one.centres.tolist() == other.centres.tolist()
    assert one.labels.tolist() == other.labels.tolist()
    assert one.radius == pytest.approx(other.radius, rel=1e-6)


def cloud(n: int, d: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)


def unit_cloud(n: int, d: int, seed: int = 0) -> Vectors:
    vectors = cloud(max(1, n // 20), d, seed)[np.arange(n) % max(1, n // 20)]
    vectors += 0.5 * cloud(n, d, seed + 1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_line_by_hand() -> None:
    line = np.array([[0], [1], [2], [6], [10]], np.float32)
    found = kcenter(line, 2, given=[0])
    assert found.centres.tolist() == [0, 4, 3]
    assert found.labels.tolist() == [0, 0, 0, 2, 1]
    assert found.radius == 2.0
    assert found.centres.dtype == found.labels.dtype == np.int64


def test_the_result_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        kcenter(cloud(3, 2), 1).radius = 0.0  # type: ignore[misc]


def test_equally_far_rows_go_by_row_and_equally_near_centres_by_order() -> None:
    square = np.array([[0, 0], [1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    found = kcenter(square, 2, given=[0])
    assert found.centres.tolist() == [0, 1, 2]
    cross = np.array([[-1, 0], [1, 0], [0, 0]], np.float32)
    assert kcenter(cross, 1, given=[1]).labels.tolist() == [1, 0, 0]


def test_it_stops_when_every_row_lies_on_a_centre() -> None:
    found = kcenter(np.repeat(cloud(3, 4), 5, axis=0), 10)
    assert len(found.centres) == 3
    assert found.radius == 0.0
    assert all(len(set(found.labels[start : start + 5])) == 1 for start in (0, 5, 10))
    same(
        kcenter(np.ones((4, 3), np.float32), 4, given=[2]),
        KCenter(*map(np.array, ([2], [0] * 4, 0.0))),
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_no_more_centres_than_rows(n: int) -> None:
    found = kcenter(cloud(n, 3), 100)
    assert sorted(found.centres) == list(range(n))
    assert found.centres[found.labels].tolist() == list(range(n))


@relaxed
@given(
    arrays(
        np.float32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-3, 3)
    ),
    st.integers(1, 14),
    st.integers(0, 3),
)
def test_picks_are_the_plain_loops_where_ties_abound(vectors: Vectors, k: int, seed: int) -> None:
    same(kcenter(vectors, k, seed), reference(vectors, k, seed))


@pytest.mark.parametrize(
    ("n", "d", "k"), [(400, 384, 60), (700, 16, 200), (300, 1, 40), (150, 31, 150)]
)
@pytest.mark.parametrize("make", [cloud, unit_cloud])
def test_picks_are_the_plain_loops(n: int, d: int, k: int, make: Callable[..., Vectors]) -> None:
    for seed in range(3):
        vectors = make(n, d, seed)
        same(kcenter(vectors, k, seed), reference(vectors, k, seed))


def test_picks_are_those_over_scikit_learns_distances() -> None:
    pairwise_distances = importlib.import_module("sklearn.metrics").pairwise_distances
    vectors = unit_cloud(3000, 48)
    picks = [int(np.random.default_rng(5).integers(3000))]
    nearest = np.full(3000, np.inf, np.float32)
    while len(picks) < 200:
        newest = pairwise_distances(vectors, vectors[picks[-1:]]).ravel()
        nearest = np.minimum(nearest, newest)
        picks.append(int(nearest.argmax()))
    assert kcenter(vectors, 200, seed=5).centres.tolist() == picks


def test_near_duplicates_and_outliers_are_told_apart() -> None:
    vectors = unit_cloud(200, 24)
    vectors[100:] = vectors[:100] + 1e-6 * cloud(100, 24)
    vectors[7] *= 1e4
    same(kcenter(vectors, 200), reference(vectors, 200))


@relaxed
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 8), st.integers(1, 3)),
        elements=st.floats(-9, 9, width=32),
    ),
    st.integers(1, 4),
)
def test_the_radius_is_at_most_twice_the_best(vectors: Vectors, k: int) -> None:
    table = np.array([distances(vectors, row) for row in range(len(vectors))])
    subsets = itertools.combinations(range(len(vectors)), min(k, len(vectors)))
    best = min(table[list(subset)].min(axis=0).max() for subset in subsets)
    assert kcenter(vectors, k).radius <= 2 * best * (1 + 1e-6)


def test_the_seed_draws_the_first_centre() -> None:
    vectors = cloud(50, 4)
    firsts = [int(kcenter(vectors, 2, seed).centres[0]) for seed in range(8)]
    assert firsts == [int(np.random.default_rng(seed).integers(50)) for seed in range(8)]
    assert len(set(firsts)) > 1


def test_given_rows_are_centres_already() -> None:
    vectors = unit_cloud(300, 20)
    rows = np.array([250, 3, 77], np.int64)
    found = kcenter(vectors, 40, seed=9, given=rows)
    same(found, reference(vectors, 40, given=rows.tolist()))
    same(found, kcenter(vectors, 40, given=[250, 3, 77, 3]))
    assert len(found.centres) == len(set(found.centres)) == 43
    assert len(kcenter(vectors, 1, given=range(300)).centres) == 300


@pytest.mark.parametrize("rows", [[-1], [4], [0, 9]])
def test_given_rows_outside_are_refused(rows: list[int]) -> None:
    with pytest.raises(UsageError, match="from 0 to 3"):
        kcenter(cloud(4, 2), 1, given=rows)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-40, 1.0, 2.0**40, 2.0**120])
def test_scale_changes_the_radius_alone(scale: float) -> None:
    vectors = cloud(200, 12)
    whole, scaled = kcenter(vectors, 50), kcenter(vectors * np.float32(scale), 50)
    assert scaled.centres.tolist() == whole.centres.tolist()
    assert scaled.labels.tolist() == whole.labels.tolist()
    assert scaled.radius == whole.radius * scale


def test_offset_changes_nothing() -> None:
    vectors = np.round(cloud(200, 6) * 100)
    offset = np.float32([5000, -3000, 0, 1e5, 7, -1e5])
    same(kcenter(vectors + offset, 50), kcenter(vectors, 50))


def test_other_layouts_and_types_of_the_same_values() -> None:
    vectors = unit_cloud(120, 10)
    expected = kcenter(vectors, 30)
    wide = np.zeros((240, 20), np.float32)
    wide[::2, ::2] = vectors
    others: list[Any] = [wide[::2, ::2], np.asfortranarray(vectors), vectors.tolist()]
    for other in [*others, vectors.astype(np.float64), vectors.astype(">f4")]:
        same(kcenter(other, 30), expected)
    frozen = vectors.copy()
    frozen.flags.writeable = False
    same(kcenter(frozen, 30), expected)


def test_threads_change_nothing() -> None:
    numba = importlib.import_module("numba")
    limits = importlib.import_module("threadpoolctl").threadpool_limits
    vectors = unit_cloud(500, 64)
    expected = kcenter(vectors, 100)
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        with limits(threads):
            same(kcenter(vectors, 100), expected)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: kcenter(vectors, 100), range(4)):
            same(found, expected)


@pytest.mark.parametrize(
    "vectors",
    [[], [[]], [1.0, 2.0], 3.0, np.zeros((2, 2, 2)), np.zeros((0, 5)), np.zeros((5, 0))],
)
def test_what_is_not_rows_of_numbers_is_refused(vectors: Any) -> None:
    with pytest.raises(UsageError, match="shape"):
        kcenter(vectors, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_is_refused(value: float) -> None:
    vectors = np.zeros((4, 3))
    vectors[2, 1] = value
    with pytest.raises(UsageError, match="finite"):
        kcenter(vectors, 1)


@pytest.mark.parametrize("k", [0, -1])
def test_no_centres_are_refused(k: int) -> None:
    with pytest.raises(UsageError, match=f"k = {k}"):
        kcenter(cloud(4, 2), k)


def test_nowhere_to_keep_machine_code() -> None:
    numba = importlib.import_module("numba")
    homeless: dict[str, Any] = {}
    exec(compile("def twice(number):\n    return 2 * number", "<nowhere>", "exec"), homeless)
    with pytest.raises(RuntimeError, match="cannot cache function"):
        numba.njit(cache=True)(homeless["twice"])
    assert compiled.__wrapped__(homeless["twice"])(21) == 42


def test_numba_is_loaded_by_the_first_call_only() -> None:
    code = "import sys, localsel.coreset; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
