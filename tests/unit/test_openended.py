"""Three drawn answers: their distinct pairs of words, the same draws however they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from localsel.backends.base import Backend, Beginning, Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import AnswerError
from localsel.methods.base import Journal, Pool, Scores, Tools, Unscored
from localsel.methods.openended import OpenEnded, distinct
from localsel.records import Instruction, Pick
from localsel.settings import Settings
from tests.conftest import CHECKOUT

QUESTIONS = tuple(f"Tell a story about {each}." for each in ("rain", "two bees", "a king", "tea"))


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    path = CHECKOUT / "models" / "nano-llama" / "nano-llama.gguf"
    with closing(LlamaCppBackend.open(Opening(str(path), threads=1))) as opened:
        yield opened


def pool_of(questions: Sequence[str] = QUESTIONS) -> Pool:
    return Pool(tuple(Instruction(10 + 3 * place, text) for place, text in enumerate(questions)))


def tools_of(backend: Backend, seed: int = 0, **tools: Any) -> Tools:
    settings = Settings(
        data=Path("x.jsonl"), budget=1, method="openended", new_tokens=12, seed=seed
    )
    return Tools(settings, Journal(), backend, selector="ab" * 32, **tools)


def written(method: OpenEnded, backend: Backend, pool: Pool) -> list[list[str] | AnswerError]:
    return list(method.answers(backend, pool.instructions))


class Telling(ScriptedBackend):
    """The number in a question is how many words its answers have; one that is due is empty."""

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        for each in beginnings:
            number = int("".join(filter(str.isdigit, each.text)))
            turn = each.seed[-1]
            last = "" if "due" in each.text and turn == 2 else f"w{turn}"
            yield " ".join([f"w{place}" for place in range(number)] + [last]).strip()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["a b c", "a b c", "a b c"], 2),
        (["a b", "b a", "a  b\nc"], 3),
        (["a b", "c d", ""], 2),  # no pair reaches from one answer into the next
        (["2020", "2020", "2020"], 0),
        (["A a", "a a", "a."], 2),
    ],
)
def test_pairs_of_words_are_counted_once_over_all_answers(
    answers: list[str], expected: int
) -> None:
    assert distinct(answers) == expected


def test_what_can_be_answered_in_more_ways_comes_first() -> None:
    backend = Telling.open(Opening("first"))
    pool = pool_of(["Say 2", "Say 9", "Say 4", "Say 2 more", "Say 0 due", "Say 3 due"])
    told = list(OpenEnded(tools_of(backend)).picks(pool, 5))
    rows = [each.row for each in told if isinstance(each, Pick)]
    # The last three have four pairs each: the earlier row first.
    assert rows == [13, 16, 10, 19, 25]
    assert [each.reasons for each in told if isinstance(each, Unscored)] == [
        {22: "the model wrote nothing"}
    ]


def test_a_row_is_answered_the_same_in_any_company(backend: Backend) -> None:
    pool, method = pool_of(), OpenEnded(tools_of(backend))
    together = written(method, backend, pool)
    assert all(isinstance(each, list) and len(each) == 3 for each in together)
    alone = [written(method, backend, pool_of([text]))[0] for text in QUESTIONS[::-1]]
    assert alone[::-1] == together
    said = [answer for each in together if isinstance(each, list) for answer in each]
    assert len(set(said)) == len(said) == 12
    assert written(OpenEnded(tools_of(backend, seed=1)), backend, pool) != together


def test_a_run_that_goes_on_picks_what_a_whole_one_picks(backend: Backend) -> None:
    kept: dict[tuple[str, bytes], Any] = {}

    def known(name: str, keys: Sequence[bytes]) -> Mapping[bytes, Any]:
        return {key: kept[name, key] for key in keys if (name, key) in kept}

    def keep(name: str, values: Mapping[bytes, Any]) -> None:
        kept.update({(name, key): value for key, value in values.items()})

    def picked(tools: Tools) -> list[int]:
        told = OpenEnded(tools).picks(pool_of(), 4)
        return [each.row for each in told if isinstance(each, Pick)]

    tools = tools_of(backend, scores=Scores(known, keep))
    steps = OpenEnded(tools).picks(pool_of(), 4)
    for _ in range(3):
        next(steps)
    assert isinstance(steps, Iterator) and not kept
    steps.close()  # type: ignore[attr-defined]
    assert 0 < len(kept) < 4
    assert picked(tools) == picked(tools_of(backend))


def test_three_answers_of_each_row_are_reckoned_with(backend: Backend) -> None:
    found = OpenEnded(tools_of(backend)).estimate(pool_of())
    assert found["new_tokens"] == 3 * 12 * len(QUESTIONS)
