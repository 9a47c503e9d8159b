"""A plan and a taste → answers and picks: a plain player, for the tests of compare.

It knows no array and no formula of the code under test.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from localsel.backends.base import Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.methods.base import Journal, Pool, Tools
from localsel.methods.selectllm import SelectLLM
from localsel.records import Answer, Instruction, Pick, Plan, Query
from localsel.settings import Settings
from localsel.stages.compare import Contestant
from localsel.stages.plan import make_plan
from localsel.stages.prompt import find_template

Taste = Callable[[Sequence[int]], Sequence[float]]
"""Rows in the order shown → the weight with which each is drawn."""


def uniform(shown: Sequence[int]) -> list[float]:
    return [1.0] * len(shown)


def leaning(slope: float) -> Taste:
    """To early positions: each has `slope` times the weight of the one before."""
    return lambda shown: [slope**place for place in range(len(shown))]


def liking(salt: object, heat: float = 40.0) -> Taste:
    """By a hash of the row: nearly the same choice in every order at a high heat."""
    known: dict[int, float] = {}

    def weight(row: int) -> float:
        if row not in known:
            known[row] = math.exp(heat * random.Random(f"{salt} {row}").random())
        return known[row]

    return lambda shown: [weight(row) for row in shown]


def play(
    plan: Plan,
    name: str,
    taste: Taste,
    orders: int = 2,
    seed: object = 0,
    abstain: float = 0.0,
) -> Contestant:
    """Shuffles depend on the seed alone, draws also on the name; heats are decided by votes.

    Every player of a plan is asked the same queries in the same sequence: one deck serves all.
    """
    draw, deck = random.Random(f"{name} {seed}"), random.Random(f"shuffle {seed}")
    answers: dict[tuple[int, int], Answer] = {}
    winners: dict[int, list[int]] = {}
    picks: list[Pick] = []
    for query in sorted(plan.queries, key=lambda each: each.round):
        rows = list(query.rows) or [row for each in query.sources for row in winners[each]]
        given = ask(query, rows, taste, orders, deck, draw, abstain)
        answers |= {(each.query, each.order): each for each in given}
        winners[query.id] = tally(rows, given, query.quota, draw)
        if query.final:
            picks += [
                Pick(row, "vote", query.cluster, query.id, turn)
                for turn, row in enumerate(winners[query.id])
            ]
    return Contestant(name, "selector", answers, tuple(picks))


def ask(
    query: Query,
    rows: list[int],
    taste: Taste,
    orders: int,
    deck: random.Random,
    draw: random.Random,
    abstain: float,
) -> list[Answer]:
    if query.quota == len(rows):
        return [Answer(query.id, 0, tuple(rows), tuple(rows), (), (), "forced")]
    given = []
    for order in range(orders):
        shown = rows.copy()
        deck.shuffle(shown)
        common = {"query": query.id, "order": order, "shown": tuple(shown)}
        if draw.random() < abstain:
            filled = tuple(draw.sample(shown, query.quota))
            given.append(
                Answer(**common, chosen=filled, probabilities=(), scores=(), outcome="abstained")
            )
            continue
        weights = list(taste(shown))
        total = sum(weights)
        scores = tuple(math.log(weight / total) for weight in weights)
        left, chosen = list(range(len(shown))), []
        for _ in range(query.quota):
            place = draw.choices(left, [weights[each] for each in left])[0]
            left.remove(place)
            chosen.append(shown[place])
        certain = (1.0,) * query.quota
        given.append(
            Answer(
                **common,
                chosen=tuple(chosen),
                probabilities=certain,
                scores=scores,
                outcome="answered",
            )
        )
    return given


def tally(rows: list[int], given: list[Answer], quota: int, draw: random.Random) -> list[int]:
    votes = Counter(row for each in given if each.outcome != "abstained" for row in each.chosen)
    lots = {row: draw.random() for row in rows}
    return sorted(rows, key=lambda row: (-votes[row], lots[row]))[:quota]


def plan_of(sizes: Sequence[int], budget: int, query_size: int) -> Plan:
    """Clusters of scattered rows, so that a place is never taken for a row."""
    rows = [1000 + 7 * place for place in range(sum(sizes))]
    random.Random(5).shuffle(rows)
    clusters = [[rows.pop() for _ in range(size)] for size in sizes]
    return make_plan(clusters, budget, query_size)


def random_plan(number: int, largest: int = 24, clusters: int = 6) -> Plan:
    """A small design: rounds, forced queries and forced finals, quotas of any kind."""
    draw = random.Random(number)
    sizes = [draw.randint(2, largest) for _ in range(draw.randint(2, clusters))]
    return plan_of(sizes, draw.randint(1, sum(sizes) // 2), draw.randint(2, 9))


def texts_of(plan: Plan) -> dict[int, str]:
    rows = [row for query in plan.queries for row in query.rows] + list(plan.left_out)
    return {row: f"Write about number {row}." for row in rows}


def selected(plan: Plan, name: str, model: str, orders: int = 2, seed: int = 0) -> Contestant:
    """The real method. Like the workspace, it keeps no answer to a query that was not asked."""
    budget = sum(plan.quotas)
    stored: list[Answer] = []
    tools = Tools(
        Settings(data=Path("pool.jsonl"), budget=budget, orders=orders, seed=seed),
        Journal(commit=stored.append),
        ScriptedBackend.open(Opening(model)),
        find_template("published"),
        selector=f"{len(name):064x}",
    )
    pool = Pool(tuple(Instruction(row, text) for row, text in texts_of(plan).items()), plan=plan)
    picks = [each for each in SelectLLM(tools).picks(pool, budget) if isinstance(each, Pick)]
    answers = {(answer.query, answer.order): answer for answer in stored}
    return Contestant(name, "selector", answers, tuple(picks))


def order_of(contestant: Contestant, plan: Plan, order: int) -> set[int]:
    """What one order chose, read off answers and picks one by one."""
    chosen: set[int] = set()
    for query in plan.queries:
        if not query.final:
            continue
        answer = contestant.answers.get((query.id, order))
        if answer is None:
            chosen |= {pick.row for pick in contestant.picks if pick.query == query.id}
        else:
            chosen |= set(answer.chosen)
    return chosen


def test_the_player_answers_what_the_method_asks() -> None:
    plan = plan_of([9, 5, 30, 2, 40], 12, 5)
    for contestant in (play(plan, "a", uniform), selected(plan, "a", "random:3")):
        asked = [answer for answer in contestant.answers.values() if answer.outcome != "forced"]
        rounds = {query.id: query for query in plan.queries}
        assert {rounds[answer.query].round for answer in asked} == {0, 1}
        assert len({pick.row for pick in contestant.picks}) == len(contestant.picks) == 12
        for answer in asked:
            assert len(answer.chosen) == rounds[answer.query].quota
            assert set(answer.chosen) <= set(answer.shown)


@pytest.mark.parametrize("model", ["first", "random:4"])
def test_players_are_shuffled_alike(model: str) -> None:
    plan = plan_of([14] * 3, 3, 14)
    mine = [play(plan, name, uniform).answers[1, 1].shown for name in ("a", "b")]
    real = [selected(plan, name, model).answers[1, 1].shown for name in ("a", "bb")]
    assert mine[0] == mine[1]
    assert real[0] == real[1]
