"""Perplexity of a model's own answers: a plain loop's picks, and the rows that have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from localsel.alpaca import before
from localsel.backends.base import Backend, Beginning, Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import AnswerError, LocalselError
from localsel.methods.base import Journal, Pool, Progress, Scores, Tools, Unscored
from localsel.methods.perplexity import Highest, Lowest, Middle, Perplexity
from localsel.records import Instruction, Pick
from localsel.settings import Settings
from tests.conftest import CHECKOUT

FOLDER = CHECKOUT / "models" / "nano-llama"
NEW = 6
"""Tokens of an answer in these tests."""
QUESTIONS = (
    "Why is the sky blue?",
    "Sort these words: [pear] [fig]",
    "Two and two?",
    "山",
    "Sing!",
)


def pool_of(questions: Sequence[str] = QUESTIONS) -> Pool:
    return Pool(
        tuple(
            Instruction(10 + 3 * place, question, "[1] [2]" * (place % 2))
            for place, question in enumerate(questions)
        )
    )


def tools_of(backend: Backend, **tools: Any) -> Tools:
    settings = Settings(data=Path("x.jsonl"), budget=1, method="perplexity-low", new_tokens=NEW)
    return Tools(settings, Journal(), backend, selector="ab" * 32, **tools)


def rows_of(method: Perplexity, pool: Pool, budget: int) -> list[int]:
    return [each.row for each in method.picks(pool, budget) if isinstance(each, Pick)]


class Moody(ScriptedBackend):
    """Has no word for a question with "quiet" in it, and fails at one with "broken"."""

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        for each in beginnings:
            if "broken" in each.text:
                yield AnswerError("it is broken")
            else:
                yield "" if "quiet" in each.text else f"{each.text[-30:]} and so on"


def loss_by_hand(instruction: Instruction) -> float:
    """Token by token, one row at a time, all logits in float64."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    text = tokenizer(before(instruction), add_special_tokens=False)["input_ids"]
    start = [*tokenizer("")["input_ids"], *text]
    said: list[int] = []
    with torch.inference_mode():
        while len(said) < NEW:
            token = int(model(torch.tensor([start + said])).logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                break
            said.append(token)
        words = tokenizer.decode(said, skip_special_tokens=True)
        answer = tokenizer(words, add_special_tokens=False)["input_ids"]
        ids = start + answer
        logits = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    own = [-float(logits[i - 1, ids[i]]) for i in range(len(start), len(ids))]
    return sum(own) / len(own)


def test_the_picks_are_those_of_a_plain_loop(backend: Backend) -> None:
    pool = pool_of()
    by_hand = {each.row: loss_by_hand(each) for each in pool.instructions}
    ascending = sorted(by_hand, key=by_hand.__getitem__)
    assert len({round(loss, 6) for loss in by_hand.values()}) == len(QUESTIONS)
    size = len(QUESTIONS)
    assert rows_of(Lowest(tools_of(backend)), pool, size) == ascending
    assert rows_of(Highest(tools_of(backend)), pool, size) == ascending[::-1]
    assert rows_of(Middle(tools_of(backend)), pool, 3) == [ascending[i] for i in (2, 1, 3)]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([5.0, 1.0, 3.0, 2.0, 4.0], [2, 3, 4, 1, 0]),
        ([5.0, 1.0, None, 3.0, 2.0], [4, 3, 1, 0]),  # two in the middle: the lower first
        ([1.0, 1.0, 1.0], [1, 0, 2]),
        ([7.0], [0]),
    ],
)
def test_the_middle_goes_outwards_from_the_median(
    backend: Backend, losses: list[float | None], expected: list[int]
) -> None:
    method = Middle(tools_of(backend))
    for budget in range(1, len(expected) + 1):
        assert method.chosen(losses, budget) == expected[:budget]
    with pytest.raises(LocalselError, match="rows have a score"):
        method.chosen(losses, len(expected) + 1)


def test_where_the_model_writes_nothing_or_fails_there_is_no_score() -> None:
    moody = Moody.open(Opening("first"))
    pool = pool_of(["Speak", "Be quiet", "Speak up", "This is broken"])
    told = list(Lowest(tools_of(moody)).picks(pool, 2))
    assert {each.row for each in told if isinstance(each, Pick)} == {10, 16}
    missing = [each.reasons for each in told if isinstance(each, Unscored)]
    assert missing == [{19: "it is broken"}, {13: "the model wrote nothing"}]
    with pytest.raises(LocalselError, match="Only 2 rows have a score"):
        list(Lowest(tools_of(moody)).picks(pool, 3))


def test_what_is_known_is_not_asked_again() -> None:
    kept: dict[tuple[str, bytes], Any] = {}

    def known(name: str, keys: Sequence[bytes]) -> Mapping[bytes, Any]:
        return {key: kept[name, key] for key in keys if (name, key) in kept}

    def keep(name: str, values: Mapping[bytes, Any]) -> None:
        kept.update({(name, key): value for key, value in values.items()})

    asked: list[str] = []

    class Counting(ScriptedBackend):
        def complete(
            self, beginnings: Iterable[Beginning], limit: int
        ) -> Iterator[str | AnswerError]:
            for each in beginnings:
                asked.append(each.text)
                yield from super().complete([each], limit)

    tools = tools_of(Counting.open(Opening("random:1")), scores=Scores(known, keep))
    first = rows_of(Lowest(tools), pool_of(QUESTIONS[:3]), 2)
    assert len(asked) == 3
    assert rows_of(Lowest(tools), pool_of(QUESTIONS[:3]), 2) == first
    assert rows_of(Highest(tools), pool_of(), 5)  # of five rows three are known
    assert len(asked) == len(set(asked)) == 5


def test_a_rehearsal_counts_all_and_tries_a_few(backend: Backend) -> None:
    pool = pool_of()
    found = Lowest(tools_of(backend)).estimate(pool)
    lengths = [backend.count(before(each)) for each in pool.instructions]
    assert found["prompt_tokens"] == sum(lengths)
    assert found["longest_prompt"] == max(lengths)
    assert found["new_tokens"] == NEW * len(QUESTIONS)
    assert float(str(found["choose_seconds"])) > 0


@pytest.mark.parametrize(("abreast", "tried"), [(1, 3), (4, 4), (99, len(QUESTIONS))])
def test_a_rehearsal_tries_what_is_written_side_by_side(abreast: int, tried: int) -> None:
    asked: list[Beginning] = []

    class Wide(ScriptedBackend):
        def side_by_side(self, tokens: int) -> int:
            assert tokens == NEW + max(self.count(before(each)) for each in pool.instructions)
            return abreast

        def complete(
            self, beginnings: Iterable[Beginning], limit: int
        ) -> Iterator[str | AnswerError]:
            asked.extend(beginnings)
            return super().complete(asked, limit)

    pool = pool_of()
    Lowest(tools_of(Wide.open(Opening("first")))).estimate(pool)
    assert len({each.text for each in asked}) == len(asked) == tried


def test_it_says_how_far_it_is(backend: Backend) -> None:
    steps = [e for e in Lowest(tools_of(backend)).picks(pool_of(), 1) if isinstance(e, Progress)]
    assert [each.done for each in steps] == [0, 1, 2, 3, 4, 5] * 2
