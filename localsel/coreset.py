"""Vectors → k centres, farthest first, and for every vector the nearest of them.

The plain loop measures every point against every centre as it is picked: a pass over all vectors
per pick. Here a point is measured only when its last known distance, which can but shrink, is the
largest of all, and then against all the centres it has missed; the rest follows the last pick.
The picks are the same, and the comparisons come in batches that stay in the cache.

Nor does a comparison take a distance. Every point is rounded to a grid of small integers, where
squared distances are integers too, exact in whatever order they are summed. By the triangle
inequality a true distance differs from that on the grid by at most the two ways onto it, which
rules out all but a few of the centres. Only those are measured.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from localsel.compiled import compiled
from localsel.errors import UsageError

BATCH = 64
"""Centres met at a time after the last pick: their grid points stay in the cache between rows."""


@dataclass(frozen=True, slots=True)
class KCenter:
    """`centres` [m], rows in order of picking; `labels` [n], each an index of `centres`.

    `radius` is the largest Euclidean distance of a vector to its centre.
    """

    centres: NDArray[np.int64]
    labels: NDArray[np.int64]
    radius: float


def kcenter(
    vectors: ArrayLike, k: int, seed: int = 0, given: Sequence[int] | NDArray[np.int64] = ()
) -> KCenter:
    """Pick k rows of `vectors` [n, d], each the farthest from all before it (CoreSet).

    The first is `numpy.random.default_rng(seed).integers(n)`. Rows in `given` are centres already:
    they come first, k further ones are picked away from them, and nothing is drawn. Of equally far
    rows the lowest is picked; of equally near centres the earliest is the label. Picking stops
    early once every row lies on a centre.

    Distances are Euclidean on the values as float32, computed in double precision and rounded to
    float32, as scikit-learn does: the picks are those of a loop over its `pairwise_distances`,
    ties included, whatever the number of threads. The radius is at most twice the smallest
    possible (Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5; for choosing what to annotate,
    Sener & Savarese 2018, arXiv:1708.00489).

    Takes O(n k d) time on one thread, and 2 n d bytes beside the vectors.
    """
    points = _checked(vectors)
    n = len(points)
    if k < 1:
        raise UsageError(f"k-center picks at least one centre, got k = {k}.")
    first = np.array(list(dict.fromkeys(given)), np.int64)
    if ((first < 0) | (first >= n)).any():
        raise UsageError(f"Given centres are rows from 0 to {n - 1}, got {first.tolist()}.")
    wanted = min(n, len(first) + k)
    if not len(first):
        first = np.random.default_rng(seed).integers(n, size=1)
    middle, step = _frame(points)
    grid, off = compiled(_snap)(points, middle, step)
    centres, labels, distances = compiled(_farthest_first)(points, grid, off, step, first, wanted)
    return KCenter(centres, labels, float(distances.max()) * step)


def _checked(vectors: ArrayLike) -> NDArray[np.float32]:
    """The vectors as float32 [n, d], rows side by side, n and d at least 1."""
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
        points = np.asarray(vectors, dtype=np.float32, order="C")
    if points.ndim != 2 or not points.size:
        raise UsageError(f"k-center takes vectors of shape [n, d], got {list(points.shape)}.")
    points = points.view()
    points.flags.writeable = False  # always, as the compiler takes it for another type
    return points


def _frame(points: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """The middle of the points [d] and the step of the grid around it.

    Coordinates on the grid are small enough for a dot product of d of them to fit an int32. The
    step is a power of two, so that counting distances in steps changes none of their digits.
    """
    low, high = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)
    # A NaN or an infinity anywhere is also in the extremes, found without an n · d array.
    if not np.isfinite([low, high]).all():
        raise UsageError("k-center takes finite vectors, got NaN or infinity.")
    limit = max(1, min(2**15 - 1, math.isqrt((2**31 - 1) // points.shape[1])))
    widest = float((high - low).max()) / 2
    return (low + high) / 2, 2.0 ** math.ceil(math.log2(widest / limit)) if widest else 1.0


def _snap(
    points: NDArray[np.float32], middle: NDArray[np.float64], step: float
) -> tuple[NDArray[np.int16], float]:
    """The grid point of each point [n, d], and the longest way from one to the other, in steps."""
    n, d = points.shape
    grid = np.empty((n, d), np.int16)
    longest = 0.0
    for row in range(n):
        total = 0.0
        for axis in range(d):
            exact = (points[row, axis] - middle[axis]) * (1.0 / step)
            nearest = np.rint(exact)
            grid[row, axis] = np.int16(nearest)
            total += (exact - nearest) ** 2
        longest = max(longest, total)
    return grid, np.sqrt(longest)


def _farthest_first(
    points: NDArray[np.float32],
    grid: NDArray[np.int16],
    off: float,
    step: float,
    first: NDArray[np.int64],
    wanted: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Centres, labels, and distances in steps; `_snap` gives `grid` and `off`.

    One function for the compiler: what it defines inside becomes part of its loops.
    """
    n, d = points.shape
    distance = np.full(n, np.inf, np.float32)  # these three hold for the first `seen` centres
    labels = np.zeros(n, np.int64)
    seen = np.zeros(n, np.int64)
    squares = np.zeros(n, np.int64)  # of the grid points' lengths
    for row in range(n):
        for axis in range(d):
            squares[row] += np.int64(grid[row, axis]) * np.int64(grid[row, axis])

    # Of the centres: their rows, and copies side by side of their grid points and squares.
    centres = np.empty(wanted, np.int64)
    corners = np.empty((wanted, d), np.int16)
    corner_squares = np.empty(wanted, np.int64)
    count = len(first)
    centres[:count], corners[:count], corner_squares[:count] = first, grid[first], squares[first]

    def bar(row: int) -> np.int64:
        """A centre whose corner_square - 2 · dot is above this is farther than `distance[row]`."""
        # The margins are far above what rounding did to `distance`, `off` and the grid's origin.
        # No distance comes near 1e6 steps: it stands for the infinity that a row begins with.
        reach = (min(np.float64(distance[row]), 1e6) + 2.0 * off) * 1.000001 + 0.01
        return np.int64(reach * reach + 1.0 - squares[row])

    def meet(row: int, stop: int) -> None:
        """Bring the row up to date with the centres before `stop`."""
        barred = bar(row)
        for place in range(seen[row], stop):
            dot = np.int32(0)
            for axis in range(d):
                dot = np.int32(dot + np.int32(grid[row, axis]) * np.int32(corners[place, axis]))
            if corner_squares[place] - 2 * np.int64(dot) > barred:
                continue
            total = 0.0
            for axis in range(d):
                gap = np.float64(points[row, axis]) - np.float64(points[centres[place], axis])
                total += gap * gap
            exact = np.sqrt(np.float32(total / step / step))
            if exact < distance[row]:
                distance[row] = exact
                labels[row] = place
                barred = bar(row)
        seen[row] = max(seen[row], stop)

    # One number orders by distance, farthest first, then by row: floats >= 0 sort as their bits.
    bits = distance.view(np.int32)
    heap = [row - (np.int64(bits[row]) << 32) for row in range(n)]  # ascending: a heap already
    while count < wanted:
        row = int(heap[0] & 0xFFFFFFFF)
        if distance[row] == 0.0:
            break
        if seen[row] < count:
            meet(row, count)
            heapq.heapreplace(heap, row - (np.int64(bits[row]) << 32))
        else:
            centres[count], corners[count], corner_squares[count] = row, grid[row], squares[row]
            count += 1
    for stop in range(BATCH, count + BATCH, BATCH):
        for row in range(n):
            meet(row, min(stop, count))
    return centres[:count], labels, distance
