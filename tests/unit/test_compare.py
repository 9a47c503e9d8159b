"""Contestants over one plan → the whole comparison, part by part, against plain arithmetic."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist
from scipy.stats import chi2
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.multitest import multipletests
from test_compare_play import (
    leaning,
    liking,
    order_of,
    plan_of,
    play,
    random_plan,
    selected,
    texts_of,
    uniform,
)

from localsel.errors import UsageError
from localsel.records import Answer, Pick, Plan
from localsel.stages.compare import Contestant, compare
from localsel.stages.compare.coverage import BLOCK, among, make_ground, measured
from localsel.stages.compare.position import entropy, label_prior, position
from localsel.stages.compare.summary import beyond, holm

NEAR = 0.95


def compared(contestants: Sequence[Contestant], plan: Plan, orders: int = 2, **more: Any) -> Any:
    """As JSON gives it back; refuses what JSON has not."""
    more = {"seed": 0, "rows": None, "vectors": None, "simulations": 200} | more
    found = compare(contestants, plan, texts_of(plan), orders=orders, **more)
    return json.loads(json.dumps(found, allow_nan=False))


def pool_of(plan: Plan, dimensions: int = 6) -> dict[str, np.ndarray]:
    rows = np.array(sorted(texts_of(plan)))
    vectors = np.random.default_rng(1).normal(size=(len(rows), dimensions)).astype(np.float32)
    return {"rows": rows, "vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True)}


def drawn(plan: Plan, seed: int, group: str = "random") -> Contestant:
    rows = sorted(texts_of(plan))
    chosen = random.Random(seed).sample(rows, sum(plan.quotas))
    picks = tuple(Pick(row, "method", rank=at) for at, row in enumerate(chosen, 1))
    return Contestant(f"{group} {seed}", "baseline", {}, picks, group)


# --- the whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(40))
def test_any_design_gives_finite_figures_that_hang_together(number: int) -> None:
    orders, plan = 1 + number % 4, random_plan(500 + number, largest=18, clusters=4)
    players = [
        play(plan, "a", uniform, orders, number, abstain=0.2),
        play(plan, "b", liking(number), orders, number),
        play(plan, "c", leaning(0.7), orders, number),
    ]
    baselines = [drawn(plan, seed) for seed in range(3)]
    found = compared([*players, *baselines], plan, orders, **pool_of(plan))
    forms = ["same_order", "cross_order"]
    assert found["picks"] == sum(plan.quotas)
    assert [(pair["a"], pair["b"]) for pair in found["pairs"]] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    for pair in found["pairs"]:
        a, b = (next(each for each in players if each.name == pair[side]) for side in "ab")
        one, other = ([order_of(each, plan, order) for order in range(orders)] for each in (a, b))
        sides = {name: [] for name in forms}
        for i, j in itertools.product(range(orders), repeat=2):
            sides[forms[i != j]].append((one[i], other[j]))
        for form, sets in sides.items():
            if not sets:
                assert all(pair[name][form] is None for name in ("overlap", "kappa", "p_value"))
                continue
            shared = np.mean([len(x & y) for x, y in sets])
            assert pair["shared"][form] == pytest.approx(shared)
            assert pair["overlap"][form] == pytest.approx(shared / found["picks"])
            jaccard = np.mean([len(x & y) / len(x | y) for x, y in sets])
            assert pair["jaccard"][form] == pytest.approx(jaccard)
            expected = found["chance"][form]["expected"]
            assert pair["expected"][form] == expected
            if expected < 1:
                kappa = (pair["overlap"][form] - expected) / (1 - expected)
                assert pair["kappa"][form] == pytest.approx(kappa)
            low, high = pair["interval"][form] or (0, 1)
            assert 0 <= low <= high <= 1
            assert pair["p_value"][form] is None or 0 < pair["p_value"][form] <= 1
    for each, player in zip(found["selectors"], players, strict=True):
        own = [order_of(player, plan, order) for order in range(orders)]
        if orders > 1:
            pairs = [len(x & y) for x, y in itertools.combinations(own, 2)]
            assert each["self_agreement"] == pytest.approx(np.mean(pairs) / found["picks"])
        else:
            assert each["self_agreement"] is each["self_pair"] is None
        others = {pick.row for other in players if other is not player for pick in other.picks}
        mine = [pick.row for pick in player.picks]
        assert each["only"] == [row for row in mine if row not in others]
        assert each["coverage"]["clusters_hit"] == 1
        assert each["curve"][-1]["picks"] == found["picks"] == each["picked"]
    assert found["chance"]["method"] == ("exact" if orders < 3 else "simulated")
    assert found["summary"]


def test_the_same_input_gives_the_same_comparison() -> None:
    plan = random_plan(1)
    players = [play(plan, name, uniform, 3) for name in "ab"]
    first, again = (compared(players, plan, 3, **pool_of(plan)) for _ in range(2))
    assert first == again
    assert compared(players, plan, 3, seed=1)["pairs"] != first["pairs"]


def test_identical_selectors_agree_in_everything() -> None:
    plan = plan_of([14] * 30 + [30] * 5, 50, 14)
    a = play(plan, "a", liking("x", 3))
    found = compared([a, replace(a, name="b")], plan)
    pair = found["pairs"][0]
    assert pair["overlap"]["same_order"] == pair["kappa"]["same_order"] == 1
    assert pair["interval"]["same_order"] == [1, 1]
    assert pair["selection"] == {"shared": 50, "overlap": 1, "jaccard": 1, "kappa": 1, "cohen": 1}
    assert pair["overlap"]["cross_order"] == found["selectors"][0]["self_agreement"]
    assert found["fleiss"] == {"kappa": pytest.approx(1), "raters": 2}
    assert found["disagreements"] == found["selectors"][0]["only"] == []
    assert "a and b chose the same rows in every order" in " ".join(found["summary"])


def test_first_against_first_follows_positions_and_agrees_by_nothing_else() -> None:
    plan = plan_of([14] * 150, 150, 14)
    found = compared([selected(plan, name, "first") for name in ("a", "bb")], plan)
    pair = found["pairs"][0]
    assert pair["overlap"]["same_order"] == pair["kappa"]["same_order"] == 1
    assert pair["overlap"]["cross_order"] == pytest.approx(1 / 14, abs=0.07)
    assert pair["p_value"]["cross_order"] > 0.01
    for selector in found["selectors"]:
        assert selector["position"]["p_value"] < 1e-6
        first = {"position": 1, "chosen": 300, "expected": pytest.approx(300 / 14), "rate": 1}
        assert selector["position"]["curve"][0] == first
        assert selector["self_agreement"] == pytest.approx(1 / 14, abs=0.07)
        prior = [2.0**-label / (2 - 2.0**-13) for label in range(14)]
        assert selector["label_prior"] == pytest.approx(prior)
    assert any(line.startswith("a follows positions") for line in found["summary"])
    assert any("cannot be told from chance" in line for line in found["summary"])


def test_selectors_with_one_taste_agree_in_any_order() -> None:
    plan = plan_of([14] * 60 + [40] * 10, 80, 14)
    players = [play(plan, name, liking("one", heat)) for name, heat in (("a", 20), ("b", 6))]
    pair = compared(players, plan)["pairs"][0]
    assert pair["p_value"]["cross_order"] < 1e-6
    assert pair["interval"]["cross_order"][0] > pair["expected"]["cross_order"]


def test_one_order_cannot_tell_position_from_choice() -> None:
    plan = plan_of([14] * 20, 20, 14)
    found = compared([play(plan, name, uniform, 1) for name in "ab"], plan, orders=1)
    assert found["chance"]["cross_order"] is None
    assert "--orders 2" in found["summary"][0]
    assert "--orders" not in " ".join(compared([play(plan, "a", uniform)], plan)["summary"])


# --- answers of every kind ------------------------------------------------------------------------


def test_the_workspace_keeps_no_forced_answers_and_nothing_is_missed() -> None:
    """Forced queries and finals; the same figures whether their answers were kept or not."""
    plan = plan_of([9, 2, 1], 6, 2)
    assert any(q.sources and q.quota == len(q.sources) and q.final for q in plan.queries)
    assert any(q.rows and q.quota == len(q.rows) for q in plan.queries)
    players = [play(plan, name, uniform, 2) for name in "ab"]
    stored = [
        replace(each, answers={k: a for k, a in each.answers.items() if a.outcome != "forced"})
        for each in players
    ]
    kept = compared(players, plan)
    assert compared(stored, plan) == kept
    heats = {query.id for query in plan.queries if not query.final}
    finals = [
        replace(each, answers={k: a for k, a in each.answers.items() if k[0] not in heats})
        for each in stored
    ]
    assert compared(finals, plan)["pairs"] == kept["pairs"]


def test_abstained_answers_are_in_the_selection_but_say_nothing_of_position() -> None:
    plan = plan_of([6] * 10, 10, 6)
    player = play(plan, "a", uniform, abstain=1)
    found = compared([player, play(plan, "b", uniform)], plan)
    silent, other = found["selectors"]
    assert (silent["position"], silent["label_prior"], silent["entropy"]) == (None, [], None)
    assert sum(point["chosen"] for point in other["position"]["curve"]) == 20
    first = order_of(player, plan, 0)
    assert len(first) == 10
    assert found["pairs"][0]["shared"]["same_order"] is not None
    assert "a gave no valid answer 20 of 20 times" in found["summary"][-1]


def test_a_person_answers_once_and_stands_in_every_order() -> None:
    plan = plan_of([8] * 40, 40, 8)
    model = play(plan, "model", liking("x"))
    person = Contestant("person", "human", {}, model.picks)
    found = compared([model, person], plan)
    pair = found["pairs"][0]
    human = found["selectors"][1]
    assert (human["kind"], human["position"], human["self_pair"]) == ("human", None, None)
    assert pair["overlap"]["same_order"] == pair["overlap"]["cross_order"]
    assert pair["overlap"]["cross_order"] > 0.8
    assert pair["p_value"]["cross_order"] < 1e-6
    assert found["fleiss"]["raters"] == 2


def test_nothing_to_choose_is_said_so() -> None:
    plan = plan_of([3, 2], 5, 5)
    found = compared([play(plan, name, uniform) for name in "ab"], plan, **pool_of(plan))
    pair = found["pairs"][0]
    assert found["questions"] == 0
    assert pair["overlap"]["cross_order"] == pair["expected"]["cross_order"] == 1
    assert pair["kappa"]["cross_order"] is pair["p_value"]["cross_order"] is None
    assert pair["selection"]["cohen"] is found["fleiss"]["kappa"] is None
    assert "a and b had nothing to choose" in found["summary"][0]


def test_a_plan_without_queries_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compare([], Plan((), (), {}), {}, orders=1, seed=0, rows=None, vectors=None)


def test_a_sample_of_clusters_is_a_plan_of_its_own() -> None:
    plan = plan_of([30, 9, 14, 40], 8, 7)
    kept = {1, 3}
    part = replace(plan, queries=tuple(q for q in plan.queries if q.cluster in kept))
    found = compared([play(part, name, uniform) for name in "ab"], part)
    assert found["picks"] == sum(plan.quotas[cluster] for cluster in kept)


# --- kappas ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(20))
def test_kappa_is_cohens_where_all_queries_are_alike(number: int) -> None:
    draw = random.Random(number)
    size, quota = draw.randint(2, 14), 1
    quota = draw.randint(1, size - 1)
    plan = plan_of([size] * 6, 6 * quota, size)
    a, b = (play(plan, name, uniform, 1, number) for name in "ab")
    pair = compared([a, b], plan, orders=1)["pairs"][0]
    rows = sorted(texts_of(plan))
    ins = [[row in {pick.row for pick in each.picks} for row in rows] for each in (a, b)]
    assert pair["selection"]["cohen"] == pytest.approx(cohen_kappa_score(*ins))
    assert pair["selection"]["kappa"] == pytest.approx(pair["selection"]["cohen"])
    assert pair["kappa"]["same_order"] == pytest.approx(pair["selection"]["cohen"])


@pytest.mark.parametrize("raters", [2, 3, 5])
def test_fleiss_by_hand(raters: int) -> None:
    plan = plan_of([9, 14, 5, 20], 9, 7)
    players = [play(plan, str(number), uniform) for number in range(raters)]
    shown = [row for query in plan.queries for row in query.rows]
    picked = [{pick.row for pick in each.picks} for each in players]
    chosen = [sum(row in rows for rows in picked) for row in shown]
    alike = [
        (n * (n - 1) + (raters - n) * (raters - n - 1)) / (raters * (raters - 1)) for n in chosen
    ]
    p = sum(chosen) / (len(shown) * raters)
    by_chance = p**2 + (1 - p) ** 2
    kappa = (sum(alike) / len(alike) - by_chance) / (1 - by_chance)
    assert compared(players, plan)["fleiss"] == {"kappa": pytest.approx(kappa), "raters": raters}


def test_fewer_than_two_cannot_agree() -> None:
    plan = plan_of([9, 14], 4, 7)
    found = compared([play(plan, "a", uniform), drawn(plan, 0)], plan)
    assert (found["pairs"], found["fleiss"], found["disagreements"]) == ([], None, [])


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    plan = plan_of([6] * 50, 50, 6)
    truth = np.array([0.6**place for place in range(6)])
    truth = float(((truth / truth.sum()) ** 2).sum())
    held = 0
    for seed in range(60):
        players = [play(plan, name, leaning(0.6), 1, seed) for name in "ab"]
        low, high = compare_pair(players, plan)["interval"]["same_order"]
        held += low <= truth <= high
    assert 50 <= held <= 60


def compare_pair(players: Sequence[Contestant], plan: Plan) -> Any:
    """The pair alone: languages and figures of the pool take their time."""
    from localsel.stages.compare.agreement import make_resamples, pair
    from localsel.stages.compare.board import make_board, make_sheet
    from localsel.stages.compare.chance import make_chance

    board = make_board(plan)
    one, other = (make_sheet(board, each, 1) for each in players)
    return pair(board, one, other, make_chance(board, 1, 0, 10), make_resamples(board, 0))


# --- position -------------------------------------------------------------------------------------


def answer(shown: int, chosen: Sequence[int], scores: Sequence[float] = ()) -> Answer:
    rows = tuple(range(100, 100 + shown))
    picked = tuple(rows[place - 1] for place in chosen)
    return Answer(0, 0, rows, picked, (), tuple(scores), "answered")


def test_position_by_hand() -> None:
    answers = [answer(2, [1]), answer(2, [1]), answer(4, [1, 4]), answer(4, [2, 3])]
    found = position(answers, 0)
    assert found is not None
    assert [point["chosen"] for point in found["curve"]] == [3, 1 + 0, 1, 1]
    assert [point["expected"] for point in found["curve"]] == [2, 2, 1, 1]
    assert [point["rate"] for point in found["curve"]] == [3 / 4, 1 / 4, 1 / 2, 1 / 2]
    assert found["chi_square"] == pytest.approx(1 / 2 + 1 / 2)
    assert found["degrees"] == 3


def test_with_one_choice_each_p_is_pearsons() -> None:
    draw = random.Random(0)
    answers = [answer(6, [draw.choice([1, 1, 2, 3, 4, 5, 6])]) for _ in range(400)]
    found = position(answers, 0)
    assert found is not None
    assert found["p_value"] == pytest.approx(chi2.sf(found["chi_square"], 5), rel=0.25, abs=0.01)


def test_several_choices_spread_less_than_pearson_thinks() -> None:
    """Three of four: what is left out is one of four, with the same deviations."""
    draw = random.Random(1)
    left_out = [draw.choice([1, 1, 2, 3, 4]) for _ in range(300)]
    one = position([answer(4, [place]) for place in left_out], 0)
    three = position([answer(4, [p for p in range(1, 5) if p != q]) for q in left_out], 0)
    assert one is not None and three is not None
    assert one["p_value"] == pytest.approx(three["p_value"], rel=0.2, abs=0.005)
    assert one["chi_square"] == pytest.approx(3 * three["chi_square"])


def test_label_prior_and_entropy_by_hand() -> None:
    even, sure = [math.log(1 / 4)] * 4, [0.0, -math.inf]
    answers = [answer(4, [1], even), answer(2, [1], sure), answer(3, [1])]
    assert label_prior(answers) == pytest.approx([(1 / 4 + 1) / 2, 1 / 8, 1 / 4, 1 / 4])
    assert entropy(answers) == pytest.approx(1 / 2)
    assert entropy([answer(3, [1])]) is None


# --- coverage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(15))
def test_coverage_is_that_of_brute_force(number: int) -> None:
    plan = random_plan(700 + number)
    pool = pool_of(plan, dimensions=3)
    rows, vectors = pool["rows"], pool["vectors"].astype(float)
    picks = [int(row) for row in np.random.default_rng(number).permutation(rows)][: number + 1]
    found = measured(make_ground(rows, pool["vectors"], plan), picks, NEAR)
    assert found is not None
    measures, curve = found
    where = [int(np.flatnonzero(rows == row)[0]) for row in picks]
    for point in curve:
        ends = [
            min(math.dist(vector, vectors[at]) for at in where[: point["picks"]])
            for vector in vectors
        ]
        assert point["radius"] == pytest.approx(max(ends), abs=1e-5)
        assert point["mean_distance"] == pytest.approx(np.mean(ends), abs=1e-5)
    assert curve[-1] == {
        "picks": len(picks),
        **{k: measures[k] for k in ("mean_distance", "radius")},
    }
    pairs = list(itertools.combinations(where, 2))
    if pairs:
        distances = [math.dist(vectors[i], vectors[j]) for i, j in pairs]
        assert measures["pairwise_distance"] == pytest.approx(np.mean(distances), abs=1e-5)
    else:
        assert measures["pairwise_distance"] is None
    near = sum(vectors[i] @ vectors[j] >= NEAR for i, j in pairs)
    assert measures["near_duplicates"] == near
    clusters = {row: query.cluster for query in plan.queries for row in query.rows}
    hit = {clusters[row] for row in picks if row in clusters}
    assert measures["clusters_hit"] == len(hit) / len(set(clusters.values()))


def test_a_pool_of_several_blocks_is_that_of_brute_force() -> None:
    plan = plan_of([90] * 60, 60, 14)
    pool = pool_of(plan)
    ground = make_ground(pool["rows"], pool["vectors"], plan)
    vectors, picks = pool["vectors"].astype(np.float64), pool["rows"][::3].tolist()
    assert len(vectors) > BLOCK
    assert len(picks) > BLOCK / 4
    found, _ = measured(ground, picks, 0.95)
    nearest = cdist(vectors, vectors[::3]).min(axis=1)
    assert found["radius"] == pytest.approx(nearest.max(), rel=1e-5)
    assert found["mean_distance"] == pytest.approx(nearest.mean(), rel=1e-5)
    assert found["pairwise_distance"] == pytest.approx(pdist(vectors[::3]).mean(), rel=1e-5)
    alike = 1 - pdist(vectors[::3], "cosine")
    assert (alike >= 0.95).sum() > 100
    # Cosines within rounding of the threshold may fall on either side of it.
    assert (alike >= 0.95001).sum() <= found["near_duplicates"] <= (alike >= 0.94999).sum()
    assert among(pool["vectors"][:1], 0.5) == (None, 0)


def test_baselines_are_means_over_seeds_and_random_has_a_spread() -> None:
    plan = plan_of([9, 14, 5, 20], 9, 7)
    pool = pool_of(plan)
    seeds = [drawn(plan, seed) for seed in range(3)]
    found = compared([play(plan, "a", uniform), *seeds, drawn(plan, 9, "length")], plan, **pool)
    ground = make_ground(pool["rows"], pool["vectors"], plan)
    alone = [measured(ground, [p.row for p in each.picks], NEAR)[0]["radius"] for each in seeds]
    many, one = found["baselines"]
    assert (many["name"], many["seeds_used"]) == ("random", [each.name for each in seeds])
    assert many["coverage"]["radius"] == pytest.approx(np.mean(alone))
    assert many["spread"]["radius"] == pytest.approx(np.std(alone, ddof=1))
    assert (one["name"], one["spread"], many["against_random"]) == ("length", None, None)
    against = found["selectors"][0]["against_random"]["radius"]
    difference = found["selectors"][0]["coverage"]["radius"] - np.mean(alone)
    assert against["difference"] == pytest.approx(difference)
    assert against["z"] == pytest.approx(difference / np.std(alone, ddof=1))
    assert one["against_random"]["radius"]["random"] == pytest.approx(np.mean(alone))


def test_without_vectors_coverage_is_not_said() -> None:
    plan = plan_of([9, 14], 4, 7)
    found = compared([play(plan, "a", uniform), drawn(plan, 0)], plan)
    selector, baseline = found["selectors"][0], found["baselines"][0]
    for each in (selector, baseline):
        assert (each["coverage"], each["curve"], each["against_random"]) == (None, [], None)
    assert found["map"] is None


def test_the_map_knows_where_picks_are() -> None:
    plan = plan_of([9, 14, 30], 6, 7)
    pool = pool_of(plan)
    a = play(plan, "a", uniform)
    found = compared([a, drawn(plan, 0), drawn(plan, 1)], plan, **pool)["map"]
    assert found["method"] == "PCA"
    assert len(found["pool"]) == 53
    assert list(found["picks"]) == ["a", "random"]
    assert [row for _, _, row in found["picks"]["a"]] == [pick.row for pick in a.picks]
    centred = pool["vectors"] - pool["vectors"].mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False) ** 2
    assert found["explained"] == pytest.approx((singular / singular.sum())[:2], abs=1e-4)
    at = {tuple(point) for point in found["pool"]}
    assert {(x, y) for x, y, _ in found["picks"]["a"]} <= at


# --- disagreements, profile -----------------------------------------------------------------------


def test_the_most_disputed_cluster_comes_first() -> None:
    plan = plan_of([6, 6, 6], 3, 6)
    a = play(plan, "a", liking("x"))
    moved = {pick.cluster: pick for pick in a.picks}
    rows = {query.cluster: query.rows for query in plan.queries}
    other = next(row for row in rows[1] if row != moved[1].row)
    b = replace(a, name="b", picks=(moved[0], replace(moved[1], row=other), moved[2]))
    found = compared([a, b], plan)["disagreements"]
    assert [(each["cluster"], each["disagreement"]) for each in found] == [(1, 1)]
    first, second = found[0]["candidates"][:2]
    rows_by_name = {each["picked_by"][0]: each["row"] for each in (first, second)}
    assert rows_by_name == {"a": moved[1].row, "b": other}
    assert len(found[0]["candidates"]) == 6
    scores = [
        math.exp(dict(zip(x.shown, x.scores, strict=True))[other])
        for x in (a.answers[1, 0], a.answers[1, 1])
    ]
    said = next(each for each in found[0]["candidates"] if each["row"] == other)
    assert said["probabilities"]["a"] == pytest.approx(np.mean(scores))


def test_profiles_count_characters_words_and_languages() -> None:
    plan = plan_of([4], 2, 4)
    rows = [row for query in plan.queries for row in query.rows]
    said = [
        "Bitte schreibe einen kurzen Brief an deine Großmutter.",
        "Please write a short letter to your grandmother today.",
        "Please explain why the sky looks blue during the day.",
        "",
    ]
    texts = dict(zip(rows, said, strict=True))
    found = compare([], plan, texts, orders=1, seed=0, rows=None, vectors=None)["pool"]
    assert found["rows"] == 4
    assert found["profile"]["languages"] == {"en": 0.5, "de": 0.25, "unknown": 0.25}
    assert found["profile"]["words"] == {"mean": 6.75, "q1": 6, "median": 8.5, "q3": 9.25}


# --- sentences ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(20))
def test_holm_is_that_of_statsmodels(number: int) -> None:
    values = np.random.default_rng(number).random(number + 1) ** 3
    assert holm(values.tolist()) == pytest.approx(multipletests(values, method="holm")[1])


def test_holm_leaves_out_what_is_not_known() -> None:
    assert holm([0.03, None, 0.01]) == [0.03, None, 0.02]


def test_few_seeds_need_a_larger_z() -> None:
    assert not beyond(4.9, 3)
    assert beyond(-5.0, 3)
    assert beyond(2.1, 100)
    assert not beyond(1.99, 10_000)


def test_a_lower_agreement_than_with_oneself_is_claimed_only_with_intervals() -> None:
    plan = plan_of([8] * 80, 80, 8)
    steady = [play(plan, name, lambda shown, own=name: mixed(shown, own)) for name in "ab"]
    said = " ".join(compared(steady, plan)["summary"])
    assert "a and b differ by more than the order of candidates explains" in said
    same = [play(plan, name, liking("one", 4)) for name in "ab"]
    assert "may differ by no more than the order" in " ".join(compared(same, plan)["summary"])


def mixed(shown: Sequence[int], own: str) -> list[float]:
    """Half of what it likes is its own, half everybody's."""
    return [
        math.exp(20 * (random.Random(f"{own} {row}").random() + random.Random(f"{row}").random()))
        for row in shown
    ]
