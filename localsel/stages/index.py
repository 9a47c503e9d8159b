"""Vectors → neighbours: which rows are near-duplicates, and how dense it is around each.

Exact by blocks for small pools, hnswlib for large ones. With one thread and a seed hnswlib builds
the same graph every time.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from localsel.records import Rows, Vectors

Progress = tuple[int, int]  # done, total

EXACT_BELOW = 20_000
NEIGHBOURS = 10
BLOCK = 1024
RECALL_SAMPLE = 256
GRAPH = {"M": 12, "ef_construction": 60}
EF_OF_ONE = 400
"""How far the graph is searched for one row alone, where time is no matter."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the index knows about n instructions.

    Attributes:
        duplicate_of: [n] index of the first row of the near-duplicate group, or -1.
        density: [n] mean cosine to the nearest neighbours: low at the fringe of the pool.
        recall: share of true neighbours that the index finds, on a sample; 1 when exact.
        kind: `exact` or `hnsw`.
    """

    duplicate_of: Rows
    density: Vectors
    recall: float
    kind: Literal["exact", "hnsw"]


class Search(Protocol):
    """Nearest rows of each row in a block, itself included: indices and cosines [block, k]."""

    def __call__(self, rows: Rows, count: int) -> tuple[Rows, Vectors]: ...


def find_neighbours(
    vectors: Vectors,
    threshold: float | None,
    kind: Literal["auto", "hnsw", "exact"],
    seed: int,
    path: Path,
) -> Generator[Progress, None, Neighbours]:
    """Near-duplicates from cosine `threshold` up (None: none), and densities.

    Args:
        vectors: [n, d], unit length.
        path: where an hnswlib index of these vectors is kept, or will be.

    Yields progress; returns what was found.
    """
    exact = kind == "exact" or (kind == "auto" and len(vectors) < EXACT_BELOW)
    search = exact_search(vectors) if exact else (yield from hnsw_search(vectors, path, seed))
    built = 0 if exact else len(vectors)
    density = np.empty(len(vectors), dtype=np.float32)
    duplicate_of = np.full(len(vectors), -1)
    for start in range(0, len(vectors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(vectors)))
        near, cosines = _neighbours(search, rows, threshold, len(vectors))
        density[rows] = _density(rows, near, cosines)
        if threshold is not None:
            _mark(duplicate_of, rows, near, cosines >= threshold)
        yield built + int(rows[-1]) + 1, built + len(vectors)
    recall = 1.0 if exact else measure_recall(search, vectors, seed)
    return Neighbours(duplicate_of, density, recall, "exact" if exact else "hnsw")


def _neighbours(
    search: Search, rows: Rows, threshold: float | None, size: int
) -> tuple[Rows, Vectors]:
    """Enough neighbours that no near-duplicate is cut off at the end of the list."""
    count = min(NEIGHBOURS + 1, size)
    near, cosines = search(rows, count)
    while threshold is not None and count < size and (cosines[:, -1] >= threshold).any():
        count = min(count * 4, size)
        near, cosines = search(rows, count)
    return near, cosines


def _density(rows: Rows, near: Rows, cosines: Vectors) -> Vectors:
    """Mean cosine to the nearest others; a row that does not find itself loses its farthest."""
    others = np.where(near == rows[:, None], -np.inf, cosines)
    nearest = -np.sort(-others, axis=1)[:, :NEIGHBOURS]
    found = np.isfinite(nearest)
    totals = np.where(found, nearest, 0).sum(axis=1)
    density: Vectors = (totals / np.maximum(found.sum(axis=1), 1)).astype(np.float32)
    return density


def _mark(duplicate_of: Rows, rows: Rows, near: Rows, close: NDArray[np.bool_]) -> None:
    """In file order: a row near an earlier row that is kept itself is that row's duplicate.

    Nobody is dropped for being near a dropped row, so every dropped row is within the threshold
    of the one that stands for it.
    """
    earlier = close & (near < rows[:, None])
    for place in np.flatnonzero(earlier.any(axis=1)):
        others = np.sort(near[place][earlier[place]])
        kept = others[duplicate_of[others] < 0]
        if len(kept):
            duplicate_of[rows[place]] = kept[0]


def near_any(vectors: Vectors, given: Vectors, threshold: float) -> NDArray[np.bool_]:
    """[n]: which vectors [n, d] have a cosine of `threshold` or more to one of `given` [g, d]."""
    near = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        near[part] = (vectors[part] @ given.T).max(axis=1, initial=-1.0) >= threshold
    return near


def exact_search(vectors: Vectors) -> Search:
    """Brute force: every cosine, block by block."""

    def search(rows: Rows, count: int) -> tuple[Rows, Vectors]:
        cosines = vectors[rows] @ vectors.T
        near = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(cosines, near, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return np.take_along_axis(near, order, axis=1), np.take_along_axis(values, order, axis=1)

    return search


def nearest(vectors: Vectors, vector: Vectors, count: int) -> tuple[Rows, Vectors]:
    """Indices and cosines of the nearest rows of [n, d]; of equally near ones the first."""
    cosines = vectors @ vector
    near = np.argsort(-cosines, kind="stable")[:count]
    return near, cosines[near]


def nearest_in_graph(
    path: Path, size: int, vector: Vectors, count: int
) -> tuple[Rows, Vectors] | None:
    """The same from hnswlib's graph of `size` rows; None if it is not at `path`, or of no use."""
    import hnswlib

    index: Any = hnswlib.Index(space="ip", dim=len(vector))
    if not path.is_file() or not _loaded(index, path, size):
        return None
    index.set_num_threads(1)
    index.set_ef(max(EF_OF_ONE, 2 * count))
    try:
        near, distances = index.knn_query(vector[None], k=min(count, size))
    except RuntimeError:
        return None
    return near[0].astype(np.int64), (1 - distances[0]).astype(np.float32)


def _loaded(index: Any, path: Path, size: int) -> bool:
    """Reads a saved graph; one that is missing, broken or of another size is built anew."""
    try:
        index.load_index(str(path), max_elements=size)
    except RuntimeError:
        return False
    return int(index.get_current_count()) == size


def hnsw_search(vectors: Vectors, path: Path, seed: int) -> Generator[Progress, None, Search]:
    """hnswlib's graph of the pool, read from `path`, or built and put there."""
    import hnswlib

    index: Any = hnswlib.Index(space="ip", dim=vectors.shape[1])
    if not _loaded(index, path, len(vectors)):
        index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        index.init_index(max_elements=len(vectors), random_seed=seed + 1, **GRAPH)
        index.set_num_threads(1)
        for start in range(0, len(vectors), BLOCK):
            part = vectors[start : start + BLOCK]
            index.add_items(part, np.arange(start, start + len(part)))
            yield start + len(part), 2 * len(vectors)
        partial = path.with_suffix(f".{secrets.token_hex(4)}")
        index.save_index(str(partial))
        partial.replace(path)
    index.set_num_threads(1)

    def search(rows: Rows, count: int) -> tuple[Rows, Vectors]:
        # ef is not saved with an index, and has to be at least the number of neighbours.
        index.set_ef(max(48, 2 * count))
        try:
            near, distances = index.knn_query(vectors[rows], k=count)
        except RuntimeError:
            # The graph does not connect that many rows: look at all of them.
            return exact_search(vectors)(rows, count)
        return near.astype(np.int64), (1 - distances).astype(np.float32)

    return search


def measure_recall(search: Search, vectors: Vectors, seed: int) -> float:
    """Share of the true ten nearest that `search` finds for a seeded sample of rows."""
    generator = np.random.default_rng([seed, 3])
    sample = generator.choice(len(vectors), size=min(RECALL_SAMPLE, len(vectors)), replace=False)
    count = min(NEIGHBOURS + 1, len(vectors))
    found, _ = search(sample, count)
    truth, _ = exact_search(vectors)(sample, count)
    hits = [np.intersect1d(a, b).size for a, b in zip(found, truth, strict=True)]
    return float(np.sum(hits) / truth.size)
