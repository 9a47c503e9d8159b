"""embed, index, cluster, plan: the pool's instructions → a stored plan of queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from localsel.pipeline.admitting import Admission
from localsel.pipeline.course import Course, Steps
from localsel.pipeline.embedding import embed
from localsel.pipeline.identity import Identity
from localsel.records import Clusters, Plan, Rows, Vectors
from localsel.settings import Settings
from localsel.stages import cluster
from localsel.stages.index import Neighbours, find_neighbours, near_any
from localsel.stages.plan import make_plan
from localsel.wording import counted

TWIN = "near-duplicate"
TRIMMED = "trimmed: among the least dense of the pool"


def make(course: Course, identity: Identity, admission: Admission) -> Steps[None]:
    """Everything up to the queries, put into the workspace in one transaction."""
    settings, rows = course.settings, np.array([each.row for each in admission.open])
    vectors, given = yield from embed(course, identity, admission)
    neighbours = yield from _index(course, identity, vectors)
    budget = settings.budget - len(admission.included)
    outside = set_aside(rows, vectors, given, neighbours, settings)
    entering = enough(len(rows), list(outside), budget)
    clusters = yield from _cluster(course, vectors[entering], given, budget)
    with course.timed("plan"):
        yield course.event("stage")
        members = [rows[entering[places]].tolist() for places in clusters.members]
        limits = (settings.query_size, settings.per_cluster, clusters.given)
        plan = make_plan(members, budget, *limits)
        inside = set(entering.tolist())
        reasons = {int(rows[p]): reason for p, reason in outside.items() if p not in inside}
        plan = replace(plan, left_out={**plan.left_out, **reasons})
        twins = sum(reason.startswith(TWIN) for reason in reasons.values())
        facts = {
            **clusters.facts,
            "clusters": len(members),
            "near_duplicates": twins,
            "trimmed": len(reasons) - twins,
            "index_recall": neighbours.recall,
            "index": neighbours.kind,
            "graph": identity.index,
            "embedder": identity.embedder,
        }
        table = _table(rows, entering, clusters, neighbours)
        course.store.add_plan(identity.plan, identity.pool, plan, table, facts)
        yield course.event("note", text=_describe(plan, facts))


def _index(course: Course, identity: Identity, vectors: Vectors) -> Steps[Neighbours]:
    settings = course.settings
    with course.timed("index"):
        yield course.event("stage", total=len(vectors))
        path = course.store.graph(identity.index)
        steps = find_neighbours(
            vectors, settings.near_duplicates, settings.index, settings.seed, path
        )
        return (yield from course.progress(steps))


def _cluster(course: Course, vectors: Vectors, given: Vectors, budget: int) -> Steps[Clusters]:
    with course.timed("cluster"):
        yield course.event("stage", total=len(vectors))
        clusters = group(vectors, course.settings, budget, given)
        if len(clusters.centres):
            count, seed = len(clusters.centres), course.settings.seed
            random = cluster.random_coverage(vectors, count, seed, given)
            clusters = replace(clusters, facts={**clusters.facts, **random})
    return clusters


def group(vectors: Vectors, settings: Settings, budget: int, given: Vectors) -> Clusters:
    """The grouping that the settings name; `given` are centres from the start, where it has any."""
    default = max(1, min(budget, len(vectors) // settings.query_size))
    count = min(settings.clusters or default, len(vectors))
    match settings.grouping:
        case "coreset":
            return cluster.coreset(vectors, count, settings.seed, settings.min_cluster, given)
        case "diverse":
            return cluster.diverse(vectors, count, settings.seed, settings.query_size)
        case "similar":
            return cluster.similar(vectors, count, settings.seed)
        case "random":
            return cluster.at_random(len(vectors), count, settings.seed)


def set_aside(
    rows: Rows, vectors: Vectors, given: Vectors, neighbours: Neighbours, settings: Settings
) -> dict[int, str]:
    """Indices that stay outside the clustering, and why; who comes first is the first to return.

    Of rows that are alone the least dense share, and near-duplicates, of other rows or annotated.
    """
    twin_of = neighbours.duplicate_of
    reasons = {
        int(place): f"{TWIN} of row {rows[twin_of[place]]}"
        for place in np.flatnonzero(twin_of >= 0)
    }
    if settings.near_duplicates is not None and len(given):
        near = near_any(vectors, given, settings.near_duplicates)
        reasons |= dict.fromkeys(np.flatnonzero(near).tolist(), f"{TWIN} of an annotated one")
    alone = np.setdiff1d(np.arange(len(rows)), list(reasons))
    densest_last = alone[np.argsort(neighbours.density[alone], kind="stable")]
    trimmed = densest_last[: int(settings.trim * len(alone))][::-1]
    return dict.fromkeys(trimmed.tolist(), TRIMMED) | reasons


def enough(size: int, outside: Sequence[int], budget: int) -> Rows:
    """Indices of who enters the clustering, in file order.

    All but those outside; of those the first, as many as a large budget needs.
    """
    missing = max(0, budget - (size - len(outside)))
    return np.setdiff1d(np.arange(size), outside[missing:])


def _table(
    rows: Rows, entering: Rows, clusters: Clusters, neighbours: Neighbours
) -> Iterator[tuple[int, int | None, float | None, float, int | None]]:
    """Row, cluster, distance to its centre, density, row it is a near-duplicate of."""
    cluster_of = np.full(len(rows), -1)
    distance_of = np.full(len(rows), np.nan)
    distance_of[entering] = clusters.distances
    for place, members in enumerate(clusters.members):
        cluster_of[entering[members]] = place
    for place, row in enumerate(rows):
        twin, distance = neighbours.duplicate_of[place], distance_of[place]
        yield (
            int(row),
            int(cluster_of[place]) if cluster_of[place] >= 0 else None,
            None if np.isnan(distance) else float(distance),
            float(neighbours.density[place]),
            int(rows[twin]) if twin >= 0 else None,
        )


def _describe(plan: Plan, facts: Mapping[str, Any]) -> str:
    shown = sum(len(query.rows) for query in plan.queries)
    trimmed = f", {facts['trimmed']:,} trimmed" if facts["trimmed"] else ""
    return (
        f"{counted(facts['clusters'], 'cluster')},"
        f" {counted(len(plan.queries), 'query', 'queries')} show {counted(shown, 'row')}"
        f" ({counted(facts['near_duplicates'], 'near-duplicate')} left out{trimmed})."
    )
