"""The pool's vectors and picks → how well the picks cover the pool, also by budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from localsel.records import Plan, Rows, Vectors
from localsel.stages.compare.board import Floats

MEASURES = ("radius", "mean_distance", "clusters_hit", "pairwise_distance", "near_duplicates")
POINTS = 12
BLOCK = 4096


@dataclass(frozen=True)
class Ground:
    """The pool: which vector is a row's (`place`), and which cluster of the plan."""

    vectors: Vectors
    place: Mapping[int, int]
    cluster: Mapping[int, int]


def make_ground(rows: Rows, vectors: Vectors, plan: Plan) -> Ground:
    place = {int(row): at for at, row in enumerate(rows)}
    return Ground(vectors, place, {row: q.cluster for q in plan.queries for row in q.rows})


def measured(
    ground: Ground, picks: Sequence[int], near: float
) -> tuple[dict[str, float | None], list[dict[str, float]]] | None:
    """The five measures, and mean distance and radius by budget, the best picks first."""
    chosen = np.array([ground.place[row] for row in picks if row in ground.place], dtype=np.int64)
    if not len(chosen):
        return None
    curve = by_budget(ground.vectors, chosen)
    hit = {ground.cluster[row] for row in picks if row in ground.cluster}
    distance, near_duplicates = among(ground.vectors[chosen], near)
    found: dict[str, float | None] = {
        "radius": curve[-1]["radius"],
        "mean_distance": curve[-1]["mean_distance"],
        "clusters_hit": len(hit) / max(1, len(set(ground.cluster.values()))),
        "pairwise_distance": distance,
        "near_duplicates": near_duplicates,
    }
    return found, curve


def by_budget(vectors: Vectors, chosen: Rows) -> list[dict[str, float]]:
    """About a dozen budgets; each adds its picks to the nearest ones found before."""
    budgets = np.unique(np.linspace(0, len(chosen), POINTS + 1).round().astype(int))
    closeness = np.full(len(vectors), -np.inf, dtype=np.float32)
    distances = np.zeros(len(vectors))
    curve = []
    for start, end in pairwise(budgets):
        _add(vectors, chosen[start:end], closeness, distances)
        point = {"mean_distance": float(distances.mean()), "radius": float(distances.max())}
        curve.append({"picks": int(end)} | point)
    return curve


def _add(vectors: Vectors, chosen: Rows, closeness: Vectors, distances: Floats) -> None:
    """Updates, in place, the largest cosine and the distance to that pick.

    The distance is that of the difference: a cosine near 1 cannot tell small distances apart.
    """
    picks = np.ascontiguousarray(vectors[chosen])
    for start in range(0, len(vectors), BLOCK):
        part = slice(start, start + BLOCK)
        cosines = vectors[part] @ picks.T
        best = cosines.argmax(axis=1)
        value = cosines[np.arange(len(best)), best]
        nearer = np.flatnonzero(value > closeness[part])
        closeness[start + nearer] = value[nearer]
        difference = vectors[start + nearer] - picks[best[nearer]]
        distances[start + nearer] = np.linalg.norm(difference, axis=1)


def among(picks: Vectors, near: float) -> tuple[float | None, int]:
    """Mean distance over pairs of picks, and how many pairs are near-duplicates."""
    count, total, duplicates = len(picks), 0.0, 0
    for start in range(0, count, BLOCK // 4):
        block = picks[start : start + BLOCK // 4]
        cosines = (block @ picks.T).astype(np.float64)
        later = np.arange(count)[None, :] > np.arange(start, start + len(block))[:, None]
        total += float(np.sqrt(np.maximum(2 - 2 * cosines[later], 0)).sum())
        duplicates += int((cosines[later] >= near).sum())
    return (total / (count * (count - 1) / 2) if count > 1 else None), duplicates


def against_random(
    found: Mapping[str, float | None], random: Sequence[Mapping[str, float | None]]
) -> dict[str, dict[str, float | None]] | None:
    """Each measure beside the mean and the spread of random selections."""
    if not random:
        return None
    return {name: _against(found[name], [each[name] for each in random]) for name in MEASURES}


def _against(value: float | None, random: Sequence[float | None]) -> dict[str, float | None]:
    mean, spread = mean_of(random), spread_of(random)
    difference = None if value is None or mean is None else value - mean
    z = difference / spread if difference is not None and spread else None
    return {"random": mean, "spread": spread, "difference": difference, "z": z}


def mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def spread_of(values: Sequence[float | None]) -> float | None:
    """Standard deviation between seeds; one seed has none."""
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def mean_curve(curves: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Of the seeds of one baseline, point by point; seeds pick the same number."""
    return [
        {name: float(np.mean([point[name] for point in points])) for name in points[0]}
        | {"picks": points[0]["picks"]}
        for points in zip(*curves, strict=False)
    ]
