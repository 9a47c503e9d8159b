"""One suite over every method: the budget is met with distinct rows, the same way every time."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from localsel.backends.base import Ask, Backend, Beginning, Choice, Likelihood, Opening, Passage
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import AnswerError, LocalselError
from localsel.methods import METHODS, method_of
from localsel.methods.base import (
    Journal,
    Lesson,
    Method,
    Pool,
    Progress,
    Remark,
    Scores,
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
T = TypeVar("T")
Options = Mapping[str, Any]


def settings_of(name: str, options: Options, budget: int = 1) -> Settings:
    return Settings(data=Path("data.jsonl"), budget=budget, method=name, **options)


CASES: dict[str, tuple[str, Options]] = {
    **{name: (name, {}) for name in METHODS.names},
    "helpfulness": ("alpagasus", {"variant": "helpfulness"}),
    "superfiltering": ("ifd", {"variant": "superfiltering"}),
    "pre-experience": ("ifd", {"pre_experience": True}),
}
"""Every method, and the variants that need or do other things."""
CLASSES = {case: method_of(settings_of(name, options)) for case, (name, options) in CASES.items()}
ASKING = [case for case, method in CLASSES.items() if method.needs_plan]
SCORING = [
    case for case, method in CLASSES.items() if method.needs_backend and not method.needs_plan
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


@dataclass
class Tally:
    """How often a model was asked for anything about a row."""

    asked: int = 0

    def counted(self, some: Iterable[T]) -> Iterator[T]:
        for each in some:
            self.asked += 1
            yield each


class Watched(ScriptedBackend):
    """A rule that counts what it is asked."""

    tally: Tally

    @classmethod
    def under(cls, tally: Tally, model: str) -> Watched:
        backend = cls.open(Opening(model))
        backend.tally = tally
        return backend

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        return super().choose(self.tally.counted(asks))

    def logprobs(
        self, passages: Iterable[Passage], limit: int | None = None
    ) -> Iterator[Likelihood | AnswerError]:
        return super().logprobs(self.tally.counted(passages), limit)

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        return super().complete(self.tally.counted(beginnings), limit)


@dataclass(frozen=True)
class Lengthwise:
    """Rates an answer by its letters: all responses of the pool are good enough."""

    tally: Tally

    def scores(self, pairs: Iterable[tuple[str, str]]) -> Iterator[float]:
        for _, answer in self.tally.counted(pairs):
            yield (len(answer) - 40) / 10


@dataclass
class Teachable:
    """A scripted rule: one that draws is another after every lesson, any other is as before."""

    model: str
    tally: Tally
    tuned: Tuned | None = None

    def untuned(self) -> AbstractContextManager[Backend]:
        return closing(Watched.under(self.tally, self.model))

    def tune(self, lesson: Lesson) -> Generator[Progress | Remark, None, Tuned]:
        yield Progress(0, len(lesson.pairs))
        digest = str(zlib.crc32(repr(lesson.pairs).encode()))
        draws = self.model.startswith("random")
        opened = Watched.under(self.tally, f"random:{digest}" if draws else self.model)
        self.tuned = Tuned(opened, digest, True)
        return self.tuned


@dataclass
class Memory:
    """Values as the workspace keeps them, by what was measured and of what."""

    values: dict[tuple[str, bytes], Any] = field(default_factory=dict)

    def known(self, measure: str, keys: Sequence[bytes]) -> Mapping[bytes, Any]:
        return {key: self.values[measure, key] for key in keys if (measure, key) in self.values}

    def keep(self, measure: str, values: Mapping[bytes, Any]) -> None:
        self.values |= {(measure, key): value for key, value in values.items()}


def run(
    case: str,
    pool: Pool,
    budget: int,
    model: str = "random:3",
    journal: Journal | None = None,
    memory: Memory | None = None,
    tally: Tally | None = None,
    **more: object,
) -> tuple[list[Pick], list[Answer]]:
    name, options = CASES[case]
    settings = settings_of(name, {**options, **more}, budget)
    method_class = method_of(settings)
    memory, tally = memory or Memory(), tally or Tally()
    tools = Tools(
        settings,
        journal or Journal(),
        Watched.under(tally, model) if method_class.needs_backend else None,
        find_template("published") if method_class.needs_backend else None,
        selector="0123456789abcdef" * 4,
        scores=Scores(memory.known, memory.keep),
        rater=Lengthwise(tally) if method_class.needs_quality else None,
        rater_name="lengthwise",
        learner=Teachable(model, tally) if method_class.tunes else None,
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


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", SIZES)
def test_every_budget_is_met_with_distinct_rows(case: str, size: int) -> None:
    for budget in range(1, size + 1):
        pool = pool_of(size, budget)
        picks, _ = run(case, pool, budget)
        assert len(picks) == len({pick.row for pick in picks}) == budget
        assert {pick.row for pick in picks} <= {each.row for each in pool.instructions}


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_gives_the_same_picks(case: str) -> None:
    for seed in (0, 1, 2**32 - 1):
        first, again = (run(case, pool_of(40, 9), 9, seed=seed) for _ in range(2))
        assert first == again


@pytest.mark.parametrize("case", CASES)
def test_the_seed_counts_where_something_is_drawn(case: str) -> None:
    pool = pool_of(LARGE, 9)
    chosen = {tuple(pick.row for pick in run(case, pool, 9, seed=seed)[0]) for seed in range(5)}
    assert (len(chosen) > 1) is CLASSES[case].draws


@pytest.mark.parametrize("case", CASES)
def test_global_randomness_is_left_alone(case: str) -> None:
    np.random.seed(4)
    run(case, pool_of(12, 4), 4)
    first = np.random.random()
    np.random.seed(4)
    assert np.random.random() == first


@pytest.mark.parametrize("case", [case for case in CASES if case not in SCORING])
@pytest.mark.parametrize("orders", [1, 3])
@pytest.mark.parametrize("model", ["first", "random:1", "abstain:0.5", "abstain:1"])
def test_a_selector_that_says_little_still_fills_the_budget(
    case: str, model: str, orders: int
) -> None:
    picks, answers = run(case, pool_of(40, 15), 15, model, orders=orders)
    assert len({pick.row for pick in picks}) == 15
    if model == "abstain:1" and answers:
        asked = [answer for answer in answers if answer.outcome != "forced"]
        assert {answer.outcome for answer in asked} == {"abstained"}
        assert {pick.chosen_by for pick in picks} <= {"fallback", "forced"}


@pytest.mark.parametrize("case", SCORING)
def test_a_row_without_a_score_is_picked_by_nobody(case: str) -> None:
    with pytest.raises(LocalselError, match=r"^Only \d+ rows have a score, fewer than .* of 15"):
        run(case, pool_of(40, 15), 15, "abstain:1")


@pytest.mark.parametrize("case", ASKING)
def test_finished_answers_are_not_asked_again(case: str) -> None:
    pool = pool_of(40, 7)
    told: list[Answer] = []
    picks, answers = run(case, pool, 7, journal=Journal(commit=told.append))
    assert told == [answer for answer in answers if answer.outcome != "forced"]
    kept = {(answer.query, answer.order): answer for answer in told[: len(told) // 2]}
    assert kept
    fresh: list[Answer] = []
    again, _ = run(case, pool, 7, journal=Journal(kept, fresh.append))
    assert {pick.row: pick for pick in again} == {pick.row: pick for pick in picks}
    assert len(fresh) == len(told) - len(kept)


@pytest.mark.parametrize("case", SCORING)
def test_what_was_measured_is_not_measured_again(case: str) -> None:
    pool, memory, whole = pool_of(40, 7), Memory(), Tally()
    picks, _ = run(case, pool, 7, memory=memory, tally=whole)
    assert whole.asked >= 40
    nothing = Tally()
    assert run(case, pool, 7, memory=memory, tally=nothing)[0] == picks
    assert nothing.asked == 0


@pytest.mark.parametrize("case", SCORING)
def test_of_a_run_that_was_cut_only_the_rest_is_measured(case: str) -> None:
    pool, memory, whole = pool_of(40, 7), Memory(), Tally()
    picks, _ = run(case, pool, 7, memory=memory, tally=whole)
    half = Memory(dict(list(memory.values.items())[::2]))
    rest = Tally()
    assert run(case, pool, 7, memory=half, tally=rest)[0] == picks
    assert 0 < rest.asked <= whole.asked * 2 / 3
    assert half.values == memory.values
