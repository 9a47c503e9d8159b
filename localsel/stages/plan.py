"""Clusters and a budget → quotas and queries: who is shown with whom, and how many are taken."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from localsel.records import Plan, Query

NO_QUOTA = "its cluster gets no pick within this budget"
NOT_SHOWN = "its cluster has more rows than --per-cluster shows"


def make_plan(
    clusters: Sequence[Sequence[int]],
    budget: int,
    query_size: int,
    per_cluster: int | None = None,
    given: int = 0,
) -> Plan:
    """Every query of a run.

    Args:
        clusters: rows of each cluster, in the order in which heats are dealt; all distinct.
        budget: picks in all; at most the number of rows.
        query_size: at most so many candidates in one query, at least 2.
        per_cluster: show at most so many of a cluster, its first ones; a quota is shown in full.
        given: so many of the clusters, the last ones, hold an annotated instruction already.
    """
    seated = [0] * (len(clusters) - given) + [1] * given
    quotas = allot([len(rows) for rows in clusters], budget, seated)
    queries: list[Query] = []
    left_out: dict[int, str] = {}
    for cluster, (rows, quota) in enumerate(zip(clusters, quotas, strict=True)):
        shown = max(per_cluster or len(rows), quota) if quota else 0
        if quota:
            entrants = tuple(rows[:shown])
            queries.extend(_tournament(cluster, entrants, quota, query_size, len(queries)))
        left_out.update(dict.fromkeys(rows[shown:], NOT_SHOWN if quota else NO_QUOTA))
    return Plan(tuple(queries), tuple(quotas), left_out)


def allot(sizes: Sequence[int], budget: int, seated: Sequence[int] = ()) -> list[int]:
    """Picks per cluster: one each, largest first, then Sainte-Laguë on size, never above the size.

    A larger budget never takes a pick away from a cluster, and a larger cluster never has fewer
    than a smaller one. Ties go to the earlier cluster. `seated` (0 or 1 each) are picks that
    clusters have from before: they count as seats, not as picks, and not against the size.

    Source: Webster's method with divisors 1, 3, 5, …; its first seat comes to everyone here.
    """
    if not 0 <= budget <= sum(sizes):
        raise ValueError(f"a budget of {budget} does not fit {sum(sizes)} rows")
    seated = seated or [0] * len(sizes)
    quotas = [0] * len(sizes)
    largest_first = sorted(range(len(sizes)), key=lambda place: (-sizes[place], place))
    for place in [place for place in largest_first if not seated[place]][:budget]:
        quotas[place] = min(1, sizes[place])
    waiting = [
        (_claim(size, 1), place) for place, size in enumerate(sizes) if size + seated[place] > 1
    ]
    heapq.heapify(waiting)
    for _ in range(budget - sum(quotas)):
        _, place = heapq.heappop(waiting)
        quotas[place] += 1
        if quotas[place] < sizes[place]:
            claim = _claim(sizes[place], quotas[place] + seated[place])
            heapq.heappush(waiting, (claim, place))
    return quotas


def _claim(size: int, quota: int) -> float:
    """Lower comes first. Exact: both numbers are far below 2**53 and division rounds alike."""
    return -size / (2 * quota + 1)


def _tournament(
    cluster: int, rows: tuple[int, ...], quota: int, query_size: int, first_id: int
) -> Iterator[Query]:
    """The queries of one cluster: heats, and rounds of their winners until the quota is filled.

    With a quota of at least the number of heats there is no final: the quota is divided among
    them. Otherwise each heat has one winner, and the winners are a smaller cluster with the same
    quota.
    """
    entrants: Sequence[int] = rows
    round_number, next_id = 0, first_id
    while True:
        heats = deal(entrants, -(-len(entrants) // query_size))
        final = quota >= len(heats)
        quotas = allot([len(heat) for heat in heats], quota) if final else [1] * len(heats)
        for heat, share in zip(heats, quotas, strict=True):
            source = {"rows": heat} if round_number == 0 else {"sources": heat}
            yield Query(next_id, cluster, round_number, share, final=final, **source)
            next_id += 1
        if final:
            return
        entrants = range(next_id - len(heats), next_id)
        round_number += 1


def deal(entrants: Sequence[int], heats: int) -> list[tuple[int, ...]]:
    """Like cards, one to each heat in turn: sizes differ by one at most."""
    return [tuple(entrants[heat::heats]) for heat in range(heats)]


def sample(plan: Plan, questions: int, seed: int) -> Plan:
    """Clusters drawn from a plan, with all their queries, until that many questions are asked.

    The last cluster may ask a few more. A query that has to take all it shows asks nothing.
    """
    asked: dict[int, int] = {}
    for query in plan.queries:
        asked[query.cluster] = asked.get(query.cluster, 0) + query.asks
    if sum(asked.values()) <= questions:
        return plan
    clusters = [cluster for cluster, count in asked.items() if count]
    drawn, total = set[int](), 0
    for place in np.random.default_rng(seed).permutation(len(clusters)):
        if total >= questions:
            break
        drawn.add(clusters[place])
        total += asked[clusters[place]]
    return replace(plan, queries=tuple(query for query in plan.queries if query.cluster in drawn))


def wanted(plan: Plan) -> int:
    """Picks that a plan makes."""
    return sum(query.quota for query in plan.queries if query.final)
