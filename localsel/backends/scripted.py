"""Prompts → answers by rule, with no weights: for tests, and to check the statistics.

`first` always chooses the first candidates, `random:SEED` any with equal chance, and
`abstain:SHARE` is `first` with that share of its answers missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from localsel.backends.base import (
    CUT,
    Ask,
    Backend,
    Beginning,
    Choice,
    Likelihood,
    Opening,
    Passage,
    keep_ends,
)
from localsel.backends.passages import begin, lay_out
from localsel.errors import AnswerError, BackendError
from localsel.records import Prompt

ABSTAINS = "the scripted selector abstains"
SYLLABLES = ("ba", "do", "fi", "ka", "lu", "me", "no", "ri", "so", "ta", "ve", "zu")


class ScriptedBackend(Backend):
    """A rule that looks at nothing but the number of candidates. A token is a character.

    How probable an answer is, and what goes on after a text, is made up from the rule and the
    texts; no token begins a text.
    """

    def __init__(self, rule: str, parameter: float, context: int) -> None:
        self.rule = rule
        self.parameter = parameter
        self.context = context

    @classmethod
    def open(cls, opening: Opening) -> Self:
        rule, _, parameter = opening.model.partition(":")
        if rule not in ("first", "random", "abstain"):
            raise BackendError(
                f"There is no scripted selector {opening.model!r}.",
                "There are first, random:SEED and abstain:SHARE.",
            )
        try:
            value = float(parameter or 0)
        except ValueError as error:
            raise BackendError(
                f"The scripted selector {opening.model!r} needs a number after the colon."
            ) from error
        if not 0 <= value < 2**32:
            raise BackendError(f"The number of the scripted selector {opening.model!r} is odd.")
        return cls(rule, value, opening.context or 1_000_000)

    def count(self, text: str) -> int:
        return len(text)

    def count_prompt(self, prompt: Prompt) -> int:
        return len(prompt.content) + len(prompt.answer)

    def shorten(self, text: str, room: int) -> str:
        start, end = keep_ends(range(len(text)), room)
        return text[: len(start)] + CUT + text[len(text) - len(end) :]

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        for ask in asks:
            generator = np.random.default_rng((zlib.crc32(self.rule.encode()), *ask.seed))
            if self.rule == "abstain" and generator.random() < self.parameter:
                yield AnswerError(ABSTAINS)
            else:
                yield self._choice(ask)

    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        for prompt in prompts:
            yield f"By the rule {self.rule!r}; the prompt has {self.count_prompt(prompt)} tokens."

    def logprobs(
        self, passages: Iterable[Passage], limit: int | None = None
    ) -> Iterator[Likelihood | AnswerError]:
        for passage in passages:
            room = self.context if limit is None else min(limit, self.context)
            laid = lay_out(passage, _tokens, (), room)
            if isinstance(laid, AnswerError):
                yield laid
            elif self._abstains(passage.answer):
                yield AnswerError(ABSTAINS)
            else:
                drawn = [self._by(before, passage.answer) for before in passage.befores]
                sums = tuple(float(-each.uniform(1, 5, laid.tokens).sum()) for each in drawn)
                yield Likelihood(sums, laid.tokens, sum(len(text) - 1 for text in laid.texts))

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        for beginning in beginnings:
            begun = begin(beginning, _tokens, (), self.context)
            if isinstance(begun, AnswerError):
                yield begun
            elif self._abstains(beginning.text):
                yield AnswerError(ABSTAINS)
            else:
                yield self._words(beginning)[: min(limit, self.context - len(begun))]

    def _words(self, beginning: Beginning) -> str:
        """One to a dozen made-up words; at a temperature others for every seed."""
        seed = beginning.seed if beginning.temperature else ()
        generator = self._by(beginning.text, *map(str, seed))
        counts = generator.integers(1, 4, size=generator.integers(1, 13))
        return " ".join("".join(generator.choice(SYLLABLES, size=count)) for count in counts)

    def _abstains(self, text: str) -> bool:
        return self.rule == "abstain" and bool(self._by(text).random() < self.parameter)

    def _by(self, *texts: str) -> np.random.Generator:
        """What the rule draws from for these texts, the same at every call."""
        number = int(self.parameter) if self.rule == "random" else 0
        return np.random.default_rng((number, *map(_digest, texts)))

    def _choice(self, ask: Ask) -> Choice:
        size = len(ask.prompt.labels)
        scores = self._scores(size)
        generator = np.random.default_rng((int(self.parameter), *ask.seed))
        order = generator.permutation(size) if self.rule == "random" else np.arange(size)
        chosen = order[: ask.quota]
        left, probabilities = scores.copy(), []
        for position in chosen:
            probabilities.append(float(np.exp(scores[position] - np.logaddexp.reduce(left))))
            left[position] = -np.inf
        return Choice(
            positions=tuple(int(position) for position in chosen),
            probabilities=tuple(probabilities),
            scores=tuple(scores.tolist()),
            prompt_tokens=self.count_prompt(ask.prompt),
            seconds=0.0,
        )

    def _scores(self, size: int) -> NDArray[np.float64]:
        """Even for `random`; for `first` each label has half the weight of the one before."""
        weights = np.zeros(size) if self.rule == "random" else -np.arange(size) * np.log(2)
        normalised: NDArray[np.float64] = weights - np.logaddexp.reduce(weights)
        return normalised


def _tokens(text: str) -> list[int]:
    return list(map(ord, text))


def _digest(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"))
