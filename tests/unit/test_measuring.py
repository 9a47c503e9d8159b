"""Values of rows: kept, never measured twice, and missing where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from localsel.errors import AnswerError, LocalselError, UsageError
from localsel.methods.base import Progress, Scores, Unscored
from localsel.methods.measuring import answered, best, key_of, measure, refuse_filtered, some_of
from localsel.records import Instruction


class Kept:
    """What was kept, by measure and key, and which places were asked for."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, bytes], Any] = {}
        self.asked: list[int] = []

    @property
    def scores(self) -> Scores:
        def known(name: str, keys: Sequence[bytes]) -> Mapping[bytes, Any]:
            return {key: self.values[name, key] for key in keys if (name, key) in self.values}

        def keep(name: str, values: Mapping[bytes, Any]) -> None:
            self.values |= {(name, key): value for key, value in values.items()}

        return Scores(known, keep)

    def compute(self, places: Sequence[int]) -> Iterator[int | AnswerError]:
        for place in places:
            self.asked.append(place)
            yield AnswerError("it is four") if place == 4 else place * 10


def told(kept: Kept, texts: str, name: str = "tens") -> tuple[list[int | None], list[object]]:
    steps, said = (
        measure(
            kept.scores, name, range(100, 100 + len(texts)), list(map(key_of, texts)), kept.compute
        ),
        list[object](),
    )
    while True:
        try:
            said.append(next(steps))
        except StopIteration as ended:
            return ended.value, said


def test_every_place_has_its_value_and_the_failed_have_a_reason() -> None:
    values, said = told(Kept(), "abcdef")
    assert values == [0, 10, 20, 30, None, 50]
    assert said[-1] == Unscored({104: "it is four"})
    assert [each for each in said if isinstance(each, Progress)][-1] == Progress(6, 6)


def test_of_equal_texts_one_is_measured_and_all_have_its_value() -> None:
    kept = Kept()
    values, said = told(kept, "abacce")
    assert sorted(set(kept.asked)) == sorted(kept.asked) and len(kept.asked) == 4
    assert values[0] == values[2] is not None
    assert values[3] == values[4] is None
    assert said[-1] == Unscored({103: "it is four", 104: "it is four"})


def test_what_is_known_is_not_measured_again_and_what_failed_is() -> None:
    kept = Kept()
    first, _ = told(kept, "abcdef")
    kept.asked.clear()
    again, _ = told(kept, "abcdefg")
    assert again[:6] == first and kept.asked == [4, 6]
    kept.asked.clear()
    told(kept, "ab", "another")
    assert kept.asked == [0, 1]


def test_who_stops_keeps_what_was_measured() -> None:
    kept = Kept()
    steps = measure(kept.scores, "tens", range(6), list(map(key_of, "abcdef")), kept.compute)
    for _ in range(4):  # the beginning, and three values
        next(steps)
    steps.close()
    assert sorted(kept.values.values()) == [0, 10, 20]


def test_keys_tell_parts_apart() -> None:
    assert key_of("a", "bc") != key_of("ab", "c") != key_of("abc")


def test_the_best_come_first_and_of_equal_ones_the_earlier() -> None:
    values = [2.0, None, 3.0, 2.0, 0.0]
    assert best(values, 4) == [2, 0, 3, 4]
    assert best(values, 2, largest=False) == [4, 0]
    with pytest.raises(LocalselError, match="Only 4 rows have a score, fewer than the budget of 5"):
        best(values, 5)


def test_a_threshold_that_leaves_too_few_is_wrong_usage() -> None:
    refuse_filtered(5, 5, "--threshold", 4.5)
    with pytest.raises(UsageError, match=r"--threshold 4\.5 leaves 4 rows, fewer than the budget"):
        refuse_filtered(4, 5, "--threshold", 4.5)


def test_some_are_from_all_over() -> None:
    assert some_of(range(9), 3) == [0, 3, 6]
    # Not the first of them.
    assert some_of(range(5), 3) == [0, 1, 3]
    assert some_of("ab", 3) == ["a", "b"] and some_of("", 3) == []


def test_rows_without_a_response_are_named() -> None:
    rows = [Instruction(7, "a", response="x"), Instruction(9, "b", response=" \n")]
    places, without = answered(rows)
    assert places == [0] and without == Unscored({9: "it has no response"})
    assert answered(rows[:1]) == ([0], None)
