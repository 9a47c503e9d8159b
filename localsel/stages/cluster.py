"""Vectors → clusters: CoreSet, or one of SelectLLM's three other ways to compose queries."""

from __future__ import annotations

import warnings

import numpy as np

from localsel.coreset import kcenter
from localsel.records import Clusters, Rows, Vectors


def coreset(
    vectors: Vectors, count: int, seed: int, smallest: int, given: Vectors | None = None
) -> Clusters:
    """k-center greedy, then every cluster below `smallest` joins its members' nearest other one.

    Args:
        vectors: [n, d].
        count: clusters wanted; fewer when there are fewer distinct vectors, or after joining.
        given: [g, d], centres from the start. Clusters around them come last and never join.

    Source: CoreSet, Sener & Savarese 2018, arXiv 1708.00489.
    """
    has_given = given is not None and len(given)
    points = np.concatenate([vectors, given]) if has_given else vectors
    found = kcenter(points, count, seed, given=range(len(vectors), len(points)))
    fixed = int((found.centres >= len(vectors)).sum())
    # New centres first: their order is the order of the clusters, and of the picks.
    centres, labels = np.roll(found.centres, -fixed), found.labels[: len(vectors)] - fixed
    labels[labels < 0] += len(centres)
    before = _distances(vectors, points[centres], labels)
    centres, labels = join_small(points, centres, labels, smallest, fixed)
    distances = _distances(vectors, points[centres], labels)
    facts = _coverage(distances) | {
        "radius_before_joining": float(before.max()),
        "centres_joined": len(found.centres) - len(centres),
    }
    new = len(centres) - fixed
    members = _members(labels, distances, len(centres))
    around = tuple(part for part in members[new:] if len(part))
    return Clusters(members[:new] + around, centres[:new], distances, facts, len(around))


def join_small(
    vectors: Vectors, centres: Rows, labels: Rows, smallest: int, fixed: int = 0
) -> tuple[Rows, Rows]:
    """Drops all centres with fewer than `smallest` members at once, and re-labels those members.

    The last `fixed` centres stay. If every other cluster is that small, nothing is dropped: there
    would be nobody to join.
    """
    large = np.bincount(labels, minlength=len(centres)) >= smallest
    large[len(centres) - fixed :] = True
    kept = np.flatnonzero(large)
    if len(kept) in (fixed, len(centres)):
        return centres, labels
    place = np.full(len(centres), -1)
    place[kept] = np.arange(len(kept))
    joined = place[labels]
    homeless = np.flatnonzero(joined < 0)
    joined[homeless] = _nearest(vectors[homeless], vectors[centres[kept]])
    return centres[kept], joined


def _nearest(points: Vectors, centres: Vectors, block: int = 4096) -> Rows:
    """Index of the nearest centre; for unit vectors the largest cosine is the least distance."""
    offsets = 0.5 * (centres**2).sum(axis=1)
    parts = [
        np.argmax(points[start : start + block] @ centres.T - offsets, axis=1)
        for start in range(0, len(points), block)
    ]
    return np.concatenate(parts).astype(np.int64)


def _distances(vectors: Vectors, centres: Vectors, labels: Rows, block: int = 8192) -> Vectors:
    """Euclidean distance of every vector to the centre that it is labelled with."""
    distances = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), block):
        part = slice(start, start + block)
        distances[part] = np.linalg.norm(vectors[part] - centres[labels[part]], axis=1)
    return distances


def _members(labels: Rows, distances: Vectors, count: int) -> tuple[Rows, ...]:
    """Who is in which cluster, nearest to the centre first, earlier rows first among equals."""
    order = np.lexsort((np.arange(len(labels)), distances, labels))
    ends = np.cumsum(np.bincount(labels, minlength=count))
    return tuple(np.split(order, ends[:-1]))


def _coverage(distances: Vectors) -> dict[str, float | int | None]:
    return {"radius": float(distances.max()), "mean_distance": float(distances.mean())}


def random_coverage(
    vectors: Vectors, count: int, seed: int, given: Vectors | None = None
) -> dict[str, float | int | None]:
    """The radius and mean distance that as many random centres reach: what CoreSet has to beat."""
    generator = np.random.default_rng([seed, 1])
    centres = vectors[np.sort(generator.choice(len(vectors), size=count, replace=False))]
    if given is not None:
        centres = np.concatenate([centres, given])
    distances = _distances(vectors, centres, _nearest(vectors, centres))
    return {f"random_{name}": value for name, value in _coverage(distances).items()}


def diverse(vectors: Vectors, count: int, seed: int, query_size: int) -> Clusters:
    """`count` groups that each hold one instruction of every k-means cluster, per query.

    The clusters take turns; in each turn a cluster gives its nearest instruction that is still
    free. Dealt into heats, a group puts one instruction of each cluster into every heat.

    Source: SelectLLM, arXiv 2401.16553, section 3 (the released variant), without its padding
    rows and with a seed.
    """
    topics = min(query_size, len(vectors))
    order = _take_turns(_by_distance(vectors, topics, seed))
    blocks = np.arange(len(vectors)) // topics % count
    turn = np.arange(len(vectors)) % topics
    return _grouped(order, blocks, turn, count)


def _by_distance(vectors: Vectors, topics: int, seed: int) -> Rows:
    """[topics, n]: for each k-means cluster every instruction, nearest to its centroid first."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # Sums over several threads come in any order, and with them the last bits of the centroids.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Fewer distinct vectors than topics: some topics are alike, and take turns all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means = KMeans(topics, n_init=1, random_state=seed).fit(vectors)
        distances = means.transform(vectors)
    return np.argsort(distances, axis=0, kind="stable").T.astype(np.int64)


def _take_turns(preferences: Rows) -> Rows:
    """The order in which lists that take turns take their next free favourite."""
    size = preferences.shape[1]
    free = np.ones(size, dtype=bool)
    pointers = np.zeros(len(preferences), dtype=np.int64)
    order = np.empty(size, dtype=np.int64)
    for step in range(size):
        turn = step % len(preferences)
        while not free[preferences[turn, pointers[turn]]]:
            pointers[turn] += 1
        order[step] = preferences[turn, pointers[turn]]
        free[order[step]] = False
    return order


def similar(vectors: Vectors, count: int, seed: int) -> Clusters:
    """`count` groups of the same size: each centre takes its nearest free instructions in turn.

    Source: SelectLLM's "similar" composition as its paper means it.
    """
    centres = kcenter(vectors, count, seed).centres
    taken = np.full(len(vectors), -1)
    shares = _even_shares(len(vectors), len(centres))
    for place, centre in enumerate(centres):
        free = np.flatnonzero(taken < 0)
        distances = np.linalg.norm(vectors[free] - vectors[centre], axis=1)
        nearest = free[np.argsort(distances, kind="stable")[: shares[place]]]
        taken[nearest] = place
    order = np.arange(len(vectors))
    return _grouped(order, taken, order, len(centres))


def at_random(size: int, count: int, seed: int) -> Clusters:
    """`count` groups of one permutation; needs no vectors."""
    order = np.random.default_rng([seed, 2]).permutation(size)
    places = np.arange(size)
    return _grouped(order, places % count, places, count)


def _even_shares(size: int, count: int) -> list[int]:
    return [size // count + (place < size % count) for place in range(count)]


def _grouped(order: Rows, groups: Rows, ranks: Rows, count: int) -> Clusters:
    """Groups without a centre; `groups` and `ranks` belong to the instructions in `order`."""
    sequence = np.lexsort((np.arange(len(order)), ranks, groups))
    ends = np.cumsum(np.bincount(groups, minlength=count))
    members = tuple(part for part in np.split(order[sequence], ends[:-1]) if len(part))
    nowhere = np.full(len(order), np.nan, dtype=np.float32)
    return Clusters(members, np.empty(0, dtype=np.int64), nowhere, {})
