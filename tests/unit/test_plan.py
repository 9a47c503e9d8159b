"""Clusters and budgets → quotas, tournaments and whole selections whose properties always hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.backends.base import Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.methods.base import Journal, Pool, Tools
from localsel.methods.selectllm import SelectLLM
from localsel.records import Answer, Clusters, Instruction, Pick, Plan, Query
from localsel.settings import Settings
from localsel.stages.cluster import at_random, coreset, diverse, similar
from localsel.stages.plan import NO_QUOTA, allot, deal, make_plan
from localsel.stages.prompt import Template, find_template

relaxed = settings(deadline=None)

GROUPINGS = ("coreset", "diverse", "similar", "random")

sizes_of_clusters = st.lists(st.integers(0, 40), min_size=1, max_size=8)


@st.composite
def clusters_and_budgets(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    """Clusters of scattered row numbers, and a budget from 1 to the number of rows."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=8))
    rows = draw(st.permutations(range(100, 100 + 3 * sum(sizes), 3)))
    ends = np.cumsum(sizes)
    clusters = [list(part) for part in np.split(np.array(rows), ends[:-1])]
    return [[int(row) for row in part] for part in clusters], draw(st.integers(1, sum(sizes)))


# --- quotas --------------------------------------------------------------------------------------


def brute_allot(sizes: Sequence[int], budget: int) -> list[int]:
    """One each, largest first; then whoever has the highest size / (2 · quota + 1) and room."""
    quotas = [0] * len(sizes)
    for _ in range(budget):
        open_ = [place for place, size in enumerate(sizes) if quotas[place] < size]
        empty = [place for place in open_ if quotas[place] == 0]
        if empty:
            winner = min(empty, key=lambda place: (-sizes[place], place))
        else:
            claims = {place: Fraction(sizes[place], 2 * quotas[place] + 1) for place in open_}
            winner = min(open_, key=lambda place: (-claims[place], place))
        quotas[winner] += 1
    return quotas


@relaxed
@given(sizes_of_clusters, st.data())
def test_quotas_are_those_of_a_plain_reading_of_the_rule(
    sizes: list[int], data: st.DataObject
) -> None:
    budget = data.draw(st.integers(0, sum(sizes)))
    assert allot(sizes, budget) == brute_allot(sizes, budget)


@relaxed
@given(sizes_of_clusters)
def test_a_larger_budget_adds_one_pick_and_takes_none_away(sizes: list[int]) -> None:
    steps = [allot(sizes, budget) for budget in range(sum(sizes) + 1)]
    assert [sum(quotas) for quotas in steps] == list(range(sum(sizes) + 1))
    for fewer, more in pairwise(steps):
        assert all(a <= b for a, b in zip(fewer, more, strict=True))
    assert steps[-1] == sizes


@relaxed
@given(sizes_of_clusters, st.data())
def test_a_larger_cluster_never_has_fewer_picks(sizes: list[int], data: st.DataObject) -> None:
    quotas = allot(sizes, data.draw(st.integers(0, sum(sizes))))
    assert all(quota <= size for quota, size in zip(quotas, sizes, strict=True))
    by_size = sorted(zip(sizes, quotas, strict=True))
    for (smaller, few), (larger, many) in pairwise(by_size):
        assert few <= many or smaller == larger


@pytest.mark.parametrize(
    ("sizes", "budget", "quotas"),
    [
        ([5, 9, 7], 2, [0, 1, 1]),
        ([5, 5, 5], 2, [1, 1, 0]),
        ([10, 5, 1], 3, [1, 1, 1]),
        ([10, 5, 1], 5, [3, 1, 1]),
        ([10, 5, 1], 6, [3, 2, 1]),
        ([53, 24, 23], 7, [3, 2, 2]),
        ([4, 4], 3, [2, 1]),
        ([0, 3], 3, [0, 3]),
        ([3, 3], 0, [0, 0]),
    ],
)
def test_quotas_by_hand(sizes: list[int], budget: int, quotas: list[int]) -> None:
    assert allot(sizes, budget) == quotas


@pytest.mark.parametrize("budget", [-1, 7])
def test_a_budget_that_does_not_fit_is_refused(budget: int) -> None:
    with pytest.raises(ValueError, match=f"a budget of {budget} does not fit 6 rows"):
        allot([2, 4], budget)


def test_quotas_stay_exact_where_sizes_are_large() -> None:
    sizes = [1_000_000, 999_999, 333_333]
    assert allot(sizes, 7) == brute_allot(sizes, 7) == [3, 3, 1]


# --- heats ---------------------------------------------------------------------------------------


@relaxed
@given(st.lists(st.integers(), unique=True, min_size=1), st.data())
def test_dealt_heats_are_balanced_and_lose_nobody(entrants: list[int], data: st.DataObject) -> None:
    heats = deal(entrants, data.draw(st.integers(1, len(entrants))))
    lengths = [len(heat) for heat in heats]
    assert max(lengths) - min(lengths) <= 1
    assert Counter(row for heat in heats for row in heat) == Counter(entrants)


def test_neighbours_are_dealt_to_different_heats() -> None:
    assert deal("abcdefg", 3) == [("a", "d", "g"), ("b", "e"), ("c", "f")]


# --- tournaments ---------------------------------------------------------------------------------


def candidates_of(query: Query, winners: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
    return query.rows or tuple(row for source in query.sources for row in winners[source])


def play(plan: Plan, seed: int) -> tuple[list[int], dict[int, tuple[int, ...]]]:
    """Any winners at all: the picks, and who was shown in each query."""
    generator = np.random.default_rng(seed)
    winners: dict[int, tuple[int, ...]] = {}
    shown: dict[int, tuple[int, ...]] = {}
    picks: list[int] = []
    for query in sorted(plan.queries, key=lambda each: each.round):
        shown[query.id] = candidates_of(query, winners)
        drawn = generator.choice(shown[query.id], size=query.quota, replace=False)
        winners[query.id] = tuple(int(row) for row in drawn)
        picks += winners[query.id] if query.final else ()
    return picks, shown


@relaxed
@given(clusters_and_budgets(), st.integers(2, 15), st.integers(0, 99))
def test_any_winners_fill_the_budget_exactly(
    pool: tuple[list[list[int]], int], query_size: int, seed: int
) -> None:
    clusters, budget = pool
    plan = make_plan(clusters, budget, query_size)
    picks, shown = play(plan, seed)
    assert len(set(picks)) == len(picks) == budget
    assert list(plan.quotas) == allot([len(rows) for rows in clusters], budget)
    cluster_of = {row: place for place, rows in enumerate(clusters) for row in rows}
    assert [sum(cluster_of[row] == place for row in picks) for place in range(len(clusters))] == (
        list(plan.quotas)
    )
    assert all(
        cluster_of[row] == query.cluster for query in plan.queries for row in shown[query.id]
    )


@relaxed
@given(clusters_and_budgets(), st.integers(2, 15), st.integers(0, 99))
def test_every_row_is_shown_once_a_round_or_left_out_with_the_reason(
    pool: tuple[list[list[int]], int], query_size: int, seed: int
) -> None:
    clusters, budget = pool
    plan = make_plan(clusters, budget, query_size)
    _, shown = play(plan, seed)
    first = Counter(row for query in plan.queries if query.round == 0 for row in query.rows)
    assert first + Counter(list(plan.left_out)) == Counter(row for rows in clusters for row in rows)
    quota_of = dict(zip(map(tuple, clusters), plan.quotas, strict=True))
    without = {row for rows, quota in quota_of.items() if not quota for row in rows}
    assert dict(plan.left_out) == dict.fromkeys(without, NO_QUOTA)
    for round_number in {query.round for query in plan.queries}:
        together = [query for query in plan.queries if query.round == round_number]
        rows = [row for query in together for row in shown[query.id]]
        assert len(rows) == len(set(rows))


@relaxed
@given(clusters_and_budgets(), st.integers(2, 15), st.integers(0, 99))
def test_queries_are_never_too_large_and_always_hold_their_quota(
    pool: tuple[list[list[int]], int], query_size: int, seed: int
) -> None:
    clusters, budget = pool
    plan = make_plan(clusters, budget, query_size)
    _, shown = play(plan, seed)
    for query in plan.queries:
        assert 1 <= query.quota <= len(shown[query.id]) <= query_size
    for place in range(len(clusters)):
        own = [query for query in plan.queries if query.cluster == place]
        for round_number in {query.round for query in own}:
            lengths = [len(shown[query.id]) for query in own if query.round == round_number]
            assert max(lengths) - min(lengths) <= 1


@relaxed
@given(clusters_and_budgets(), st.integers(2, 15))
def test_winners_come_from_the_round_before_and_each_heat_feeds_one_query(
    pool: tuple[list[list[int]], int], query_size: int
) -> None:
    clusters, budget = pool
    plan = make_plan(clusters, budget, query_size)
    assert [query.id for query in plan.queries] == list(range(len(plan.queries)))
    fed = Counter(source for query in plan.queries for source in query.sources)
    for query in plan.queries:
        assert bool(query.rows) != bool(query.sources)
        assert bool(query.rows) == (query.round == 0)
        assert fed[query.id] == (0 if query.final else 1)
        assert query.final or query.quota == 1
        for source in query.sources:
            heat = plan.queries[source]
            assert (heat.cluster, heat.round) == (query.cluster, query.round - 1)


@relaxed
@given(clusters_and_budgets(), st.integers(2, 15))
def test_a_plan_is_the_same_every_time(pool: tuple[list[list[int]], int], query_size: int) -> None:
    assert make_plan(*pool, query_size) == make_plan(*pool, query_size)


def test_a_cluster_no_larger_than_a_query_is_one_query() -> None:
    plan = make_plan([[7, 3, 5], [1, 2]], budget=3, query_size=3)
    assert plan == Plan(
        (Query(0, 0, 0, 2, rows=(7, 3, 5)), Query(1, 1, 0, 1, rows=(1, 2))), (2, 1), {}
    )


def test_a_cluster_without_quota_is_left_out() -> None:
    plan = make_plan([[1], [2, 3]], budget=1, query_size=14)
    assert (plan.quotas, dict(plan.left_out)) == ((0, 1), {1: NO_QUOTA})


def test_a_quota_of_at_least_the_heats_needs_no_final() -> None:
    plan = make_plan([list(range(7))], budget=4, query_size=3)
    assert [(query.rows, query.quota, query.final) for query in plan.queries] == [
        ((0, 3, 6), 2, True),
        ((1, 4), 1, True),
        ((2, 5), 1, True),
    ]


def test_winners_meet_again_until_one_query_holds_them() -> None:
    plan = make_plan([list(range(8))], budget=1, query_size=2)
    assert [(query.id, query.round, query.sources, query.final) for query in plan.queries[4:]] == [
        (4, 1, (0, 2), False),
        (5, 1, (1, 3), False),
        (6, 2, (4, 5), True),
    ]


# --- the whole way to a selection ----------------------------------------------------------------


@cache
def published() -> Template:
    return find_template("published")


def unit_vectors(size: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(size, 6)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def grouped(grouping: str, size: int, count: int, seed: int, query_size: int) -> Clusters:
    vectors = unit_vectors(size, seed)
    match grouping:
        case "coreset":
            return coreset(vectors, count, seed, 3)
        case "diverse":
            return diverse(vectors, count, seed, query_size)
        case "similar":
            return similar(vectors, count, seed)
    return at_random(size, count, seed)


def pool_of(plan: Plan, size: int) -> Pool:
    return Pool(tuple(Instruction(row, f"Instruction {row}") for row in range(size)), plan=plan)


def selected(
    pool: Pool,
    budget: int,
    model: str,
    finished: dict[tuple[int, int], Answer] | None = None,
    **options: object,
) -> tuple[list[Pick], list[Answer], list[Answer]]:
    """Picks, all answers, and the answers that were asked for and committed."""
    committed: list[Answer] = []
    tools = Tools(
        Settings(data=Path("pool.jsonl"), budget=budget, **options),  # type: ignore[arg-type]
        Journal(finished or {}, committed.append),
        ScriptedBackend.open(Opening(model)),
        published(),
        selector="ab" * 32,
    )
    steps = list(SelectLLM(tools).picks(pool, budget))
    picks = [step for step in steps if isinstance(step, Pick)]
    return picks, [step for step in steps if isinstance(step, Answer)], committed


def planned_pool(grouping: str, data: st.DataObject) -> tuple[Pool, int]:
    """A pool of random vectors, grouped and planned, and its budget."""
    size = data.draw(st.integers(1, 60), label="size")
    budget = data.draw(st.integers(1, size), label="budget")
    query_size = data.draw(st.integers(2, 9), label="query size")
    count = data.draw(st.integers(1, size), label="clusters")
    clusters = grouped(grouping, size, count, data.draw(st.integers(0, 9)), query_size)
    members = [rows.tolist() for rows in clusters.members]
    return pool_of(make_plan(members, budget, query_size), size), budget


@pytest.mark.parametrize("orders", [1, 3])
@pytest.mark.parametrize("grouping", GROUPINGS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_grouping_ends_in_the_exact_budget(
    grouping: str, orders: int, data: st.DataObject
) -> None:
    pool, budget = planned_pool(grouping, data)
    assert pool.plan is not None
    picks, answers, _ = selected(pool, budget, "random:7", orders=orders)
    assert len({pick.row for pick in picks}) == len(picks) == budget
    queries = {query.id: query for query in pool.plan.queries}
    asked = Counter(answer.query for answer in answers if answer.outcome != "forced")
    forced = {answer.query for answer in answers if answer.outcome == "forced"}
    assert set(asked) | forced == set(queries)
    assert all(times == orders for times in asked.values())
    assert not forced & set(asked)
    shown = Counter(
        (row, answer.order)
        for answer in answers
        for row in answer.shown
        if queries[answer.query].round == 0
    )
    assert set(shown.values()) <= {1}
    assert {row for row, _ in shown} | set(pool.plan.left_out) == set(range(len(pool.instructions)))
    assert not {row for row, _ in shown} & set(pool.plan.left_out)
    for pick in picks:
        assert pick.chosen_by == (
            "forced" if pick.query in forced else "model" if orders == 1 else "vote"
        )


@pytest.mark.parametrize("orders", [1, 3])
@pytest.mark.parametrize("model", ["random:7", "abstain:0.5"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_after_an_interruption_nothing_is_asked_twice_and_the_picks_are_the_same(
    model: str, orders: int, data: st.DataObject
) -> None:
    pool, budget = planned_pool("random", data)
    picks, _, committed = selected(pool, budget, model, orders=orders)
    kept = committed[: data.draw(st.integers(0, len(committed)))]
    finished = {(answer.query, answer.order): answer for answer in kept}
    again, _, rest = selected(pool, budget, model, finished, orders=orders)
    assert by_row(again) == by_row(picks)
    assert kept + rest == committed


def by_row(picks: list[Pick]) -> list[Pick]:
    return sorted(picks, key=lambda pick: pick.row)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 5))
def test_answers_that_stay_out_are_filled_and_marked(data: st.DataObject, seed: int) -> None:
    pool, budget = planned_pool("coreset", data)
    picks, answers, committed = selected(pool, budget, "abstain:0.5", seed=seed)
    assert len({pick.row for pick in picks}) == len(picks) == budget
    outcome = {answer.query: answer.outcome for answer in answers}
    unjudged: set[int] = set()
    for answer in answers:
        unjudged -= set(answer.chosen) if answer.outcome == "answered" else set()
        unjudged |= set(answer.chosen) if answer.outcome == "abstained" else set()
    for pick in picks:
        forced = "fallback" if pick.row in unjudged else "forced"
        says = {"answered": "model", "abstained": "fallback", "forced": forced}
        assert pick.chosen_by == says[outcome[pick.query]]
    for answer in committed:
        if answer.outcome == "abstained":
            assert (answer.attempts, answer.scores, answer.probabilities) == (2, (), ())


def test_a_random_winner_of_a_heat_is_not_forced_but_filled() -> None:
    plan = make_plan([list(range(210))], budget=14, query_size=14)
    picks, _, _ = selected(pool_of(plan, 210), 14, "abstain:1")
    assert {pick.chosen_by for pick in picks} == {"fallback"}


def test_half_the_first_answers_stay_out_and_a_quarter_after_the_retry() -> None:
    plan = make_plan(np.arange(1200).reshape(400, 3).tolist(), budget=400, query_size=3)
    picks, answers, _ = selected(pool_of(plan, 1200), 400, "abstain:0.5")
    retried = sum(answer.attempts == 2 for answer in answers)
    fallbacks = sum(pick.chosen_by == "fallback" for pick in picks)
    assert 160 < retried < 240
    assert 70 < fallbacks < 130
    assert len(picks) == 400


def test_a_vote_counts_only_the_orders_that_were_answered() -> None:
    plan = make_plan(np.arange(1200).reshape(400, 3).tolist(), budget=400, query_size=3)
    picks, answers, _ = selected(pool_of(plan, 1200), 400, "abstain:0.7", orders=3)
    answered = Counter(answer.query for answer in answers if answer.outcome == "answered")
    assert {answered[place] for place in range(400)} == {0, 1, 2, 3}
    for pick in picks:
        assert pick.chosen_by == ("vote" if answered[pick.query] else "fallback")
        votes = pick.votes or 0
        assert (pick.votes is None) == (answered[pick.query] == 0)
        assert min(1, answered[pick.query]) <= votes <= answered[pick.query]


def test_a_quota_of_all_candidates_is_not_asked() -> None:
    plan = make_plan([[4, 2, 0], [1, 3, 5]], budget=6, query_size=3)
    picks, answers, committed = selected(pool_of(plan, 6), 6, "abstain:1", orders=3)
    assert committed == []
    assert [(answer.outcome, answer.attempts) for answer in answers] == [("forced", 0)] * 2
    assert [(pick.row, pick.chosen_by) for pick in picks] == [
        (row, "forced") for row in (4, 2, 0, 1, 3, 5)
    ]


def test_the_first_label_is_what_the_first_selector_picks() -> None:
    plan = make_plan([list(range(10))], budget=2, query_size=10)
    picks, (answer,), _ = selected(pool_of(plan, 10), 2, "first")
    assert [(pick.row, pick.label, pick.position, pick.turn) for pick in picks] == [
        (answer.shown[0], 1, 1, 0),
        (answer.shown[1], 2, 2, 1),
    ]
    assert picks[0].probability == pytest.approx(512 / 1023)
    assert sorted(answer.shown) == list(range(10))
    assert answer.shown != tuple(range(10))


def test_candidates_stand_in_other_places_in_other_queries_orders_and_seeds() -> None:
    clusters = [list(range(9)), list(range(9, 18))]
    pool = pool_of(make_plan(clusters, budget=2, query_size=9), 18)
    _, answers, _ = selected(pool, 2, "first", orders=2)
    _, others, _ = selected(pool, 2, "first", orders=2, seed=1)
    places = [
        tuple(row - 9 * answer.query for row in answer.shown) for answer in [*answers, *others]
    ]
    assert len(set(places)) == 8


def voted(orders: list[Answer], seed: int = 0) -> Pick:
    """The pick of one query of three rows whose answers are known."""
    pool = pool_of(make_plan([[0, 1, 2]], budget=1, query_size=3), 3)
    finished = {(answer.query, answer.order): answer for answer in orders}
    (pick,), _, committed = selected(pool, 1, "first", finished, orders=len(orders), seed=seed)
    assert committed == []
    return pick


def vote(order: int, chosen: int, score: float) -> Answer:
    scores = tuple(score if row == chosen else -9.0 for row in range(3))
    return Answer(0, order, (0, 1, 2), (chosen,), (0.5,), scores, "answered")


def test_most_votes_win_over_more_probability() -> None:
    pick = voted([vote(0, 0, -0.1), vote(1, 1, -2.0), vote(2, 1, -2.0)])
    assert (pick.row, pick.votes, pick.chosen_by, pick.label) == (1, 2, "vote", 2)


def test_between_equal_votes_the_summed_probability_decides() -> None:
    pick = voted([vote(0, 0, -0.3), vote(1, 2, -0.1), vote(2, 1, -0.2)])
    assert (pick.row, pick.votes, pick.label) == (2, 1, 3)


def test_a_perfect_tie_is_drawn_by_lot_that_the_seed_decides() -> None:
    tie = [vote(0, 0, -0.1), vote(1, 2, -0.1)]
    winners = [voted(tie, seed).row for seed in range(20)]
    assert set(winners) == {0, 2}
    assert winners == [voted(tie, seed).row for seed in range(20)]


def test_a_cluster_with_an_annotated_row_waits_until_every_other_has_one_pick() -> None:
    sizes, seated = [3, 3, 40], [0, 0, 1]
    assert allot(sizes, 1, seated) == [1, 0, 0]
    assert allot(sizes, 2, seated) == [1, 1, 0]
    # 40 rows with one seat claim 40/3 next, 3 rows with one seat 3/3.
    assert allot(sizes, 4, seated) == [1, 1, 2]
    assert allot(sizes, 46, seated) == [3, 3, 40]


@given(data=st.data())
def test_seats_keep_quotas_exact_and_monotone(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=8))
    seated = [data.draw(st.integers(0, 1)) for _ in sizes]
    before = [0] * len(sizes)
    for budget in range(sum(sizes) + 1):
        quotas = allot(sizes, budget, seated)
        assert sum(quotas) == budget
        assert all(
            was <= quota <= size for was, quota, size in zip(before, quotas, sizes, strict=True)
        )
        before = quotas


@given(data=st.data())
def test_per_cluster_shows_the_first_rows_and_never_fewer_than_the_quota(
    data: st.DataObject,
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    budget = data.draw(st.integers(0, sum(sizes)))
    most = data.draw(st.integers(1, 50))
    ends = np.cumsum([0, *sizes]).tolist()
    clusters = [list(range(a, b)) for a, b in pairwise(ends)]
    plan = make_plan(clusters, budget, 7, per_cluster=most)
    shown = sorted(row for query in plan.queries for row in query.rows)
    expected = [
        row
        for rows, quota in zip(clusters, plan.quotas, strict=True)
        for row in rows[: max(most, quota) if quota else 0]
    ]
    assert shown == sorted(expected)
    assert sorted([*shown, *plan.left_out]) == list(range(sum(sizes)))
