"""Chance: simulated, exact and played out agree; p-values are uniform where nothing is to find."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy.stats import hypergeom, kstest
from test_compare_play import (
    Taste,
    leaning,
    liking,
    order_of,
    plan_of,
    play,
    random_plan,
    selected,
    uniform,
)

from localsel.records import Plan, Query
from localsel.stages.compare import exact, simulate, spread
from localsel.stages.compare.agreement import itself, make_resamples, pair
from localsel.stages.compare.board import Board, Sheet, make_board, make_sheet
from localsel.stages.compare.chance import (
    Chance,
    Null,
    expected_of_itself,
    expected_share,
    make_chance,
    shapes,
)
from localsel.stages.compare.position import answered, position

DESIGNS = 200
TIMES = 2_000


def far(found: float, expected: float, error: float) -> bool:
    """Further than Monte-Carlo error goes in 200 designs."""
    return abs(found - expected) > 5 * error + 1e-9


def simulated(board: Board, orders: int, draw: np.random.Generator) -> np.ndarray:
    total = np.zeros(TIMES, dtype=np.int64)
    for shape, count in sorted(shapes(board).items()):
        total += simulate.same_order(*shape, count, orders, TIMES, draw)
    return total


@pytest.mark.parametrize("number", range(DESIGNS))
def test_simulated_chance_is_the_exact_convolution(number: int) -> None:
    board = make_board(random_plan(number))
    orders = 1 + number % 3
    null = make_chance(board, orders, 0, 10).same
    sums = simulated(board, orders, np.random.default_rng(number))
    weights = null.weights
    assert weights.sum() == pytest.approx(1)
    assert np.arange(len(weights)) @ weights == pytest.approx(null.expected)
    assert not far(sums.mean(), null.expected, null.spread / TIMES**0.5)
    fourth = ((np.arange(len(weights)) - null.expected) ** 4) @ weights
    error = max(fourth - null.spread**4, 0) ** 0.5 / TIMES**0.5
    assert not far(sums.var(), null.spread**2, error + null.spread**2 / TIMES)
    at = int(np.ceil(null.expected + null.spread))
    tail = weights[at:].sum()
    assert not far((sums >= at).mean(), tail, (tail * (1 - tail) / TIMES) ** 0.5 + 1 / TIMES)


@pytest.mark.parametrize("number", range(0, DESIGNS, 4))
def test_crosswise_in_two_orders_is_twice_independent(number: int) -> None:
    board = make_board(random_plan(number))
    chance = make_chance(board, 2, 0, 10)
    draw = np.random.default_rng(number)
    pairs: list[tuple[Null | None, Callable[[], np.ndarray]]] = [
        (chance.cross, lambda: sum_over(board, simulate.cross_order, draw)),
        (chance.itself, lambda: sum_of_itself(board, 2, draw)),
    ]
    for null, run in pairs:
        assert null is not None
        sums = run()
        assert not far(sums.mean(), null.expected, null.spread / TIMES**0.5)
        assert sums.std() == pytest.approx(null.spread, rel=0.15, abs=0.05)


def sum_over(board: Board, run: Callable[..., np.ndarray], draw: np.random.Generator) -> np.ndarray:
    return sum(  # type: ignore[return-value]
        run(*shape, count, 2, TIMES, draw) for shape, count in shapes(board).items()
    )


def sum_of_itself(board: Board, orders: int, draw: np.random.Generator) -> np.ndarray:
    return sum(  # type: ignore[return-value]
        simulate.of_itself(query.quota, int(size), 1, orders, TIMES, draw)
        for query, size in zip(board.finals, board.size, strict=True)
    )


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("orders", [1, 2, 3])
def test_players_who_choose_at_random_share_what_chance_says(number: int, orders: int) -> None:
    """Played out query by query, votes and finals included, with nothing of the code under test."""
    plan = random_plan(300 + number, clusters=4)
    board = make_board(plan)
    chance = make_chance(board, orders, 0, 4_000)
    found = []
    for seed in range(150):
        a, b = (play(plan, name, uniform, orders, seed) for name in "ab")
        one, other = ([order_of(each, plan, order) for order in range(orders)] for each in (a, b))
        found.append(
            [
                sum(len(x & y) for x, y in zip(one, other, strict=True)),
                sum(len(x & y) for x, y in itertools.product(one, other)),
                sum(len(x & y) for x, y in itertools.combinations(one, 2)),
            ]
        )
    same, every, own = np.array(found, dtype=float).T
    nulls = [(same, chance.same), (every - same, chance.cross), (own, chance.itself)]
    for sums, null in nulls:
        if null is None:
            assert orders == 1
            continue
        assert not far(sums.mean(), null.expected, null.spread / 150**0.5)
        # A rare large sum makes the spread of 150 games uncertain.
        assert sums.std() == pytest.approx(null.spread, rel=0.4, abs=0.1)


def test_without_finals_chance_is_the_sum_of_hypergeometrics() -> None:
    plan = plan_of([14] * 3 + [9] * 2, 8, 14)
    shape = [(len(query.rows), query.quota) for query in plan.queries]
    weights = np.ones(1)
    for size, quota in shape:
        weights = np.convolve(weights, hypergeom.pmf(range(quota + 1), size, quota, quota))
    null = make_chance(make_board(plan), 1, 0, 10).same
    assert null.weights == pytest.approx(weights)
    assert null.expected == pytest.approx(sum(quota**2 / size for size, quota in shape))
    variance = sum(hypergeom.var(size, quota, quota) for size, quota in shape)
    assert null.spread**2 == pytest.approx(variance)
    assert null.p_value(4.0) == pytest.approx(weights[5:].sum() + weights[4] / 2)


def test_a_final_halves_what_two_heats_share() -> None:
    """Two heats of 5 and a final of their winners: 10 rows, each as likely, so 1 in 10."""
    board = make_board(plan_of([10], 1, 5))
    assert expected_share(board) == pytest.approx(0.1)
    assert expected_of_itself(board) == pytest.approx(0.5)
    null = make_chance(board, 1, 0, 10).same
    # Both heats alike: 1/25, then 1/2; one alike: 8/25, then both must take it.
    assert null.weights[1] == pytest.approx(1 / 25 / 2 + 8 / 25 / 4)


def test_heats_of_unlike_size_make_rows_unlike() -> None:
    board = make_board(plan_of([7], 1, 3))
    # Heats of 3, 2, 2 and a final of three.
    assert sorted(board.chance) == pytest.approx([1 / 9] * 3 + [1 / 6] * 4)
    assert expected_share(board) == pytest.approx(3 / 81 + 4 / 36)


def test_choices_of_more_than_64_are_uniform() -> None:
    draw = np.random.default_rng(0)
    words = simulate._choices(100, 3, (20_000,), draw)
    assert set(np.bitwise_count(words).sum(axis=1)) == {3}
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    assert not bits[:, 100:].any()
    assert bits[:, :100].mean(axis=0) == pytest.approx(np.full(100, 0.03), abs=5 * 0.0013)


def test_powers_and_independent_events_by_hand() -> None:
    coin = np.array([0.5, 0.5])
    assert exact.power(coin, 3) == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8])
    assert exact.power(coin, 0) == pytest.approx([1])
    assert exact.poisson_binomial((0.5, 1.0, 0.5)) == pytest.approx([0, 0.25, 0.5, 0.25])


# --- the spread of selectors that repeat themselves -----------------------------------------------


@pytest.mark.parametrize("number", range(30))
def test_the_own_spread_is_that_of_all_renamings(number: int) -> None:
    """All permutations of one query's candidates, alike in every order, with and without heats."""
    draw = np.random.default_rng(number)
    size, quota, orders = 4, int(draw.integers(1, 4)), int(draw.integers(2, 4))
    heats = tuple(Query(at, 0, 0, 1, rows=(2 * at, 2 * at + 1), final=False) for at in range(size))
    final = Query(size, 0, 1, quota, sources=tuple(range(size)))
    plain = Query(0, 0, 0, quota, rows=tuple(range(size)))
    with_heats = bool(number % 2)
    plan = Plan((*heats, final) if with_heats else (plain,), (quota,), {})
    board = make_board(plan)
    a, b = (chosen_slots(draw, orders, size, quota) for _ in range(2))
    step = 2 if with_heats else 1
    one, other = (
        Sheet("", spread_rows(x, step), np.zeros(step * size, bool), False) for x in (a, b)
    )
    renamings = [np.eye(size)[list(order)] for order in itertools.permutations(range(size))]
    meetings = itertools.product((0, 1), repeat=size) if with_heats else [(1,) * size]
    same, cross = [], []
    for meeting, renaming in itertools.product(meetings, renamings):
        table = (a * np.array(meeting)) @ (b @ renaming).T
        same.append(np.trace(table))
        cross.append(table.sum() - np.trace(table))
    assert spread.same_order(board, one, other) == pytest.approx(np.std(same), abs=1e-9)
    repeated, leans = np.std(cross), leaning_spread(a, b, size, with_heats)
    assert spread.cross_order(board, one, other) == pytest.approx(max(repeated, leans), abs=1e-9)


def chosen_slots(draw: np.random.Generator, orders: int, size: int, quota: int) -> np.ndarray:
    chosen = np.zeros((orders, size))
    for order in range(orders):
        chosen[order, draw.choice(size, quota, replace=False)] = 1
    return chosen


def spread_rows(slots: np.ndarray, step: int) -> np.ndarray:
    """The first row of each slot stands for it."""
    rows = np.zeros((len(slots), slots.shape[1] * step), dtype=bool)
    rows[:, ::step] = slots.astype(bool)
    return rows


def leaning_spread(a: np.ndarray, b: np.ndarray, size: int, with_heats: bool) -> float:
    """Renamed alike for both, anew in each order: pairs of orders are independent of each other."""
    variance = 0.0
    meetings = list(itertools.product((0, 1), repeat=size)) if with_heats else [(1,) * size]
    for i, j in itertools.combinations(range(len(a)), 2):
        sums = []
        for meeting, order in itertools.product(meetings, itertools.permutations(range(size))):
            m, p = np.array(meeting), list(order)
            sums.append((a[i] * m) @ b[j][p] + (b[i] * m) @ a[j][p])
        variance += np.var(sums)
    return float(variance**0.5)


# --- p-values where nothing is to find ------------------------------------------------------------

PLANS: dict[str, Callable[[], Plan]] = {
    "one round": lambda: plan_of([5] * 30 + [8] * 15, 75, 8),
    "finals": lambda: plan_of([9] * 40, 80, 4),
    "rounds": lambda: plan_of([4] * 40, 40, 2),
    "forced heats": lambda: plan_of([3] * 60, 60, 2),
}
GAMES = 120

TASTES: dict[str, Callable[[object], Taste]] = {
    "uniform": lambda salt: uniform,
    "consistent": liking,
    "leaning": lambda salt: leaning(0.85),
}


@cache
def prepared(name: str, orders: int) -> tuple[Plan, Board, Chance]:
    plan = PLANS[name]()
    board = make_board(plan)
    return plan, board, make_chance(board, orders, 0, 3_000)


def pair_values(name: str, orders: int, taste: Callable[[object], Taste]) -> dict[str, list[float]]:
    plan, board, chance = prepared(name, orders)
    resamples = make_resamples(board, 0)
    values: dict[str, list[float]] = {"same_order": [], "cross_order": []}
    for game in range(GAMES):
        a, b = (play(plan, who, taste(f"{who} {game}"), orders, game) for who in "ab")
        one, other = (make_sheet(board, each, orders) for each in (a, b))
        for form, value in pair(board, one, other, chance, resamples)["p_value"].items():
            values[form].append(value)
    return values


def is_uniform(values: list[float]) -> bool:
    return bool(kstest(values, "uniform").pvalue > 1e-3)


@pytest.mark.parametrize(
    ("taste", "orders"),
    [*itertools.product(["uniform"], [1, 2, 3]), ("consistent", 2), ("consistent", 3)],
)
@pytest.mark.parametrize("name", ["one round", "finals", "rounds"])
def test_p_values_of_unrelated_selectors_are_uniform(name: str, orders: int, taste: str) -> None:
    values = pair_values(name, orders, TASTES[taste])
    for form in ("same_order", "cross_order")[: min(orders, 2)]:
        assert is_uniform(values[form]), form


def test_p_values_of_the_real_method_with_random_selectors_are_uniform() -> None:
    plan = plan_of([6] * 12 + [9] * 8, 44, 4)
    assert any(query.sources for query in plan.queries)
    board = make_board(plan)
    chance, resamples = make_chance(board, 2, 0, 10), make_resamples(board, 0)
    pairs, positions = [], []
    for seed in range(60):
        a, b = (selected(plan, model, model, seed=seed) for model in ("random:1", "random:22"))
        one, other = (make_sheet(board, each, 2) for each in (a, b))
        pairs.append(pair(board, one, other, chance, resamples)["p_value"]["cross_order"])
        found = position(answered(a, plan), 0)
        assert found is not None
        positions.append(found["p_value"])
    assert is_uniform(pairs)
    assert is_uniform(positions)


@pytest.mark.parametrize("taste", ["uniform", "consistent"])
def test_a_walkover_makes_no_small_p_values(taste: str) -> None:
    """Who likes one of three best takes it in any draw, and so shares less than uniform ones do."""
    values = pair_values("forced heats", 2, TASTES[taste])
    assert is_uniform(values["cross_order"]) == (taste == "uniform")
    assert np.mean(np.array(values["cross_order"]) < 0.05) < 0.11


def test_crosswise_p_values_of_selectors_that_lean_to_early_positions_are_uniform() -> None:
    values = pair_values("one round", 2, TASTES["leaning"])
    assert is_uniform(values["cross_order"])
    assert not is_uniform(values["same_order"])


def test_crosswise_p_values_of_selectors_that_take_the_first_are_uniform() -> None:
    """Both take the same row in each order, so that i with j and j with i go together."""
    values = pair_values("one round", 2, lambda salt: leaning(1e-6))
    assert is_uniform(values["cross_order"])


@pytest.mark.parametrize("orders", [2, 3])
def test_p_values_of_a_selector_with_itself_are_uniform(orders: int) -> None:
    plan, board, chance = prepared("one round", orders)
    resamples = make_resamples(board, 0)
    values = []
    for game in range(GAMES):
        sheet = make_sheet(board, play(plan, "a", uniform, orders, game), orders)
        found = itself(board, sheet, chance, resamples)
        assert found is not None
        values.append(found["p_value"])
    assert is_uniform(values)


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("taste", ["uniform", "consistent"])
def test_p_values_of_position_are_uniform(name: str, taste: str) -> None:
    plan = PLANS[name]()
    values = []
    for game in range(GAMES):
        contestant = play(plan, "a", TASTES[taste](game), 2, game)
        found = position(answered(contestant, plan), 0)
        assert found is not None
        values.append(found["p_value"])
    assert is_uniform(values)


def test_the_tail_goes_on_where_simulations_end() -> None:
    null = Null(2.0, np.array([0.1, 0.2, 0.4, 0.2, 0.1]), 10, simulations=999)
    assert null.p_value(4) == pytest.approx((0.05 * 999 + 0.5) / 1000)
    assert null.p_value(9) == null.p_value(4)
    assert null.p_value(2) == pytest.approx(0.5)
    assert null.p_value(3, spread=2 * null.spread) == pytest.approx((0.5 + null.p_value(3)) / 2)


def test_where_nothing_can_be_chosen_no_p_is_said() -> None:
    board = make_board(plan_of([3, 2], 5, 5))
    chance = make_chance(board, 2, 0, 10)
    assert chance.same.p_value(10) is None
    assert expected_share(board) == expected_of_itself(board) == 1


def test_early_leaning_selectors_overlap_more_in_the_same_order() -> None:
    """The design note: .130 in the same order and .072 crosswise, at a chance of .071."""
    plan = plan_of([14] * 1500, 1500, 14)
    board = make_board(plan)
    a, b = (play(plan, name, leaning(0.77), 2) for name in "ab")
    one, other = (make_sheet(board, each, 2) for each in (a, b))
    found = pair(board, one, other, make_chance(board, 2, 0, 10), make_resamples(board, 0))
    assert found["expected"]["cross_order"] == pytest.approx(1 / 14)
    assert found["overlap"]["same_order"] == pytest.approx(0.13, abs=0.02)
    assert found["overlap"]["cross_order"] == pytest.approx(1 / 14, abs=0.015)
    assert found["p_value"]["same_order"] < 1e-6 < found["p_value"]["cross_order"]


def test_random_designs_are_of_every_kind() -> None:
    """What the designs above hold: rounds, unlike heats, forced finals, quotas above one."""
    plans = [random_plan(number) for number in range(DESIGNS)]
    queries = [query for plan in plans for query in plan.queries]
    assert {query.round for query in queries} >= {0, 1, 2}
    finals = [query for query in queries if query.final]
    assert any(query.sources and query.quota == len(query.sources) for query in finals)
    assert any(query.sources and 1 < query.quota < len(query.sources) for query in finals)
    assert any(query.rows and query.quota == len(query.rows) for query in finals)
    assert any(len(query.rows) == 1 and not query.final for query in queries)
