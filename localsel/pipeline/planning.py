"""embed, index, cluster, plan: the pool's instructions → a stored plan of queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from localsel.errors import WorkspaceError
from localsel.pipeline.course import Course, Steps
from localsel.pipeline.identity import Identity, text_digest
from localsel.records import Clusters, Instruction, Plan, Rows, Vectors
from localsel.settings import Settings
from localsel.stages import cluster
from localsel.stages.embed import Embedder
from localsel.stages.index import Neighbours, find_neighbours
from localsel.stages.plan import make_plan

VECTORS_AT_ONCE = 1024


def make(course: Course, identity: Identity, instructions: Sequence[Instruction]) -> Steps[None]:
    """Everything up to the queries, put into the workspace in one transaction."""
    rows = np.array([instruction.row for instruction in instructions])
    vectors = yield from _embed(course, identity, instructions)
    neighbours = yield from _index(course, identity, vectors)
    entering = enough(neighbours.duplicate_of, course.settings.budget)
    clusters = yield from _cluster(course, vectors[entering])
    with course.timed("plan"):
        yield course.event("stage")
        members = [rows[entering[places]].tolist() for places in clusters.members]
        plan = make_plan(members, course.settings.budget, course.settings.query_size)
        twins = _twins(rows, entering, neighbours)
        plan = replace(plan, left_out={**plan.left_out, **twins})
        facts = {
            **clusters.facts,
            "clusters": len(members),
            "near_duplicates": len(twins),
            "index_recall": neighbours.recall,
            "index": neighbours.kind,
        }
        table = _table(rows, entering, clusters, neighbours)
        course.store.add_plan(identity.plan, identity.pool, plan, table, facts)
        yield course.event("note", text=_describe(plan, len(members), len(twins)))


def _embed(
    course: Course, identity: Identity, instructions: Sequence[Instruction]
) -> Steps[Vectors]:
    with course.timed("embed"):
        yield course.event("stage", total=len(instructions))
        texts = [instruction.text for instruction in instructions]
        keys = [text_digest(text) for text in texts]
        embedder = identity.embedder
        vectors, missing = course.store.cached_vectors(embedder, keys)
        done = len(texts) - len(missing)
        yield course.event("progress", done=done, total=len(texts), cached=done)
        if missing:
            yield from _embed_missing(course, identity, texts, keys, missing)
            vectors, missing = course.store.cached_vectors(embedder, keys)
        if missing:
            raise WorkspaceError(
                f"{len(missing):,} vectors cannot be read back from {course.store.home}.",
                "Is the disk full? Give the command again.",
            )
    return vectors


def _embed_missing(
    course: Course,
    identity: Identity,
    texts: Sequence[str],
    keys: Sequence[bytes],
    missing: Sequence[int],
) -> Steps[None]:
    """Keeps vectors every thousand texts or so: that much is lost at most when the run is cut."""
    embedder = Embedder(identity.embedder_folder, course.settings.threads)
    places: list[int] = []
    found: list[Vectors] = []

    def keep() -> None:
        if places:
            known = [keys[place] for place in places]
            course.store.add_vectors(identity.embedder, known, np.concatenate(found))
            places.clear()
            found.clear()

    done = len(texts) - len(missing)
    try:
        for batch, vectors in embedder.encode([texts[place] for place in missing]):
            places.extend(missing[index] for index in batch)
            found.append(vectors)
            done += len(batch)
            if len(places) >= VECTORS_AT_ONCE:
                keep()
            yield course.event("progress", done=done, total=len(texts))
    finally:
        # Whoever stops here finds what was done; only a kill loses the last thousand.
        keep()


def _index(course: Course, identity: Identity, vectors: Vectors) -> Steps[Neighbours]:
    settings = course.settings
    with course.timed("index"):
        yield course.event("stage", total=len(vectors))
        path = course.store.home / "indexes" / f"{identity.index[:24]}.hnsw"
        steps = find_neighbours(
            vectors, settings.near_duplicates, settings.index, settings.seed, path
        )
        return (yield from course.progress(steps))


def _cluster(course: Course, vectors: Vectors) -> Steps[Clusters]:
    with course.timed("cluster"):
        yield course.event("stage", total=len(vectors))
        clusters = group(vectors, course.settings)
        if len(clusters.centres):
            count, seed = len(clusters.centres), course.settings.seed
            random = cluster.random_coverage(vectors, count, seed)
            clusters = replace(clusters, facts={**clusters.facts, **random})
    return clusters


def group(vectors: Vectors, settings: Settings) -> Clusters:
    """The grouping that the settings name."""
    default = max(1, min(settings.budget, len(vectors) // settings.query_size))
    count = min(settings.clusters or default, len(vectors))
    match settings.grouping:
        case "coreset":
            return cluster.coreset(vectors, count, settings.seed, settings.min_cluster)
        case "diverse":
            return cluster.diverse(vectors, count, settings.seed, settings.query_size)
        case "similar":
            return cluster.similar(vectors, count, settings.seed)
        case "random":
            return cluster.at_random(len(vectors), count, settings.seed)


def enough(duplicate_of: Rows, budget: int) -> Rows:
    """Indices of who enters the clustering, in file order.

    All but near-duplicates; of those the earliest, as many as a large budget needs.
    """
    alone = duplicate_of < 0
    missing = budget - int(alone.sum())
    if missing > 0:
        alone[np.flatnonzero(~alone)[:missing]] = True
    return np.flatnonzero(alone)


def _twins(rows: Rows, entering: Rows, neighbours: Neighbours) -> dict[int, str]:
    """Rows that stay outside the clustering, and whom they resemble."""
    outside = np.setdiff1d(np.arange(len(rows)), entering)
    return {
        int(rows[place]): f"near-duplicate of row {rows[neighbours.duplicate_of[place]]}"
        for place in outside
    }


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


def _describe(plan: Plan, clusters: int, twins: int) -> str:
    shown = sum(len(query.rows) for query in plan.queries)
    return (
        f"{clusters:,} clusters, {len(plan.queries):,} queries show {shown:,} rows"
        f" ({twins:,} near-duplicates left out)."
    )
