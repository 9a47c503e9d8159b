"""Runs on one plan → its clusters, and everything that is known of one of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from localsel.errors import UsageError
from localsel.records import Pick, Plan
from localsel.sharing import refuse_other
from localsel.store import Store


@dataclass(frozen=True, slots=True)
class Faults:
    """What did not go as asked: picks at random, answers that were none, rows cut to fit."""

    fallbacks: int = 0
    abstained: int = 0
    shortened: int = 0


@dataclass(frozen=True, slots=True)
class ClusterRow:
    """One cluster of a plan, as its runs chose from it.

    Attributes:
        size: its rows, near-duplicates not counted.
        radius: the largest distance to its centre; None for groupings without centres.
        quota: picks wanted of it; `queries`: how many of the plan are about it.
        entropy: how undecided the first run was, 0 sure to 1 indifferent; None: not asked.
        agreement: mean share of picks that two of the runs have in common; None with one run.
        picks: what each run picked, best first, near-duplicates of its rows among them.
        faults: of all these runs together.
    """

    id: int
    size: int
    radius: float | None
    quota: int
    queries: int
    entropy: float | None
    agreement: float | None
    picks: Mapping[str, tuple[int, ...]]
    faults: Faults


@dataclass(frozen=True, slots=True)
class Shown:
    """A row in one query of a run: its label in the first order, and how likely it was there.

    `score` is the probability that it is the first choice; None where the run was not asked.
    """

    query: int
    round: int
    label: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row in one run: where it was shown, round by round; its rank if picked."""

    shown: tuple[Shown, ...] = ()
    rank: int | None = None
    chosen_by: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A row of a cluster.

    Attributes:
        near_duplicates: rows left out because they hardly differ from it.
        left_out: why no query shows it.
        query: the heat in which the plan shows it.
        verdicts: by run.
    """

    row: int
    distance: float | None
    near_duplicates: tuple[int, ...]
    left_out: str | None
    query: int | None
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class ClusterDetail:
    """A cluster with its members, nearest to the centre first."""

    cluster: ClusterRow
    members: tuple[Member, ...]


def clusters_of(store: Store, runs: Sequence[str]) -> list[ClusterRow]:
    """Every cluster of the plan that these runs stand on.

    Those after the first may also be runs that asked no query: their picks count.

    Raises:
        UsageError: there is no such run, it has no clusters, or they do not stand on one plan.
    """
    found = _runs(store, runs)
    return _rows(store, found, store.plan(found[0]["plan"]), None)


def cluster(store: Store, runs: Sequence[str], id: int) -> ClusterDetail:
    """One cluster, with all its members.

    Raises:
        UsageError: as above, or there is no such cluster.
    """
    found = _runs(store, runs)
    name, plan = found[0]["plan"], store.plan(found[0]["plan"])
    if not 0 <= id < len(plan.quotas):
        raise UsageError(
            f"Run {found[0]['run']} has no cluster {id}.",
            f"They are numbered from 0 to {len(plan.quotas) - 1}.",
        )
    (row,) = _rows(store, found, plan, id)
    heats = {r: each.id for each in plan.queries if each.cluster == id for r in each.rows}
    twins = store.twins_in(name, id)
    verdicts = {run["run"]: _verdicts(store, run, name, id) for run in found}
    members = tuple(
        Member(
            member,
            distance,
            tuple(twins.get(member, ())),
            left_out,
            heats.get(member),
            {run: each.get(member, Verdict()) for run, each in verdicts.items()},
        )
        for member, distance, left_out in store.members(name, id)
    )
    return ClusterDetail(row, members)


def _runs(store: Store, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each run once, the first one with a plan."""
    runs = list({run["run"]: run for run in map(store.run, names)}.values())
    first = runs[0]
    if not first["plan"]:
        method = first["settings"]["method"]
        raise UsageError(
            f"Run {first['run']} has no clusters: the method {method!r} made none.",
            "Name a run of the method selectllm first.",
        )
    for run in runs[1:]:
        refuse_other(first, run)
    return runs


def _rows(
    store: Store, runs: Sequence[Mapping[str, Any]], plan: Plan, only: int | None
) -> list[ClusterRow]:
    name = runs[0]["plan"]
    sizes = store.cluster_sizes(name)
    queries = Counter(query.cluster for query in plan.queries)
    picks = {run["run"]: _by_cluster(store, name, run) for run in runs}
    undecided = _entropies(store, runs[0]["run"], name)
    mishaps = [store.mishaps(run["run"], name) for run in runs]

    def row(id: int) -> ClusterRow:
        own = {run: each.get(id, []) for run, each in picks.items()}
        rows = {run: tuple(pick.row for pick in each) for run, each in own.items()}
        size, radius = sizes.get(id, (0, None))
        return ClusterRow(
            id=id,
            size=size,
            radius=radius,
            quota=plan.quotas[id],
            queries=queries[id],
            entropy=undecided.get(id),
            agreement=agreement(list(rows.values())),
            picks=rows,
            faults=_faults(own.values(), [each.get(id, (0, 0)) for each in mishaps]),
        )

    return [row(id) for id in (range(len(plan.quotas)) if only is None else [only])]


def _by_cluster(store: Store, plan: str, run: Mapping[str, Any]) -> dict[int, list[Pick]]:
    """The picks of a run by the cluster of this plan that they lie in."""
    picks = store.picks(run["run"])
    lies_in = store.clusters_of(plan, [pick.row for pick in picks])
    found: dict[int, list[Pick]] = {}
    for pick in picks:
        if pick.row in lies_in:
            found.setdefault(lies_in[pick.row], []).append(pick)
    return found


def _entropies(store: Store, run: str, plan: str) -> dict[int, float]:
    """The mean over the answers about each cluster."""
    by_cluster: dict[int, list[float]] = {}
    for place, scores in store.first_scores(run, plan):
        if len(scores) > 1:
            by_cluster.setdefault(place, []).append(entropy(scores))
    return {place: sum(each) / len(each) for place, each in by_cluster.items()}


def entropy(scores: Sequence[float]) -> float:
    """Of log-probabilities: 0 where one is certain, 1 where all are alike."""
    weights = [math.exp(score) for score in scores]
    total = sum(weights)
    shares = [weight / total for weight in weights if weight > 0] if total else []
    spread = -sum(share * math.log(share) for share in shares) / math.log(len(scores))
    # Rounding can leave an even distribution a hair above 1.
    return min(max(spread, 0.0), 1.0)


def agreement(picks: Sequence[Sequence[int]]) -> float | None:
    """Mean share of picks that two selections share; None if there are no two to compare."""
    pairs = [(set(a), set(b)) for a, b in combinations(picks, 2) if a or b]
    shares = [len(a & b) / max(len(a), len(b)) for a, b in pairs]
    return sum(shares) / len(shares) if shares else None


def _faults(picks: Iterable[Sequence[Pick]], mishaps: Iterable[tuple[int, int]]) -> Faults:
    """Of all runs together."""
    fallbacks = sum(pick.chosen_by == "fallback" for each in picks for pick in each)
    abstained, shortened = (sum(each) for each in zip(*mishaps, strict=True))
    return Faults(fallbacks, abstained, shortened)


def _verdicts(store: Store, run: Mapping[str, Any], plan: str, id: int) -> dict[int, Verdict]:
    """Of every row that a run has shown or picked of a cluster what became of it."""
    shown: dict[int, list[Shown]] = {}
    for round_number, answer in sorted(
        store.answers_in(run["run"], plan, id), key=lambda each: (each[0], each[1].query)
    ):
        if answer.order:
            continue
        for label, row in enumerate(answer.shown, start=1):
            score = math.exp(answer.scores[label - 1]) if answer.scores else None
            shown.setdefault(row, []).append(Shown(answer.query, round_number, label, score))
    picks = {pick.row: pick for pick in store.picks(run["run"])}
    return {
        row: Verdict(tuple(shown.get(row, ())), *_choice(picks.get(row)))
        for row in {*shown, *picks}
    }


def _choice(pick: Pick | None) -> tuple[int | None, str | None]:
    return (pick.rank, pick.chosen_by) if pick else (None, None)
