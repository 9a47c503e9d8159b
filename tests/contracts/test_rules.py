"""What the scripted selectors make up: how probable a text is, and what comes after it."""

from __future__ import annotations

import pytest

from localsel.backends import BACKENDS
from localsel.backends.base import Beginning, Opening, Passage
from localsel.errors import AnswerError
from tests.likely import told

SCRIPTED = ("first", "random:7")
RIVERS = "### Instruction:\nName three rivers of Europe.\n\n### Response:\n"
PASSAGES = [
    Passage((RIVERS, "### Response:\n"), "The Danube, the Rhine and the Volga."),
    Passage(("Once upon a time there was",), " a mill at the end of the village."),
    Passage(("Grüße, 漢字 und 🙂: ", "x"), "half a character: \ud83d"),
]


@pytest.mark.parametrize("rule", SCRIPTED)
def test_a_rule_makes_up_the_same_again(rule: str) -> None:
    backend = BACKENDS.load("scripted").open(Opening(rule))
    seen = told(backend, PASSAGES)
    assert told(backend, PASSAGES[::-1]) == seen[::-1]
    for passage, each in zip(PASSAGES, seen, strict=True):
        assert each.tokens == len(passage.answer)
        assert len(set(each.logprobs)) == len(passage.befores)
        assert all(1 < loss < 5 for loss in each.losses)
    (cut,) = told(backend, PASSAGES[:1], 70)
    assert cut.tokens == 70 - len(RIVERS)
    assert cut.logprobs[0] > seen[0].logprobs[0]
    other = BACKENDS.load("scripted").open(Opening("random:8"))
    assert {each.logprobs for each in told(other, PASSAGES)}.isdisjoint(
        each.logprobs for each in seen
    )


@pytest.mark.parametrize("rule", SCRIPTED)
def test_a_rule_goes_on_in_words(rule: str) -> None:
    backend = BACKENDS.load("scripted").open(Opening(rule))
    texts = [f"Plan {number}" for number in range(40)]
    cold = list(backend.complete([Beginning(text) for text in texts], 30))
    assert cold == list(backend.complete([Beginning(text, 0, (9,)) for text in texts], 30))
    assert len(set(cold)) == len(texts)
    assert max(len(str(each)) for each in cold) == 30 > min(len(str(each)) for each in cold) > 0
    hot = list(backend.complete([Beginning(texts[0], 1.0, (seed,)) for seed in range(9)], 30))
    assert len(set(hot)) == 9


def test_a_rule_abstains_as_often_as_it_should() -> None:
    backend = BACKENDS.load("scripted").open(Opening("abstain:0.3"))
    texts = [f"Text {number}" for number in range(400)]
    silent = [isinstance(x, AnswerError) for x in backend.complete(map(Beginning, texts), 9)]
    unknown = [
        isinstance(x, AnswerError)
        for x in backend.logprobs(Passage(("before",), text) for text in texts)
    ]
    for seen in (silent, unknown):
        assert 80 < sum(seen) < 160
