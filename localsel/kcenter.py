"""Vectors → k centres, farthest first, and for every vector the nearest of them.

The plain loop measures every point against every new centre as it is picked, which costs a pass
over all vectors per step. Here a point is measured only when its last known distance, which can
but shrink, is the largest of all; then against all the centres it has missed, and the rest after
the last pick. The picks are the same, and the n · k comparisons come in batches that stay in cache.

Most comparisons need no exact distance. Each vector has a neighbour on a grid of small integers,
and between grid points squared distances are integers, exact in any order of summation. By the
triangle inequality they differ from the truth by no more than the two steps onto the grid, which
tells almost every centre apart from the nearest one known. What is left is measured exactly.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from localsel.errors import UsageError

CLIPPED = 0.001
"""Share of rows that may reach beyond the grid, so that a few outliers do not make it coarse."""

BATCH = 64
"""Centres measured at once after the last pick: their grid points and a row fit the inner cache."""


@dataclass(frozen=True, slots=True)
class KCenter:
    """`centres` int64 [m], rows in order of picking; `labels` int64 [n], each an index of `centres`.

    `radius` is the largest Euclidean distance of a vector to its centre.
    """

    centres: NDArray[np.int64]
    labels: NDArray[np.int64]
    radius: float


def kcenter(
    vectors: ArrayLike, k: int, seed: int = 0, given: Sequence[int] | NDArray[np.int64] = ()
) -> KCenter:
    """Pick k rows of `vectors` [n, d], each the farthest from all before it (CoreSet).

    The first is drawn from `numpy.random.default_rng(seed).integers(n)`; rows in `given` are
    centres already, come first, and the k further ones are picked away from them, with no draw.
    Of equally far rows the lowest is picked, of equally near centres the earliest is the label.
    Picking stops early when every row lies on a centre.

    Distances are Euclidean, computed in double precision on float32 values and rounded to float32,
    as scikit-learn does: picks are those of a loop over its `pairwise_distances`, ties included,
    on any number of threads. The radius is at most twice the smallest possible (Gonzalez 1985,
    doi 10.1016/0304-3975(85)90224-5; as core-sets, Sener & Savarese 2018, arXiv 1708.00489).
    O(n k d) time on one thread, 2 n d bytes of memory beside the vectors.
    """
    points = _checked(vectors)
    n = len(points)
    if k < 1:
        raise UsageError(f"k-center needs at least one centre, got k = {k}.")
    first = np.array(list(dict.fromkeys(given)), np.int64)
    if ((first < 0) | (first >= n)).any():
        raise UsageError(f"Given centres must be rows from 0 to {n - 1}, got {first.tolist()}.")
    wanted = min(n, len(first) + k)
    if not len(first):
        first = np.random.default_rng(seed).integers(n, size=1)
    middle = points[:: max(1, n // 1024)].mean(axis=0, dtype=np.float64)
    grid, off, step, unit = _compiled(_snap)(points, middle, _grid_limit(points.shape[1]))
    centres, labels, distances = _compiled(_farthest_first)(
        points, grid, off, step, unit, first, wanted
    )
    return KCenter(centres, labels, float(distances.max()) * unit)


def _checked(vectors: ArrayLike) -> NDArray[np.float32]:
    """The vectors as contiguous float32 [n, d], n and d at least 1, all finite."""
    points = np.ascontiguousarray(vectors, dtype=np.float32)
    if points.ndim != 2 or not points.size:
        raise UsageError(f"k-center needs vectors of shape [n, d], got {list(points.shape)}.")
    # Both extremes carry a NaN or an infinity along, without an array of n · d answers.
    if not np.isfinite([points.min(), points.max()]).all():
        raise UsageError("k-center needs finite vectors, got NaN or infinity in float32.")
    return points


def _grid_limit(d: int) -> int:
    """The largest grid coordinate for which a dot product of d of them still fits an int32."""
    return max(1, min(2**15 - 1, math.isqrt((2**31 - 1) // d)))


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code, kept on disk between processes where there is a place for it.

    Sums may be reordered into vector registers, in the same way in every run; NaN and infinity
    keep their meaning.
    """
    import numba

    compile_with = {"nogil": True, "fastmath": {"reassoc", "contract"}}
    try:
        return numba.njit(cache=True, **compile_with)(function)
    except RuntimeError:  # no folder can be written, neither beside the package nor the user's
        return numba.njit(**compile_with)(function)


def _snap(
    points: NDArray[np.float32], middle: NDArray[np.float64], limit: int
) -> tuple[NDArray[np.int16], NDArray[np.float64], float, float]:
    """Round each point to a grid around `middle` with coordinates in -limit … limit.

    Returns the grid points [n, d], how far off each is [n] in steps of the grid, the step, and a
    power of two near the largest coordinate: dividing by it is exact, and keeps squares in range.
    """
    n, d = points.shape
    reach = np.zeros(n)
    for row in range(n):
        for axis in range(d):
            reach[row] = max(reach[row], abs(points[row, axis] - middle[axis]))
    widest = np.max(reach)
    unit = 2.0 ** np.ceil(np.log2(widest)) if widest > 0.0 else 1.0
    usual = np.sort(reach)[int((n - 1) * (1.0 - CLIPPED))]
    step = usual / limit if usual > 0.0 else unit
    grid = np.empty((n, d), np.int16)
    off = np.empty(n)
    for row in range(n):
        total = 0.0
        for axis in range(d):
            exact = (points[row, axis] - middle[axis]) / step
            near = min(max(np.rint(exact), -limit), limit)
            grid[row, axis] = np.int16(near)
            total += (exact - near) ** 2
        off[row] = np.sqrt(total)
    return grid, off, step, unit


def _farthest_first(
    points: NDArray[np.float32],
    grid: NDArray[np.int16],
    off: NDArray[np.float64],
    step: float,
    unit: float,
    first: NDArray[np.int64],
    wanted: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Centres, labels and distances (in units of `unit`), as `kcenter` promises them.

    `distance` and `labels` of a row are exact for the first `seen` centres.
    """
    n, d = points.shape
    centres = np.empty(wanted, np.int64)
    block = np.empty((wanted, d), np.int16)  # grid points of the centres, side by side for the cache
    count = len(first)
    centres[:count] = first
    block[:count] = grid[first]
    distance = np.full(n, np.inf, np.float32)
    labels = np.zeros(n, np.int64)
    seen = np.zeros(n, np.int64)
    norms = np.empty(n, np.int64)
    for row in range(n):
        norm = np.int32(0)
        for axis in range(d):
            norm = np.int32(norm + np.int32(grid[row, axis]) * np.int32(grid[row, axis]))
        norms[row] = norm

    def meet(row: int, stop: int) -> None:
        """Measure the row against the centres before `stop` that it has not seen."""
        for place in range(seen[row], stop):
            centre = centres[place]
            dot = np.int32(0)
            for axis in range(d):
                dot = np.int32(dot + np.int32(grid[row, axis]) * np.int32(block[place, axis]))
            apart = norms[row] + norms[centre] - 2 * np.int64(dot)
            # The margin is far above rounding errors: one part in a million.
            near = (distance[row] * (unit / step) + off[row] + off[centre]) * 1.000001
            if apart > near * near:
                continue
            total = 0.0
            for axis in range(d):
                gap = np.float64(points[row, axis]) - np.float64(points[centre, axis])
                total += gap * gap
            exact = np.sqrt(np.float32(total / unit / unit))
            if exact < distance[row]:
                distance[row] = exact
                labels[row] = place
        seen[row] = max(seen[row], stop)

    # Ordered by distance, the farthest first, then by row: positive floats sort as their bits do.
    bits = distance.view(np.int32)
    for row in range(n):
        meet(row, count)
    heap = [row - (np.int64(bits[row]) << 32) for row in range(n)]
    heapq.heapify(heap)
    while count < wanted:
        row = heap[0] & 0xFFFFFFFF
        if distance[row] == 0.0:
            break
        if seen[row] < count:
            meet(row, count)
            heapq.heapreplace(heap, row - (np.int64(bits[row]) << 32))
        else:
            centres[count] = row
            block[count] = grid[row]
            count += 1
    for stop in range(BATCH, count + BATCH, BATCH):
        for row in range(n):
            meet(row, min(stop, count))
    return centres[:count], labels, distance
