"""MoDS step by step: what is good, what covers it, what is needed, and the budget they make up."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.alpaca import before
from localsel.backends.base import Backend, Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import AnswerError, LocalselError, UsageError
from localsel.methods.base import (
    Journal,
    Lesson,
    Pool,
    Progress,
    Remark,
    Scores,
    Tools,
    Tuned,
    Unscored,
)
from localsel.methods.mods import Mods
from localsel.records import Instruction, Pick, Vectors
from localsel.settings import Settings

SIZE = 30


@dataclass
class Table:
    """Rates a row's own response by one number, and whatever else is answered to it by another."""

    own: Sequence[float | None]
    other: Sequence[float | None]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def scores(self, pairs: Iterable[tuple[str, str]]) -> Iterator[float | AnswerError]:
        for question, answer in pairs:
            self.asked.append((question, answer))
            place = int(question.split()[1])
            table = self.own if answer == response(place) else self.other
            value = table[place]
            yield AnswerError("no number") if value is None else value


@dataclass
class Learner:
    """A scripted rule that remembers its lessons, and is as before after them."""

    lessons: list[Lesson] = field(default_factory=list)
    digest: str = "tuned"

    def untuned(self) -> AbstractContextManager[Backend]:
        return closing(ScriptedBackend.open(Opening("random:1")))

    def tune(self, lesson: Lesson) -> Generator[Progress | Remark, None, Tuned]:
        self.lessons.append(lesson)
        yield Progress(1, 1)
        return Tuned(ScriptedBackend.open(Opening("random:1")), self.digest, True)


def response(place: int) -> str:
    return f"It is {place}."


def row_of(place: int) -> int:
    return 10 + 3 * place


def pool_of(size: int = SIZE) -> Pool:
    vectors = np.random.default_rng(0).normal(size=(size, 6)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Pool(
        tuple(
            Instruction(row_of(i), f"Question {i} ?", "with input" * (i % 2), response(i))
            for i in range(size)
        ),
        unit,
    )


def method_of(
    budget: int, rater: Table, learner: Learner, scores: Scores | None = None, **options: Any
) -> Mods:
    settings = Settings(data=Path("x.jsonl"), budget=budget, method="mods", **options)
    tools = Tools(
        settings,
        Journal(),
        selector="ab" * 32,
        scores=scores or Scores(),
        rater=rater,
        rater_name="table",
        learner=learner,
    )
    return Mods(tools)


def places_of(told: Iterable[object]) -> list[int]:
    return [(each.row - 10) // 3 for each in told if isinstance(each, Pick)]


def remarks_of(told: Iterable[object]) -> list[str]:
    return [each.text for each in told if isinstance(each, Remark)]


def walk(vectors: Vectors, among: Sequence[int], centres: Sequence[int], count: int) -> list[int]:
    """Farthest first, by a loop over all distances; of equally far places the first."""
    known, found = list(centres), list[int]()
    for _ in range(count):
        far = {
            place: min(float(np.linalg.norm(vectors[place] - vectors[each])) for each in known)
            for place in among
            if place not in known
        }
        known.append(max(far, key=far.__getitem__))
        found.append(known[-1])
    return found


GOOD = [1.0 if place % 5 else -1.0 for place in range(SIZE)]
"""Every fifth response is bad."""
HARD = [-2.0 - place if place % 3 == 1 else 2.0 for place in range(SIZE)]
"""Every third question is failed, the later ones worse."""


def test_seeds_cover_what_is_good_and_the_rest_is_what_the_model_fails() -> None:
    pool, learner, rater = pool_of(), Learner(), Table(GOOD, HARD)
    told = list(method_of(10, rater, learner).picks(pool, 10))
    places = places_of(told)
    seeds, rest = places[:5], places[5:]
    good = [place for place in range(SIZE) if place % 5]
    assert pool.vectors is not None
    first = good[int(np.random.default_rng(0).integers(len(good)))]
    assert seeds == [first, *walk(pool.vectors, good, [first], 4)]
    needed = [place for place in good if place % 3 == 1 and place not in seeds]
    assert len(needed) > 5
    assert rest == walk(pool.vectors, needed, seeds, 5)
    assert len(set(places)) == 10
    others = len(good) - 5
    assert remarks_of(told) == [
        "24 of 30 rows are rated above 0.",
        f"The tuned model fails {len(needed)} of {others} rows.",
    ]


def test_the_model_learns_the_seeds_and_nothing_else() -> None:
    pool, learner = pool_of(), Learner()
    places = places_of(method_of(10, Table(GOOD, HARD), learner).picks(pool, 10))
    (lesson,) = learner.lessons
    taught = [pool.instructions[place] for place in places[:5]]
    assert lesson.pairs == tuple((before(each), each.response) for each in taught)
    assert (lesson.epochs, lesson.batch) == (3, 512)
    options = {"tune_rows": 2, "tune_epochs": 7, "tune_batch": 4}
    list(method_of(10, Table(GOOD, HARD), learner, **options).picks(pool, 10))
    assert learner.lessons[1].pairs == lesson.pairs[:2]
    assert (learner.lessons[1].epochs, learner.lessons[1].batch) == (7, 4)


def test_both_ratings_are_of_the_instruction_and_its_input() -> None:
    pool, rater = pool_of(), Table(GOOD, HARD)
    places = places_of(method_of(10, rater, Learner()).picks(pool, 10))
    own = [(each.text, each.response) for each in pool.instructions]
    assert rater.asked[:SIZE] == own
    assert own[1][0] == "Question 1 ?\nwith input"
    others = [place for place in range(SIZE) if place % 5 and place not in places[:5]]
    said = rater.asked[SIZE:]
    assert [question for question, _ in said] == [own[place][0] for place in others]
    assert not {answer for _, answer in said} & {answer for _, answer in own}


def test_thresholds_are_numbers_that_are_themselves_outside() -> None:
    pool = pool_of()
    levels = [float(place) for place in range(SIZE)]
    method = method_of(6, Table(levels, levels), Learner(), quality_above=9.0, necessity_below=14.0)
    told = list(method.picks(pool, 6))
    places = places_of(told)
    assert min(places) > 9
    left = [place for place in range(10, 14) if place not in places[:3]]
    assert f"The tuned model fails {len(left)} of 17 rows." in remarks_of(told)
    assert set(places[3:]) <= set(left)


def test_the_worst_of_the_others_fill_what_the_needed_rows_leave() -> None:
    hard = [-1.0 if place in (11, 22) else float(SIZE - place) for place in range(SIZE)]
    told = list(method_of(12, Table(GOOD, hard), Learner(), tune_rows=4).picks(pool_of(), 12))
    places = places_of(told)
    seeds, rest = places[:4], places[4:]
    needed = {11, 22} - set(seeds)
    others = [place for place in range(SIZE - 1, 0, -1) if place % 5 and place not in (11, 22)]
    expected = [place for place in others if place not in seeds][: 8 - len(needed)]
    assert set(rest[: len(needed)]) == needed
    assert rest[len(needed) :] == expected
    missing = 8 - len(needed)
    assert remarks_of(told)[-1].startswith(f"{missing} picks of rows that it does not fail")


def test_every_budget_up_to_what_is_good_is_met_and_no_more() -> None:
    good = sum(value > 0 for value in GOOD)
    for budget in range(1, good + 1):
        places = places_of(method_of(budget, Table(GOOD, HARD), Learner()).picks(pool_of(), budget))
        assert len(set(places)) == len(places) == budget
        assert all(place % 5 for place in places)
    with pytest.raises(UsageError, match="--quality-above 0 leaves 24 rows") as refused:
        list(method_of(good + 1, Table(GOOD, HARD), Learner()).picks(pool_of(), good + 1))
    assert refused.value.exit_code == 2


def test_a_seed_set_as_large_as_the_budget_needs_no_tuning() -> None:
    learner = Learner()
    told = method_of(4, Table(GOOD, HARD), learner, tune_rows=4).picks(pool_of(), 4)
    assert len(places_of(told)) == 4
    assert not learner.lessons


def test_more_seeds_than_picks_are_refused_before_anything_else() -> None:
    settings = Settings(data=Path("x.jsonl"), budget=4, method="mods", tune_rows=5)
    with pytest.raises(UsageError, match="--tune-rows 5 is more than the budget of 4"):
        Mods.of(settings)


def test_the_first_centre_comes_from_the_seed() -> None:
    firsts = {
        places_of(method_of(4, Table(GOOD, HARD), Learner(), seed=seed).picks(pool_of(), 4))[0]
        for seed in range(8)
    }
    assert len(firsts) > 1


def test_what_is_annotated_counts_as_covered() -> None:
    pool = pool_of()
    assert pool.vectors is not None
    given = pool.vectors[[3, 8]]
    with_given = Pool(pool.instructions, pool.vectors, given=given)
    places = places_of(method_of(8, Table(GOOD, HARD), Learner()).picks(with_given, 8))
    good = [place for place in range(SIZE) if place % 5]
    assert places[:4] == walk(pool.vectors, good, [3, 8], 4)


def test_what_has_no_rating_is_missing_and_never_picked() -> None:
    own = [None if place == 2 else value for place, value in enumerate(GOOD)]
    hard = [None if place == 4 else value for place, value in enumerate(HARD)]
    pool = pool_of()
    silent = Instruction(row_of(SIZE), "Question 30 ?")
    assert pool.vectors is not None
    vectors = np.concatenate([pool.vectors, pool.vectors[:1]])
    method = method_of(20, Table(own, hard), Learner(), tune_rows=3)
    told = list(method.picks(Pool((*pool.instructions, silent), vectors), 20))
    places = places_of(told)
    missing = [each.reasons for each in told if isinstance(each, Unscored)]
    assert missing[:2] == [{row_of(SIZE): "it has no response"}, {row_of(2): "no number"}]
    assert 4 not in places[:3] and missing[2] == {row_of(4): "no number"}
    assert not {2, 4, SIZE} & set(places)
    few = [None if place % 3 else value for place, value in enumerate(HARD)]
    with pytest.raises(LocalselError, match="rows have a score, fewer than the budget of 20"):
        list(method_of(20, Table(GOOD, few), Learner(), tune_rows=3).picks(pool_of(), 20))


def test_ratings_are_kept_and_answers_are_those_of_one_tuned_model() -> None:
    kept: dict[tuple[str, bytes], Any] = {}

    def known(name: str, keys: Sequence[bytes]) -> Mapping[bytes, Any]:
        return {key: kept[name, key] for key in keys if (name, key) in kept}

    def keep(name: str, values: Mapping[bytes, Any]) -> None:
        kept.update({(name, key): value for key, value in values.items()})

    rater, scores = Table(GOOD, HARD), Scores(known, keep)
    first = places_of(method_of(10, rater, Learner(), scores).picks(pool_of(), 10))
    asked = len(rater.asked)
    assert places_of(method_of(10, rater, Learner(), scores).picks(pool_of(), 10)) == first
    assert len(rater.asked) == asked
    written = {name for name, _ in kept if name.startswith("written")}
    list(method_of(10, rater, Learner(digest="other"), scores).picks(pool_of(), 10))
    assert len({name for name, _ in kept if name.startswith("written")} - written) == 1


def test_a_rehearsal_says_what_it_takes_at_most() -> None:
    found = method_of(10, Table(GOOD, HARD), Learner()).estimate(pool_of())
    asked = [before(each) for each in pool_of().instructions]
    assert found["prompt_tokens"] == sum(map(len, asked))  # scripted: a token is a character
    assert found["new_tokens"] == 256 * SIZE
    assert float(str(found["choose_seconds"])) >= 0
