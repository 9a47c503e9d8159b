"""DEITA: complexity times quality, and a filter that takes away only what is like a pick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.backends.base import Backend, Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import LocalselError, UsageError
from localsel.methods.base import Journal, Pool, Progress, Remark, Scores, Tools, Unscored
from localsel.methods.deita import BLOCK, OPTIONS, Deita, spread
from localsel.records import Instruction, Pick, Vectors
from localsel.settings import Settings
from localsel.stages.prompt import find_template

BITS = 1e-5
"""By which a cosine in float32 may be off."""


def unit(rows: Any) -> Vectors:
    vectors = np.asarray(rows, np.float64)
    found: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def circle(*degrees: float) -> Vectors:
    """Unit vectors in the plane, by their angle."""
    return unit([[np.cos(np.radians(each)), np.sin(np.radians(each))] for each in degrees])


def pool_of(vectors: Vectors, given: Vectors | None = None) -> Pool:
    rows = (
        Instruction(10 + 3 * place, f"Tell me {place} things.", response=f"Thing {place}.")
        for place in range(len(vectors))
    )
    return Pool(tuple(rows), vectors, given=given)


def certain(rating: int) -> list[float]:
    """All the probability on one rating."""
    return [float(option == str(rating)) for option in OPTIONS]


def method_of(
    ratings: list[tuple[int, int]] | None = None, model: str = "first", **options: Any
) -> Deita:
    """Ratings of complexity and of quality, a pair for each row, as if known from earlier."""
    scores = Scores()
    if ratings:
        hard, good = zip(*ratings, strict=True)
        values = [certain(each) for each in (*hard, *good)]
        scores = Scores(known=lambda name, keys: dict(zip(keys, values, strict=True)))
    run = Settings(data=Path("pool.jsonl"), budget=1, method="deita", **options)
    backend = ScriptedBackend.open(Opening(model))
    return Deita(Tools(run, Journal(), backend, selector="ab" * 32, scores=scores))


def picked(method: Deita, pool: Pool, budget: int) -> tuple[list[int], list[object]]:
    told = list(method.picks(pool, budget))
    rows = [each.row for each in told if isinstance(each, Pick)]
    return rows, [each for each in told if not isinstance(each, Pick | Progress)]


# --- scores --------------------------------------------------------------------------------------


def test_it_knows_the_ratings_of_its_templates() -> None:
    assert Deita.templates == tuple(Deita.questions)
    assert {find_template(name).options for name in Deita.templates} == {OPTIONS}


def test_the_product_decides_and_then_the_order_of_the_file() -> None:
    ratings = [(1, 6), (3, 3), (2, 3), (6, 1), (5, 5)]
    rows, told = picked(method_of(ratings), pool_of(circle(0, 72, 144, 216, 288)), 5)
    # 25, 9, then 6 three times.
    assert rows == [22, 13, 10, 16, 19]
    assert told == []


def test_a_real_model_rates_the_instruction_and_the_pair(backend: Backend) -> None:
    kept: dict[bytes, list[float]] = {}
    scores = Scores(keep=lambda name, values: kept.update(values))
    run = Settings(data=Path("pool.jsonl"), budget=3, method="deita")
    method = Deita(Tools(run, Journal(), backend, selector="ab" * 32, scores=scores))
    pool = pool_of(circle(0, 90, 180))
    rows, _ = picked(method, pool, 3)
    found = np.array([*kept.values()]) @ np.arange(1, 7)
    product = dict(zip((10, 13, 16), found[:3] * found[3:], strict=True))
    assert len(kept) == 6
    assert rows == sorted(product, key=lambda row: -product[row])
    assert method.estimate(pool)["timed_queries"] == 6


def test_a_row_that_lacks_either_rating_is_not_picked() -> None:
    pool = pool_of(unit(np.random.default_rng(0).normal(size=(40, 16))))
    told = list(method_of(model="abstain:0.5").picks(pool, 15))
    (missing,) = (each for each in told if isinstance(each, Unscored))
    rows = {each.row for each in told if isinstance(each, Pick)}
    assert len(rows) == 15
    assert not rows & missing.reasons.keys()
    with pytest.raises(LocalselError, match="Only 0 rows have a score"):
        picked(method_of(model="abstain:1"), pool, 1)


def test_vectors_stay_with_their_rows_where_a_response_is_missing() -> None:
    vectors = circle(0, 45, 0, 180)
    whole = pool_of(vectors).instructions
    pool = Pool((whole[0], Instruction(90, "Sing."), whole[2], whole[3]), vectors)
    rows, told = picked(method_of([(6, 6), (5, 5), (1, 1)]), pool, 2)
    assert rows == [10, 19]
    assert told == [Unscored({90: "it has no response"})]


# --- the filter ----------------------------------------------------------------------------------


def test_what_is_like_a_pick_is_passed_over() -> None:
    ratings = [(6, 6), (5, 6), (5, 5), (4, 5)]
    pool = pool_of(circle(0, 10, 60, 62))
    assert picked(method_of(ratings), pool, 2) == ([10, 16], [])
    # The cosine of 10 degrees is 0.985, that of 60 is 0.5.
    assert picked(method_of(ratings, threshold=0.99), pool, 2) == ([10, 13], [])
    assert picked(method_of(ratings, threshold=0.4), pool, 2)[0] == [10, 13]


def test_only_picks_are_compared_with() -> None:
    """What is like a row that was passed over, and like no pick, is picked."""
    pool = pool_of(circle(0, 20, 40))
    assert picked(method_of([(6, 6), (5, 5), (4, 4)]), pool, 2) == ([10, 16], [])


def test_where_the_pool_ends_the_best_of_those_passed_over_fill_the_budget() -> None:
    pool = pool_of(circle(0, 1, 90, 91, 2))
    rows, told = picked(method_of([(6, 6), (5, 5), (4, 4), (3, 3), (2, 2)]), pool, 4)
    assert rows == [10, 16, 13, 19]
    wanted = "2 picks are more like others than --threshold allows: no row was left."
    assert told == [Remark(wanted)]


def test_what_is_annotated_already_counts_from_the_start() -> None:
    pool = pool_of(circle(0, 90, 180), given=circle(5))
    assert picked(method_of([(6, 6), (5, 5), (4, 4)]), pool, 2) == ([13, 16], [])


def test_equal_vectors_are_one_apart_from_nothing() -> None:
    vectors = unit(np.repeat(np.random.default_rng(0).normal(size=(1, 384)), 3, axis=0))
    assert spread(vectors, 3, 1.0) == [0, 1, 2]
    assert spread(vectors, 3, 0.999) == [0]


def test_a_threshold_that_is_no_cosine_is_refused() -> None:
    for threshold in (1.01, -2.0):
        run = Settings(data=Path("pool.jsonl"), budget=1, threshold=threshold)
        with pytest.raises(UsageError, match="is no cosine"):
            Deita.of(run)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 6), st.floats(-0.5, 1), st.data()
)
def test_it_removes_nothing_whose_nearest_pick_is_far(
    seed: int, size: int, width: int, threshold: float, data: st.DataObject
) -> None:
    draw = np.random.default_rng(seed)
    vectors = unit(draw.normal(size=(size, width)))
    known = data.draw(st.integers(0, 4))
    annotated = unit(draw.normal(size=(known, width))) if known else None
    count = data.draw(st.integers(1, size))
    found = spread(vectors, count, threshold, annotated)
    check(vectors, found, count, threshold, annotated)


def test_the_same_holds_over_several_blocks() -> None:
    draw = np.random.default_rng(3)
    vectors, annotated = unit(draw.normal(size=(3 * BLOCK, 3))), unit(draw.normal(size=(5, 3)))
    found = spread(vectors, 2 * BLOCK, 0.99, annotated)
    assert BLOCK / 4 < len(found) < 2 * BLOCK
    check(vectors, found, 2 * BLOCK, 0.99, annotated)


def check(
    vectors: Vectors, found: list[int], count: int, threshold: float, annotated: Vectors | None
) -> None:
    """By the definition, in float64, one row after the other."""
    assert found == sorted(set(found))
    assert len(found) <= count
    exact = vectors.astype(np.float64)
    others = np.empty((0, vectors.shape[1])) if annotated is None else annotated
    end = found[-1] + 1 if len(found) == count else len(vectors)
    for place in range(end):
        before = [each for each in found if each < place]
        cosines = np.concatenate([others, exact[before]]) @ exact[place]
        nearest = cosines.max(initial=-1)
        if place in found:
            assert nearest <= threshold + BITS
        else:
            assert nearest > threshold - BITS
