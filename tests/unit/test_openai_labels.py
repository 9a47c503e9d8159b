"""Tokens told by a server, few at a time → the probabilities that all of them would give."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from localsel.backends.openai_labels import Labels, Told, told
from localsel.backends.openai_replies import Heard
from localsel.errors import AnswerError

SPLIT = [*"0123456789", "]"]
WHOLE = [*SPLIT, *(str(number) for number in range(10, 100)), "100"]
JOINED = [*WHOLE, "1]", "12]"]
APART = 12.0
OTHERS = [f"word{number}" for number in range(40)]


@dataclass
class Model:
    """A made-up model: logits of every token, which depend on what is written before.

    It tells of the `most` likely tokens and of the one that it takes, as servers do: of all tokens,
    or, where the constraint is applied before, of the legal ones.
    """

    tokens: Sequence[str]
    is_masked: bool
    most: int = 20
    seed: int = 0
    takes_tokens: bool = False
    asked: int = 0

    def logits(self, written: str) -> dict[str, float]:
        generator = np.random.default_rng([self.seed, *written.encode()])
        names = [*self.tokens, *OTHERS]
        logits = dict(zip(names, 3 * generator.standard_normal(len(names)), strict=True))
        # What a tokenizer joins is seldom written apart.
        apart = APART if "10" in logits and written else 0.0
        return {name: float(x) - apart * name.isdigit() for name, x in logits.items()}

    def exact(self, answers: Sequence[str], written: str = "") -> Iterator[tuple[str, float]]:
        """Each answer's share, spelling by spelling, token by token among the legal ones."""
        if written in answers:
            yield written, 0.0
            return
        legal = self.legal(answers, written)
        whole = np.logaddexp.reduce([*legal.values()])
        for token, logit in legal.items():
            for answer, rest in self.exact(answers, written + token):
                yield answer, rest + logit - float(whole)

    def legal(self, answers: Sequence[str], written: str) -> dict[str, float]:
        return {
            token: logit
            for token, logit in self.logits(written).items()
            if any(answer.startswith(written + token) for answer in answers)
        }

    async def ask(self, begun: str, answers: Sequence[str]) -> Told:
        """One that takes tokens is given what is begun; any other writes it, as it likes."""
        self.asked += 1
        written, heard = begun if self.takes_tokens else "", []
        while written not in answers:
            legal, every = self.legal(answers, written), self.logits(written)
            shown = legal if self.is_masked else every
            whole = float(np.logaddexp.reduce([*shown.values()]))
            likely = sorted(shown, key=lambda token: -shown[token])[: self.most]
            token = max(legal, key=lambda each: legal[each])
            heard.append(Heard(token, {each: shown[each] - whole for each in {*likely, token}}))
            written += token
        return told(heard, 0, begun if self.takes_tokens else "")


def scores(model: Model, labels: Sequence[str]) -> np.ndarray:
    return asyncio.run(Labels(labels, model.ask, 2 if "10" in model.tokens else 1).score())


def expected(model: Model, labels: Sequence[str]) -> np.ndarray:
    answers = [f"{label}]" for label in labels]
    total = dict.fromkeys(answers, -np.inf)
    for answer, share in model.exact(answers):
        total[answer] = float(np.logaddexp(total[answer], share))
    return np.array([total[answer] for answer in answers])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("is_masked", [True, False])
@pytest.mark.parametrize("size", [2, 9, 14, 40, 100])
def test_digits_are_exact_whatever_is_told(size: int, is_masked: bool, seed: int) -> None:
    model = Model(SPLIT, is_masked, seed=seed)
    labels = [str(number) for number in range(1, size + 1)]
    assert np.allclose(scores(model, labels), expected(model, labels), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("is_masked", [True, False])
@pytest.mark.parametrize("tokens", [SPLIT, WHOLE, JOINED], ids=["split", "whole", "joined"])
def test_a_server_that_takes_tokens_is_exact(tokens: list[str], is_masked: bool, seed: int) -> None:
    model = Model(tokens, is_masked, most=500, seed=seed, takes_tokens=True)
    labels = [str(number) for number in range(1, 15)]
    assert np.allclose(scores(model, labels), expected(model, labels), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_whole_labels_are_exact_where_all_tokens_are_told(seed: int) -> None:
    model = Model(WHOLE, is_masked=False, most=500, seed=seed)
    labels = [str(number) for number in range(1, 15)]
    assert np.allclose(scores(model, labels), expected(model, labels), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_whole_labels_are_near_where_legal_tokens_are_told(seed: int) -> None:
    model = Model(WHOLE, is_masked=True, seed=seed)
    labels = [str(number) for number in range(1, 15)]
    found, wanted = scores(model, labels), expected(model, labels)
    assert np.exp(found).sum() == pytest.approx(1)
    assert int(found.argmax()) == int(wanted.argmax())
    # Of two spellings of one label, a server that takes no tokens may never write the rarer.
    assert np.abs(np.exp(found) - np.exp(wanted)).max() < 0.02


def test_too_little_told_is_said_and_never_guessed() -> None:
    labels, told_all = [str(number) for number in range(1, 15)], 0
    for seed in range(40):
        model = Model(WHOLE, is_masked=False, seed=seed)
        try:
            found = scores(model, labels)
        except AnswerError:
            continue
        told_all += 1
        assert np.abs(np.exp(found) - np.exp(expected(model, labels))).max() < 0.02
    assert 0 < told_all < 40


def test_little_is_asked_where_much_is_told() -> None:
    model = Model(SPLIT, is_masked=True)
    scores(model, [str(number) for number in range(1, 15)])
    assert model.asked <= 2


def test_a_label_that_is_inside_a_token_is_refused() -> None:
    async def ask(begun: str, answers: Sequence[str]) -> Told:
        return told([Heard(f"[{answers[0]}", {f"[{answers[0]}": 0.0})], 1)

    with pytest.raises(AnswerError, match="do not part"):
        asyncio.run(Labels(["1", "2"], ask).score())


def test_what_is_never_written_cannot_be_told() -> None:
    """ "1]" is one token: what follows "1" alone, such a server does not show."""
    model = Model(JOINED, is_masked=True, seed=2)
    with pytest.raises(AnswerError, match="do not part"):
        scores(model, [str(number) for number in range(1, 15)])


def test_numbers_that_contradict_each_other_are_refused() -> None:
    async def ask(begun: str, answers: Sequence[str]) -> Told:
        return told([Heard("x", {"x": 0.0})], 0)

    with pytest.raises(AnswerError, match="too little"):
        asyncio.run(Labels(["1", "2"], ask).score())
