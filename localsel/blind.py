"""Queries of a plan → a person's own choices, made without seeing any other; how runs agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from localsel.errors import UsageError
from localsel.records import Answer, Query
from localsel.sharing import sharing_of
from localsel.store import ENDED, Store
from localsel.wording import counted

# What the random numbers are for; each has its own stream, and none is one of a selector's.
DRAW, SHUFFLE = 0xB11ED, 0xB11EE


@dataclass(frozen=True, slots=True)
class Blind:
    """One query as it is put to a person: `quota` of these rows, in an order of its own."""

    query: int
    rows: tuple[int, ...]
    quota: int


def sample(store: Store, run: Mapping[str, Any], count: int = 20, seed: int = 0) -> list[Blind]:
    """Queries of the first round, drawn from those that all selectors on this plan are asked.

    A larger sample begins with the smaller one.

    Raises:
        UsageError: the run asked no queries.
    """
    queries = list(_asking(store, run).values())
    drawn = np.random.default_rng([DRAW, seed]).permutation(len(queries))[: max(count, 0)]
    return [_put(queries[place], seed) for place in drawn]


def _put(query: Query, seed: int) -> Blind:
    places = np.random.default_rng([SHUFFLE, seed, query.id]).permutation(len(query.rows))
    return Blind(query.id, tuple(query.rows[place] for place in places), query.quota)


def choose(store: Store, run: Mapping[str, Any], query: int, rows: Sequence[int]) -> None:
    """Keeps what a person chose, in place of an earlier choice.

    Raises:
        UsageError: there is no such query, or these are not as many of its rows as it asks for.
    """
    check(store, run, query, rows)
    store.set_choice(run["plan"], query, rows)


def check(store: Store, run: Mapping[str, Any], query: int, rows: Sequence[int]) -> None:
    """Raises UsageError unless these rows can be chosen in this query."""
    asked = _query(store, run, query)
    if odd := sorted(set(rows) - set(asked.rows)):
        raise UsageError(f"Query {query} does not show row {odd[0]}.", _see(run))
    if len(set(rows)) != len(rows) or len(rows) != asked.quota:
        wants = counted(asked.quota, "row")
        raise UsageError(f"Query {query} asks for {wants}, each once; {len(rows)} given.")


def forget(store: Store, run: Mapping[str, Any], query: int) -> None:
    """Takes a choice back.

    Raises:
        UsageError: there is no such query, or nothing was chosen in it.
    """
    check_chosen(store, run, query)
    store.set_choice(run["plan"], query, ())


def check_chosen(store: Store, run: Mapping[str, Any], query: int) -> None:
    """Raises UsageError unless there is a choice in this query."""
    _query(store, run, query)
    if query not in store.choices(run["plan"]):
        raise UsageError(f"Nothing was chosen in query {query}.", _see(run))


def choices_of(store: Store, plan: str) -> dict[int, tuple[int, ...]]:
    """What a person chose, by query.

    Raises:
        ValueError: what is kept, or was carried here, is no choice in a query of this plan.
    """
    queries = _first_round(store.plan(plan).queries)
    choices = store.choices(plan)
    for query, rows in choices.items():
        asked = queries.get(query)
        if not asked or not set(rows) <= set(asked.rows) or len(set(rows)) != asked.quota:
            raise ValueError(f"the choice in query {query} is none")
    return choices


def score(store: Store, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How far every ended run of a selector on the plan of this one agrees with the person.

    Of several orders the first counts; a query that a selector did not answer is left out.

    Raises:
        UsageError: the run asked no queries, or nothing was chosen.
    """
    from localsel.comparison import selector_names

    _asking(store, run)
    queries, choices = _first_round(store.plan(run["plan"]).queries), choices_of(store, run["plan"])
    if not choices:
        raise UsageError(
            f"Nobody has chosen in a query of run {run['run']} yet.",
            f"See `localsel review {run['run']} --blind 20`.",
        )
    runs = [each for each in reversed(store.runs()) if _takes_part(each, run["plan"])]
    names = selector_names([each["facts"]["selector"]["name"] for each in runs])
    return [
        {"name": name, "run": each["run"], **_scored(store.answers(each["run"]), queries, choices)}
        for name, each in zip(names, runs, strict=True)
    ]


def _takes_part(run: Mapping[str, Any], plan: str) -> bool:
    return run["plan"] == plan and run["state"] in ENDED and bool(run["facts"].get("selector"))


def _scored(
    answers: Mapping[tuple[int, int], Answer],
    queries: Mapping[int, Query],
    choices: Mapping[int, Sequence[int]],
) -> dict[str, Any]:
    """The figures of one selector; chance is a selector that draws its rows."""
    from localsel.stages.compare import exact
    from localsel.stages.compare.chance import Null

    both = [
        (queries[query], len({*answer.chosen} & {*rows}))
        for query, rows in choices.items()
        if (answer := answers.get((query, 0))) and answer.outcome == "answered"
    ]
    shapes = Counter((query.quota, len(query.rows)) for query, _ in both)
    chosen = sum(query.quota for query, _ in both)
    shared = sum(each for _, each in both)
    if not both:
        nothing = dict.fromkeys(("agreement", "expected", "p_value", "interval"))
        return {"queries": 0, "shared": 0, "chosen": 0, **nothing}
    by_chance = sum(quota**2 / size * times for (quota, size), times in shapes.items())
    weights = exact.convolved(
        (exact.hypergeometric(size, quota, quota), times) for (quota, size), times in shapes.items()
    )
    return {
        "queries": len(both),
        "shared": shared,
        "chosen": chosen,
        "agreement": shared / chosen,
        "expected": by_chance / chosen,
        "p_value": Null(by_chance, weights, chosen).p_value(shared),
        "interval": _interval(both),
    }


def _interval(both: Sequence[tuple[Query, int]]) -> list[float] | None:
    """Of the agreement, over clusters drawn again and again: queries of one are alike."""
    from localsel.stages.compare.agreement import RESAMPLES, Resamples

    _, cluster = np.unique([query.cluster for query, _ in both], return_inverse=True)
    count = int(cluster.max()) + 1
    quota = np.bincount(cluster, [float(query.quota) for query, _ in both]).astype(np.float64)
    draw = np.random.default_rng(DRAW)
    weights = draw.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    shared = np.bincount(cluster, [float(each) for _, each in both]).astype(np.float64)
    return Resamples(weights.astype(np.float64), quota).interval(shared)


def _asking(store: Store, run: Mapping[str, Any]) -> dict[int, Query]:
    """The queries of the first round that this run and those compared with it were asked."""
    if not run["plan"] or not run["facts"].get("selector"):
        raise UsageError(f"Run {run['run']} asked no queries: there is nothing to choose blind.")
    shared = sharing_of(run).part(store.plan(run["plan"]), run["settings"]["seed"])
    return _first_round(shared.queries)


def _first_round(queries: Iterable[Query]) -> dict[int, Query]:
    return {query.id: query for query in queries if query.rows and query.asks}


def _query(store: Store, run: Mapping[str, Any], query: int) -> Query:
    found = _asking(store, run).get(query)
    if found is None:
        raise UsageError(
            f"Run {run['run']} has no query {query} in which to choose blind.", _see(run)
        )
    return found


def _see(run: Mapping[str, Any]) -> str:
    return f"See `localsel review {run['run']} --blind 20`."
