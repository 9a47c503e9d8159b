"""AlpaGasus: ratings and their expected values, what a threshold takes away, what has no rating."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.backends.base import Ask, Backend, Choice, Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import AnswerError, BackendError, LocalselError, UsageError
from localsel.methods.alpagasus import OPTIONS, AlpaGasus, Helpfulness, tied
from localsel.methods.base import Journal, Pool, Progress, Remark, Scores, Tools, Unscored
from localsel.methods.rating import asked, expected, pair, probabilities
from localsel.pipeline.early import refuse_unfit
from localsel.records import Instruction, Pick
from localsel.settings import Settings
from localsel.stages.prompt import find_template, render
from tests.conftest import Command

TOPICS = ("rivers", "bread", "law", "ships", "winter", "maps", "birds", "steel", "music")
TEMPLATES = ("accuracy", "helpfulness", "complexity", "quality")


def pool_of(size: int) -> Pool:
    """Rows 10, 13, 16, …, so that a place is never taken for a row."""
    return Pool(
        tuple(
            Instruction(
                10 + 3 * place,
                f"Tell me {place % 7 + 2} things about {TOPICS[place % 9]}.",
                "Briefly." * (place % 2),
                f"{TOPICS[place * 5 % 9].title()} came before {TOPICS[place % 4]}. "
                * (place % 3 + 1),
            )
            for place in range(size)
        )
    )


class Kept:
    """What was kept of earlier runs; with `given`, one value for each row, in their order."""

    def __init__(self, given: Sequence[Any] = ()) -> None:
        self.values: dict[tuple[str, bytes], Any] = {}
        self._given = given

    @property
    def scores(self) -> Scores:
        def known(name: str, keys: Sequence[bytes]) -> Mapping[bytes, Any]:
            if self._given:
                return dict(zip(keys, self._given, strict=True))
            return {key: self.values[name, key] for key in keys if (name, key) in self.values}

        def keep(name: str, values: Mapping[bytes, Any]) -> None:
            self.values |= {(name, key): value for key, value in values.items()}

        return Scores(known, keep)


def method_of(backend: Backend | str, kept: Kept | None = None, **options: Any) -> AlpaGasus:
    if isinstance(backend, str):
        backend = ScriptedBackend.open(Opening(backend))
    settings = Settings(data=Path("pool.jsonl"), budget=1, method="alpagasus", **options)
    tools = Tools(settings, Journal(), backend, selector="ab" * 32, scores=(kept or Kept()).scores)
    method = AlpaGasus.of(settings)(tools)
    assert isinstance(method, AlpaGasus)
    return method


def picked(method: AlpaGasus, pool: Pool, budget: int) -> tuple[list[int], list[object]]:
    told = list(method.picks(pool, budget))
    rows = [each.row for each in told if isinstance(each, Pick)]
    return rows, [each for each in told if not isinstance(each, Pick | Progress)]


# --- the question --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_asks_for_one_of_its_ratings(name: str) -> None:
    template = find_template(f"ratings/{name}")
    prompt = render(template, ["Instruction:\nSing.", "Response:\nLa."], 1)
    assert prompt.labels == template.options == tuple(sorted(template.options))
    assert "{" not in prompt.content
    lowest, highest = template.options[0], template.options[-1]
    assert f"from {lowest} " in prompt.tail
    assert f"to {highest} " in prompt.tail
    assert prompt.answer.endswith("[")


def test_the_method_knows_the_ratings_of_its_templates() -> None:
    for method in (AlpaGasus, Helpfulness):
        assert method.templates == tuple(method.questions)
        assert {find_template(name).options for name in method.templates} == {OPTIONS}


def test_a_question_about_the_instruction_shows_no_response() -> None:
    row = Instruction(1, "Add them.", "1 and 2", "3")
    assert asked(row) == ["Instruction:\nAdd them.", "Input:\n1 and 2"]
    assert pair(row) == [*asked(row), "Response:\n3"]
    assert pair(Instruction(1, "Sing.", "", "La.")) == ["Instruction:\nSing.", "Response:\nLa."]


def test_a_template_that_rates_cannot_choose() -> None:
    with pytest.raises(UsageError, match="'accuracy' asks for a rating"):
        refuse_unfit(find_template("ratings/accuracy"), None)


def test_the_ratings_of_a_template_are_shown(localsel: Command) -> None:
    shown = localsel("prompts", "show", "ratings/accuracy", "--json").document
    assert shown["options"] == list(OPTIONS)
    assert localsel("prompts", "show", "ratings/accuracy").stdout.endswith("\n0, 1, 2, 3, 4, 5\n")


# --- ratings -------------------------------------------------------------------------------------


def test_a_real_model_rates_each_row_by_itself(backend: Backend) -> None:
    pool, kept, alone = pool_of(5), Kept(), Kept()
    rows, _ = picked(method_of(backend, kept), pool, 5)
    assert sorted(rows) == [each.row for each in pool.instructions]
    found = list(kept.values.values())
    assert len(found) == 5
    assert {len(each) for each in found} == {6}
    assert np.sum(found, axis=1) == pytest.approx(np.ones(5))
    picked(method_of(backend, alone), Pool(pool.instructions[3:4]), 1)
    assert alone.values.items() <= kept.values.items()


def test_what_is_kept_is_what_the_model_answers(backend: Backend) -> None:
    kept, row = Kept(), pool_of(2).instructions[1]
    picked(method_of(backend, kept), Pool((row,)), 1)
    template = find_template("ratings/accuracy")
    (choice,) = backend.choose([Ask(render(template, pair(row), 1), 1)])
    assert isinstance(choice, Choice)
    assert [*kept.values.values()] == [pytest.approx(np.exp(choice.scores).tolist())]


def test_expected_values_break_the_ties_that_ratings_leave(backend: Backend) -> None:
    pool, kept = pool_of(126), Kept()
    _, told = picked(method_of(backend, kept), pool, 1)
    found = [*kept.values.values()]
    assert tied([max(range(6), key=each.__getitem__) for each in found]) > 0.5
    assert tied([expected(each, OPTIONS) for each in found]) < 0.01
    assert isinstance(told[-1], Remark)
    assert told[-1].text.endswith("; 0.0% its expected value, too.")


def test_the_rating_comes_before_the_expected_value_and_the_file_decides_at_last() -> None:
    certain, sure, torn, low = (
        [0, 0, 0, 0, 1.0, 0],
        [0, 0, 0, 0, 0.4, 0.6],
        [0.45, 0, 0, 0, 0, 0.55],
        [0, 1.0, 0, 0, 0, 0],
    )
    kept = Kept([low, certain, torn, sure, certain])
    rows, told = picked(method_of("first", kept), pool_of(5), 5)
    # 5 (4.6), 5 (2.75), 4 twice, 1.
    assert rows == [19, 16, 13, 22, 10]
    wanted = "80.0% of the rows have the rating of another row; 40.0% its expected value, too."
    assert told == [Remark(wanted)]


@pytest.mark.parametrize(("values", "share"), [([], 0), ([1], 0), ([1, 1], 1), ([1, 2, 1, 3], 0.5)])
def test_the_share_that_is_tied(values: list[float], share: float) -> None:
    assert tied(values) == share


# --- the threshold -------------------------------------------------------------------------------


def test_a_threshold_takes_rows_away_and_leaves_the_order() -> None:
    likely = [[0.0] * place + [1.0] + [0.0] * (5 - place) for place in (5, 2, 4, 5, 3)]
    everything, _ = picked(method_of("first", Kept(likely)), pool_of(5), 5)
    high, _ = picked(method_of("first", Kept(likely), threshold=4.5), pool_of(5), 2)
    some, _ = picked(method_of("first", Kept(likely), threshold=3), pool_of(5), 4)
    assert high == everything[:2] == [10, 19]
    assert some == everything[:4]


def test_too_few_above_the_threshold_is_wrong_usage() -> None:
    likely = [[0.0] * place + [1.0] + [0.0] * (5 - place) for place in (5, 2, 4, 5, 3)]
    method = method_of("first", Kept(likely), threshold=4.5)
    with pytest.raises(UsageError, match=r"--threshold 4\.5 leaves 2 rows, fewer than the budget"):
        picked(method, pool_of(5), 3)


def test_a_threshold_above_all_ratings_is_refused_before_anything() -> None:
    settings = Settings(data=Path("pool.jsonl"), budget=1, threshold=5.1)
    with pytest.raises(UsageError, match=r"--threshold 5\.1 is more than any rating\."):
        AlpaGasus.of(settings)


# --- what has no rating --------------------------------------------------------------------------


def test_rows_without_a_response_are_named_and_not_picked() -> None:
    whole = pool_of(4).instructions
    pool = Pool((whole[0], Instruction(90, "Sing."), *whole[1:]))
    rows, told = picked(method_of("first"), pool, 4)
    assert rows == [each.row for each in whole]
    assert told[0] == Unscored({90: "it has no response"})
    with pytest.raises(LocalselError, match="Only 4 rows have a score"):
        picked(method_of("first"), pool, 5)


def test_what_fails_is_asked_once_more_and_is_missing_then() -> None:
    pool, method = pool_of(40), method_of("abstain:0.5")
    backend = method.tools.backend
    assert backend is not None
    prompt = render(find_template("ratings/accuracy"), ["Sing."], 1)

    def fails(*seed: int) -> bool:
        (said,) = backend.choose([Ask(prompt, 1, seed=seed)])
        return isinstance(said, AnswerError)

    lost = {r.row for r in pool.instructions if fails(r.row) and fails(r.row, 1)}
    rows, told = picked(method, pool, 40 - len(lost))
    assert 0 < len(lost) < sum(fails(each.row) for each in pool.instructions)
    assert isinstance(told[0], Unscored)
    assert told[0].reasons == dict.fromkeys(lost, "the scripted selector abstains")
    assert not lost & set(rows)


def test_a_model_that_rates_nothing_ends_in_a_clear_error() -> None:
    with pytest.raises(LocalselError, match="Only 0 rows have a score"):
        picked(method_of("abstain:1"), pool_of(5), 1)


def test_blank_responses_leave_nothing_to_rate() -> None:
    with pytest.raises(LocalselError, match="Only 0 rows have a score"):
        picked(method_of("first"), Pool((Instruction(1, "Sing.", "", " \n"),)), 1)


def test_an_answer_without_probabilities_is_no_rating() -> None:
    assert isinstance(probabilities(Choice((0,), (), (), 10, 0.1)), AnswerError)


# --- what is kept, and what it depends on --------------------------------------------------------


def test_what_was_rated_is_not_asked_again() -> None:
    kept = Kept()
    first = picked(method_of("random:3", kept), pool_of(9), 4)
    assert picked(method_of("abstain:1", kept), pool_of(9), 4) == first


def test_another_question_context_or_row_is_rated_by_itself() -> None:
    kept = Kept()
    narrow = ScriptedBackend.open(Opening("first", context=5000))
    for method in (
        method_of("first", kept),
        method_of("first", kept, variant="helpfulness"),
        method_of(narrow, kept),
        method_of("first", kept, constraint="xgrammar"),
    ):
        picked(method, pool_of(3), 3)
    assert len(kept.values) == 4 * 3


# --- long rows -----------------------------------------------------------------------------------


def test_a_long_row_loses_its_middle_and_is_counted() -> None:
    rows = Instruction(1, "Sing.", "", "La."), Instruction(2, "Count.", "", "one two " * 200)
    backend = ScriptedBackend.open(Opening("first", context=700))
    _, told = picked(method_of(backend), Pool(rows), 2)
    assert told[0] == Remark("1 row did not fit the context of 700 tokens, and lost their middle.")


def test_a_context_without_room_for_the_question_is_refused() -> None:
    backend = ScriptedBackend.open(Opening("first", context=256))
    with pytest.raises(BackendError, match="256 tokens cannot hold the question"):
        picked(method_of(backend), pool_of(2), 1)


def test_a_dry_run_counts_every_question(backend: Backend) -> None:
    pool, method = pool_of(8), method_of(backend)
    template = find_template("ratings/accuracy")
    prompts = [render(template, pair(each), 1) for each in pool.instructions]
    tokens = [backend.count_prompt(each) for each in prompts]
    told = method.estimate(Pool((*pool.instructions, Instruction(90, "Sing."))))
    assert told["prompt_tokens"] == sum(tokens)
    assert told["longest_prompt"] == max(tokens)
    assert told["shortened"] == 0
    assert isinstance(told["choose_seconds"], float)
    assert told["choose_seconds"] > 0
