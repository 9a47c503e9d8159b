"""A workspace and the runs looked at → what takes long to read of them, for a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from localsel.tui.sides import Side

if TYPE_CHECKING:
    from localsel.clusters import ClusterDetail, ClusterRow


@dataclass(frozen=True, slots=True)
class Overview:
    """All clusters, and how the first pick of each begins."""

    rows: Sequence[ClusterRow]
    heads: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Inside:
    """One cluster, and how its rows begin."""

    detail: ClusterDetail
    heads: Mapping[int, str]


def read_clusters(home: Path, sides: Sequence[Side]) -> Overview:
    """Every cluster that these runs chose from.

    Raises:
        UsageError: they have none, or do not stand on one plan.
    """
    from localsel.clusters import clusters_of
    from localsel.store import Store

    runs = [side.run for side in sides]
    with closing(Store(home)) as store:
        rows = clusters_of(store, runs)
        firsts = [picks[0] for row in rows for picks in row.picks.values() if picks]
        return Overview(rows, store.heads(runs[0], firsts))


def read_cluster(home: Path, sides: Sequence[Side], number: int) -> Inside:
    """One of them.

    Raises:
        UsageError: there is no such cluster.
    """
    from localsel.clusters import cluster
    from localsel.store import Store

    runs = [side.run for side in sides]
    with closing(Store(home)) as store:
        detail = cluster(store, runs, number)
        return Inside(detail, store.heads(runs[0], list(_rows(detail))))


def read_queries(home: Path, run: str) -> dict[int, int]:
    """The queries that a model answered, and of each its cluster.

    Raises:
        UsageError: there is no such run.
    """
    from localsel.store import Store

    with closing(Store(home)) as store:
        plan = store.run(run)["plan"]
        clusters = {query.id: query.cluster for query in store.plan(plan).queries} if plan else {}
        return {
            query: clusters.get(query, 0)
            for (query, order), answer in sorted(store.answers(run).items())
            if order == 0 and answer.outcome == "answered"
        }


def _rows(detail: ClusterDetail) -> Iterable[int]:
    for member in detail.members:
        yield from (member.row, *member.near_duplicates)
