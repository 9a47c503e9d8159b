"""One suite over every method: the budget is met with distinct rows, the same way every time."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from localsel.backends.base import Backend, Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import LocalselError
from localsel.methods import METHODS
from localsel.methods.base import (
    Journal,
    Lesson,
    Method,
    Pool,
    Progress,
    Remark,
    Tools,
    Tuned,
)
from localsel.records import Answer, Instruction, Pick
from localsel.settings import Settings
from localsel.stages.plan import make_plan
from localsel.stages.prompt import find_template

SIZES = (1, 2, 3, 12, 40)
LARGE = 1100
"""More than any method takes into account of a pool."""
SCORING = [
    name
    for name, method in METHODS.load_all().items()
    if method.needs_backend and not method.needs_plan
]
"""Methods that go by a number for every row: where a model says none, they pick nothing."""
TOPICS = ["rivers", "bread", "law", "ships", "winter", "maps", "birds", "steel", "music"]


def pool_of(size: int, budget: int, query_size: int = 5) -> Pool:
    """Rows 10, 13, 16, …, so that a place is never taken for a row; in clusters of up to nine."""
    rows = tuple(range(10, 10 + 3 * size, 3))
    draw = np.random.default_rng(1)
    instructions = tuple(
        Instruction(
            row,
            f"Write {row} words about {' and '.join(draw.choice(TOPICS, 4).tolist())}.",
            response="word " * row,
        )
        for row in rows
    )
    vectors = np.random.default_rng(0).normal(size=(size, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clusters = [rows[start : start + 9] for start in range(0, size, 9)]
    return Pool(instructions, vectors, make_plan(clusters, budget, query_size))


class Lengthwise:
    """Rates an answer by its letters: all responses of the pool are good enough."""

    def scores(self, pairs: Iterable[tuple[str, str]]) -> Iterator[float]:
        for _, answer in pairs:
            yield (len(answer) - 40) / 10


@dataclass(frozen=True)
class Unteachable:
    """A scripted rule, which is as before after any lesson."""

    model: str

    def untuned(self) -> AbstractContextManager[Backend]:
        return closing(ScriptedBackend.open(Opening(self.model)))

    def tune(self, lesson: Lesson) -> Generator[Progress | Remark, None, Tuned]:
        yield Progress(0, len(lesson.pairs))
        return Tuned(ScriptedBackend.open(Opening(self.model)), str(len(lesson.pairs)))


def run(
    name: str,
    pool: Pool,
    budget: int,
    model: str = "random:3",
    journal: Journal | None = None,
    **options: object,
) -> tuple[list[Pick], list[Answer]]:
    settings = Settings(data=Path("data.jsonl"), budget=budget, method=name, **options)  # type: ignore[arg-type]
    method_class: type[Method] = METHODS.load(name)
    tools = Tools(
        settings,
        journal or Journal(),
        ScriptedBackend.open(Opening(model)) if method_class.needs_backend else None,
        find_template("published") if method_class.needs_backend else None,
        selector="0123456789abcdef" * 4,
        rater=Lengthwise() if method_class.needs_quality else None,
        rater_name="lengthwise",
        learner=Unteachable(model) if method_class.tunes else None,
    )
    told = list(method_class(tools).picks(pool, budget))
    picks = [item for item in told if isinstance(item, Pick)]
    return picks, [item for item in told if isinstance(item, Answer)]


def test_every_method_says_what_it_is() -> None:
    assert METHODS.load_all().keys() == set(METHODS.names)
    for method in METHODS.load_all().values():
        assert issubclass(method, Method)
        assert method.about
        assert method.cost


@pytest.mark.parametrize("name", METHODS.names)
@pytest.mark.parametrize("size", SIZES)
def test_every_budget_is_met_with_distinct_rows(name: str, size: int) -> None:
    for budget in range(1, size + 1):
        pool = pool_of(size, budget)
        picks, _ = run(name, pool, budget)
        assert len(picks) == len({pick.row for pick in picks}) == budget
        assert {pick.row for pick in picks} <= {each.row for each in pool.instructions}


@pytest.mark.parametrize("name", METHODS.names)
def test_the_same_seed_gives_the_same_picks(name: str) -> None:
    for seed in (0, 1, 2**32 - 1):
        first, again = (run(name, pool_of(40, 9), 9, seed=seed) for _ in range(2))
        assert first == again


@pytest.mark.parametrize("name", METHODS.names)
def test_the_seed_counts_where_something_is_drawn(name: str) -> None:
    pool = pool_of(LARGE, 9)
    chosen = {tuple(pick.row for pick in run(name, pool, 9, seed=seed)[0]) for seed in range(5)}
    assert (len(chosen) > 1) is METHODS.load(name).draws


@pytest.mark.parametrize("name", METHODS.names)
def test_global_randomness_is_left_alone(name: str) -> None:
    np.random.seed(4)
    run(name, pool_of(12, 4), 4)
    first = np.random.random()
    np.random.seed(4)
    assert np.random.random() == first


@pytest.mark.parametrize("name", [name for name in METHODS.names if name not in SCORING])
@pytest.mark.parametrize("orders", [1, 3])
@pytest.mark.parametrize("model", ["first", "random:1", "abstain:0.5", "abstain:1"])
def test_a_selector_that_says_little_still_fills_the_budget(
    name: str, model: str, orders: int
) -> None:
    picks, answers = run(name, pool_of(40, 15), 15, model, orders=orders)
    assert len({pick.row for pick in picks}) == 15
    if model == "abstain:1" and answers:
        asked = [answer for answer in answers if answer.outcome != "forced"]
        assert {answer.outcome for answer in asked} == {"abstained"}
        assert {pick.chosen_by for pick in picks} <= {"fallback", "forced"}


@pytest.mark.parametrize("name", SCORING)
def test_a_row_without_a_score_is_picked_by_nobody(name: str) -> None:
    with pytest.raises(LocalselError, match=r"^Only \d+ rows have a score, fewer than .* of 15"):
        run(name, pool_of(40, 15), 15, "abstain:1")


@pytest.mark.parametrize("name", METHODS.names)
def test_finished_answers_are_not_asked_again(name: str) -> None:
    pool, told = pool_of(40, 7), []
    picks, answers = run(name, pool, 7, journal=Journal(commit=told.append))
    assert told == [answer for answer in answers if answer.outcome != "forced"]
    kept = {(answer.query, answer.order): answer for answer in told[: len(told) // 2]}
    fresh: list[Answer] = []
    again, _ = run(name, pool, 7, journal=Journal(kept, fresh.append))
    assert {pick.row: pick for pick in again} == {pick.row: pick for pick in picks}
    assert len(fresh) == len(told) - len(kept)
