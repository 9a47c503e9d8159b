"""The projection of a run's pool, and the workspace → where every row lies and who picked it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from localsel.tui.dots import Cloud, Numbers

if TYPE_CHECKING:
    from localsel.records import Pick
    from localsel.store import Store

MOST = 5
"""Runs that have a sign of their own."""
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Atlas:
    """The map of a pool.

    Attributes:
        rows: of every point its row, ascending.
        clusters: of every point its cluster; -1 for none.
        centres: of every cluster, by number, the point of it that is its centre.
        explained: which share of all differences between rows each direction shows.
    """

    run: str
    pool: str
    plan: str
    cloud: Cloud
    rows: Numbers
    clusters: NDArray[np.int32]
    centres: Mapping[int, int]
    explained: tuple[float, float]

    def point(self, row: int) -> int | None:
        """The point of a row; None if it has none, as an exact duplicate."""
        place = int(np.searchsorted(self.rows, row))
        return place if place < len(self.rows) and self.rows[place] == row else None

    def cluster(self, point: int) -> int | None:
        found = int(self.clusters[point])
        return None if found == NOWHERE else found


@dataclass(frozen=True, slots=True)
class Party:
    """One run's selection on the map, as it stands after its review."""

    run: str
    letter: str
    name: str
    picks: Mapping[int, Pick] = field(default_factory=dict)


def read_atlas(home: Path, document: Mapping[str, Any]) -> Atlas:
    """What `localsel map` made, with the clusters of its run. For a thread: it takes its time."""
    from localsel.store import Store

    made = np.load(document["file"], mmap_mode="r", allow_pickle=False)
    rows, xs, ys = _columns(made)
    with closing(Store(home)) as store:
        run = store.run(document["run"])
        plan = run["plan"] or ""
        clusters, centres = _clusters(store, plan, rows)
    explained = tuple(float(each) for each in document["explained"])
    cloud = Cloud(xs, ys)
    return Atlas(
        run["run"], run["pool"], plan, cloud, rows, clusters, centres, (explained[0], explained[1])
    )


def _columns(made: NDArray[Any]) -> tuple[Numbers, NDArray[np.float32], NDArray[np.float32]]:
    """Rows in ascending order, and where they lie."""
    order = np.argsort(made["row"], kind="stable")
    return made["row"][order], made["x"][order], made["y"][order]


def _clusters(store: Store, plan: str, rows: Numbers) -> tuple[NDArray[np.int32], dict[int, int]]:
    """Of every point its cluster, and of every cluster the point that is its centre."""
    known = np.fromiter(
        (
            (row, NOWHERE if cluster is None else cluster, np.inf if away is None else away)
            for row, cluster, away in store.memberships(plan)
        ),
        dtype=[("row", np.int64), ("cluster", np.int32), ("away", np.float64)],
    )
    known = known[np.isin(known["row"], rows) & (known["cluster"] != NOWHERE)]
    points = np.searchsorted(rows, known["row"])
    clusters = np.full(len(rows), NOWHERE, np.int32)
    clusters[points] = known["cluster"]
    order = np.lexsort((known["away"], known["cluster"]))
    numbers, first = np.unique(known["cluster"][order], return_index=True)
    return clusters, dict(zip(numbers.tolist(), points[order][first].tolist(), strict=True))


def read_parties(home: Path, pool: str, runs: Sequence[str]) -> tuple[Party, ...]:
    """The selections of these runs, as far as they are of this pool."""
    from localsel.review import review_of
    from localsel.store import Store
    from localsel.tui.listing import name_of

    with closing(Store(home)) as store:
        known = {run["run"]: run for run in store.runs()}
        found = [known[run] for run in runs if run in known and known[run]["pool"] == pool]
        return tuple(
            Party(
                run["run"],
                letter,
                name_of(run),
                {pick.row: pick for pick in review_of(store, run).picks},
            )
            for letter, run in zip("ABCDE", found, strict=False)
        )


def places(atlas: Atlas, rows: Iterable[int]) -> list[int]:
    """The points of these rows, without those that have none."""
    return [point for row in rows if (point := atlas.point(row)) is not None]
