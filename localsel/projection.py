"""A stored run → its pool as points on a plane, made once and kept in the workspace.

The file is an array with a name for each column: a float32 would not hold every row number.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from localsel.embedded import embedded, embedder_of
from localsel.records import INCLUDED
from localsel.stages.project import project
from localsel.store import Store

POINT = np.dtype([("row", np.int64), ("x", np.float32), ("y", np.float32)])


@dataclass(frozen=True, slots=True)
class Projection:
    """Where the rows of a pool lie; `explained` is the share of the variance of x and of y."""

    run: str
    pool: str
    rows: int
    explained: tuple[float, float]
    file: Path
    seconds: float


def projection(store: Store, run: Mapping[str, Any]) -> Projection:
    """The projection of a run's pool, from the workspace if it is there.

    Raises:
        UsageError: this workspace does not have the vectors.
        WorkspaceError: it cannot be kept.
    """
    began = time.perf_counter()
    path = store.map_file(run["pool"], _name(store, run))
    known = _read(path)
    rows, explained = known or _make(store, run, path)
    seconds = round(time.perf_counter() - began, 3)
    return Projection(run["run"], run["pool"], rows, explained, path, seconds)


def points_of(projection: Projection) -> np.ndarray[Any, Any]:
    """[n] row, x and y, in file order."""
    points: np.ndarray[Any, Any] = np.load(projection.file, mmap_mode="r", allow_pickle=False)
    return points


def _name(store: Store, run: Mapping[str, Any]) -> str:
    """The same embedder of the same rows. What was only imported may have other texts."""
    pool, aside = run["pool"], store.aside(run["run"])
    left_out = [row for row, reason in aside if reason != INCLUDED]
    content = json.dumps([embedder_of(store, run), pool, store.is_imported(pool), left_out])
    return hashlib.sha256(content.encode()).hexdigest()


def _make(store: Store, run: Mapping[str, Any], path: Path) -> tuple[int, tuple[float, float]]:
    rows, vectors = embedded(store, run)
    places, explained = project(vectors)
    points = np.empty(len(rows), dtype=POINT)
    points["row"], points["x"], points["y"] = rows, places[:, 0], places[:, 1]
    # First what is said of the points: whoever finds them finds it too.
    said = json.dumps({"rows": len(rows), "explained": explained}).encode()
    store.keep_map(path.with_suffix(".json"), said)
    store.keep_map(path, points)
    return len(rows), explained


def _read(path: Path) -> tuple[int, tuple[float, float]] | None:
    """What a finished projection says of itself; None if there is none, or it is broken."""
    try:
        said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        first, second = map(float, said["explained"])
        points = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, LookupError, TypeError):
        return None
    is_whole = points.dtype == POINT and points.shape == (said["rows"],)
    return (len(points), (first, second)) if is_whole else None
