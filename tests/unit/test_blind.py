"""A plan, a person's blind choices and runs over it → who agrees, and how often chance would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

from localsel.blind import choices_of, choose, forget, sample, score
from localsel.errors import UsageError
from localsel.records import Answer, Instruction, Plan, Query
from localsel.store import Store

# What asks: 0 and 1, heats of cluster 0; 3 and 5. Query 4 takes all it shows, query 2 is a final.
PLAN = Plan(
    queries=(
        Query(0, 0, 0, 1, rows=(0, 1, 2), final=False),
        Query(1, 0, 0, 1, rows=(3, 4, 5), final=False),
        Query(2, 0, 1, 1, sources=(0, 1)),
        Query(3, 1, 0, 2, rows=(6, 7, 8, 9)),
        Query(4, 2, 0, 2, rows=(10, 11)),
        Query(5, 3, 0, 1, rows=(12, 13, 14)),
    ),
    quotas=(1, 2, 2, 1),
    left_out={},
)
ASKING = {0, 1, 3, 5}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "workspace")) as opened:
        with opened.add_pool("pool", Path("data.jsonl"), "sha", "jsonl") as writer:
            for row in range(15):
                writer.add(Instruction(row, f"Text {row}."), str(row).encode(), {})
        opened.add_plan("plan", "pool", PLAN, [(row, 0, 0.1, 0.1, None) for row in range(15)], {})
        yield opened


def run_of(store: Store, chosen: dict[int, tuple[int, ...]], name: str = "toy") -> dict[str, Any]:
    """An ended run that answered these queries."""
    facts = {"selector": {"name": name}} if name else {}
    run = store.start_run(f"print {name}", "pool", {"seed": 0}, facts)
    shown = {query.id: query.rows or (0, 3) for query in PLAN.queries}
    for query, rows in chosen.items():
        outcome: Any = "answered" if rows else "abstained"
        store.add_answer(run, Answer(query, 0, shown[query], rows, (), (), outcome))
    store.update_run(run, state="finished", plan="plan")
    return store.run(run)


ALL = {0: (0,), 1: (4,), 2: (0,), 3: (6, 7), 5: (13,)}


def test_only_what_asks_is_drawn_and_all_rows_of_it(store: Store) -> None:
    drawn = sample(store, run_of(store, ALL))
    assert {each.query for each in drawn} == ASKING
    for each in drawn:
        query = PLAN.queries[each.query]
        assert (sorted(each.rows), each.quota) == (sorted(query.rows), query.quota)


def test_every_run_of_the_plan_has_the_same_sample_and_a_seed_another(store: Store) -> None:
    one, other = run_of(store, ALL), run_of(store, {}, "other")
    assert sample(store, one, 4) == sample(store, other, 4)
    assert sample(store, one, 2) == sample(store, one, 4)[:2]
    assert len({tuple(sample(store, one, 4, seed)) for seed in range(10)}) > 5


def test_the_order_does_not_follow_the_selector(store: Store) -> None:
    """Over many seeds every row stands in every place."""
    run = run_of(store, ALL)
    drawn = [each for seed in range(60) for each in sample(store, run, 4, seed)]
    firsts = {each.rows[0] for each in drawn if each.query == 3}
    assert firsts == {6, 7, 8, 9}


def test_a_choice_is_kept_replaced_and_forgotten(store: Store) -> None:
    run = run_of(store, ALL)
    choose(store, run, 3, (9, 6))
    choose(store, run, 3, (8, 6))
    assert choices_of(store, "plan") == {3: (8, 6)}
    forget(store, run, 3)
    assert choices_of(store, "plan") == {}
    with pytest.raises(UsageError, match="Nothing was chosen in query 3"):
        forget(store, run, 3)


@pytest.mark.parametrize(
    ("query", "rows", "says"),
    [
        (3, (6,), "Query 3 asks for 2 rows, each once; 1 given."),
        (3, (6, 6), "asks for 2 rows, each once"),
        (3, (6, 0), "Query 3 does not show row 0."),
        (2, (0,), "has no query 2 in which to choose blind"),
        (4, (10, 11), "has no query 4"),
        (99, (1,), "has no query 99"),
    ],
)
def test_what_is_no_choice_is_refused(
    store: Store, query: int, rows: tuple[int, ...], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        choose(store, run_of(store, ALL), query, rows)
    assert store.choices("plan") == {}


def test_who_asked_nobody_has_nothing_to_choose(store: Store) -> None:
    with pytest.raises(UsageError, match="asked no queries"):
        sample(store, run_of(store, {}, ""))


def test_agreement_is_counted_where_both_have_chosen(store: Store) -> None:
    run = run_of(store, ALL | {5: ()}, "one")
    run_of(store, {0: (2,)}, "two")
    run_of(store, {}, "one")
    store.start_run("going on", "pool", {}, {"selector": {"name": "late"}})
    for query, rows in {0: (0,), 3: (7, 8), 5: (13,)}.items():
        choose(store, run, query, rows)
    one, two, three = score(store, run)
    assert (one["name"], one["queries"], one["shared"], one["chosen"]) == ("one", 2, 2, 3)
    assert one["agreement"] == pytest.approx(2 / 3)
    assert one["expected"] == pytest.approx((1 / 3 + 2 * 2 / 4) / 3)
    assert one["interval"][0] <= one["agreement"] <= one["interval"][1]
    assert (two["name"], two["queries"], two["agreement"]) == ("two", 1, 0.0)
    assert (three["name"], three["queries"], three["agreement"]) == ("one (2)", 0, None)


def test_the_p_value_is_that_of_all_selectors_there_could_be(store: Store) -> None:
    human = {0: (0,), 3: (7, 8), 5: (13,)}
    run = run_of(store, ALL)
    for query, rows in human.items():
        choose(store, run, query, rows)
    (found,) = score(store, run)
    every = [list(combinations(PLAN.queries[q].rows, PLAN.queries[q].quota)) for q in human]
    shared = [
        sum(len({*a} & {*b}) for a, b in zip(answers, human.values(), strict=True))
        for answers in product(*every)
    ]
    at, above = shared.count(found["shared"]), sum(each > found["shared"] for each in shared)
    assert found["p_value"] == pytest.approx(float(Fraction(2 * above + at, 2 * len(shared))))
    assert found["expected"] == pytest.approx(sum(shared) / len(shared) / 4)


def test_nobody_has_chosen_yet(store: Store) -> None:
    run = run_of(store, ALL)
    with pytest.raises(UsageError, match=f"Nobody has chosen in a query of run {run['run']} yet"):
        score(store, run)


def test_a_choice_that_is_none_is_not_believed(store: Store) -> None:
    store.set_choice("plan", 3, (6, 0))
    with pytest.raises(ValueError, match="the choice in query 3 is none"):
        choices_of(store, "plan")
