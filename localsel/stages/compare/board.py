"""A plan and the contestants' answers → who chose which row in which order, as arrays.

One column is one row that the plan shows. Only final queries make picks, so an order's choice is
what its answers to the final queries chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from localsel.records import Answer, Pick, Plan, Query, Rows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kind = Literal["selector", "baseline", "human"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One selection in a comparison; `picks` are ranked, best first.

    `answers` by (query, order) are empty for baselines and humans. Baselines of several seeds
    share a `group`.
    """

    name: str
    kind: Kind
    answers: Mapping[tuple[int, int], Answer]
    picks: tuple[Pick, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """Where every row that the plan shows stands.

    A final query has one slot per candidate: a row of its own, or whoever won that source.

    Attributes:
        rows: the N rows that heats of the first round show.
        cluster: [N] place of each row's cluster in `clusters`.
        slot: [N] in which slot of its final query a row can stand; slots are numbered through.
        chance: [N] probability with which a uniform selector picks the row.
        finals: the final queries, and for each its first slot and how many it has.
        meeting: for each slot the probability that two uniform selectors have the same row in it.
    """

    rows: Rows
    cluster: Rows
    slot: Rows
    chance: Floats
    clusters: tuple[int, ...]
    finals: tuple[Query, ...]
    first_slot: Rows
    size: Rows
    meeting: Floats

    @property
    def quota(self) -> Rows:
        return np.array([query.quota for query in self.finals], dtype=np.int64)

    @property
    def picks(self) -> int:
        """Picks of the plan."""
        return int(self.quota.sum())

    @property
    def final_cluster(self) -> Rows:
        """Place in `clusters` of each final query's cluster."""
        place = {cluster: at for at, cluster in enumerate(self.clusters)}
        return np.array([place[query.cluster] for query in self.finals], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one contestant chose: `orders` [M, N] by order, `voted` [N] in the end."""

    name: str
    orders: Flags
    voted: Flags
    repeated: bool


def make_board(plan: Plan) -> Board:
    by_id = {query.id: query for query in plan.queries}
    finals = tuple(query for query in plan.queries if query.final)
    sizes = [len(candidates(query)) for query in finals]
    starts = np.cumsum([0, *sizes])
    places = {cluster: at for at, cluster in enumerate(sorted({q.cluster for q in plan.queries}))}
    rows: list[int] = []
    cluster: list[int] = []
    slot: list[int] = []
    chance: list[float] = []
    meeting: list[float] = []
    for query, start in zip(finals, starts, strict=False):
        for place, entrant in enumerate(candidates(query)):
            field = {entrant: 1.0} if query.rows else field_of(by_id[entrant], by_id)
            rows += field
            cluster += [places[query.cluster]] * len(field)
            slot += [int(start) + place] * len(field)
            chance += [share * query.quota / len(candidates(query)) for share in field.values()]
            meeting.append(sum(share**2 for share in field.values()))
    return Board(
        np.array(rows, dtype=np.int64),
        np.array(cluster, dtype=np.int64),
        np.array(slot, dtype=np.int64),
        np.array(chance, dtype=np.float64),
        tuple(places),
        finals,
        starts[:-1].astype(np.int64),
        np.array(sizes, dtype=np.int64),
        np.array(meeting, dtype=np.float64),
    )


def candidates(query: Query) -> tuple[int, ...]:
    """Who stands in a query: rows, or the queries whose one winner each comes here."""
    return query.rows or query.sources


def field_of(query: Query, by_id: Mapping[int, Query]) -> dict[int, float]:
    """Every row that can win `query`, and how likely it is to, when all are alike."""
    if query.rows:
        return dict.fromkeys(query.rows, 1 / len(query.rows))
    share = 1 / len(query.sources)
    fields = (field_of(by_id[source], by_id) for source in query.sources)
    return {row: chance * share for field in fields for row, chance in field.items()}


def make_sheet(board: Board, contestant: Contestant, orders: int) -> Sheet:
    """A person has no orders: the same choice stands for each of them."""
    place = {int(row): at for at, row in enumerate(board.rows)}
    voted = marked(place, [pick.row for pick in contestant.picks])
    if not contestant.answers:
        return Sheet(contestant.name, np.repeat(voted[None], orders, axis=0), voted, True)
    chosen = [
        marked(place, [row for query in board.finals for row in choice(contestant, query, order)])
        for order in range(orders)
    ]
    return Sheet(contestant.name, np.array(chosen), voted, False)


def choice(contestant: Contestant, query: Query, order: int) -> Sequence[int]:
    """What a selector took in one order; what was forced it took in every order."""
    answer = contestant.answers.get((query.id, order)) or contestant.answers.get((query.id, 0))
    if answer is None:
        # Nothing was asked where there was nothing to choose.
        forced = query.quota == len(candidates(query))
        return [pick.row for pick in contestant.picks if pick.query == query.id] if forced else ()
    return answer.chosen if answer.order == order or answer.outcome == "forced" else ()


def marked(place: Mapping[int, int], rows: Sequence[int]) -> Flags:
    """Rows that the plan does not show are left out."""
    flags = np.zeros(len(place), dtype=bool)
    flags[[place[row] for row in rows if row in place]] = True
    return flags
