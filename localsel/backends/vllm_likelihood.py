"""Tokens → what vLLM thinks of those that end them, and what it goes on with: many at once.

The probabilities of a text's tokens come with reading it. vLLM reads such a text anew even where it
remembers the beginning: of what it only remembers it tells none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from localsel.backends.base import Beginning, Likelihood
from localsel.backends.passages import LaidOut
from localsel.backends.vllm_engine import replies
from localsel.errors import AnswerError, BackendError

HOTTEST = 2.0
"""The highest temperature that vLLM draws at."""

ENDED = ("stop", "length")
"""How answers end that vLLM did not give up."""


def likelihoods(engine: Any, passages: Sequence[LaidOut]) -> list[Likelihood | AnswerError]:
    """How probable each answer is after each of its befores.

    The last token is not read but asked for: vLLM refuses a text that fills the context.

    Raises:
        BackendError: the engine cannot answer.
    """
    from vllm import SamplingParams

    texts = [text for passage in passages for text in passage.texts]
    wanted = [
        SamplingParams(
            max_tokens=1,
            temperature=0,
            prompt_logprobs=0,
            logprob_token_ids=[text[-1]],
            flat_logprobs=True,
            detokenize=False,
        )
        for text in texts
    ]
    said = iter(replies(engine, [text[:-1] for text in texts], wanted))
    return [_likelihood(passage, [next(said) for _ in passage.texts]) for passage in passages]


def _likelihood(passage: LaidOut, said: Sequence[Any]) -> Likelihood | AnswerError:
    heard = [_heard(text, each) for text, each in zip(passage.texts, said, strict=True)]
    sums = tuple(math.fsum(each[len(each) - passage.tokens :]) for each in heard)
    if not all(heard) or not all(map(math.isfinite, sums)):
        return AnswerError("vLLM did not tell the probability of every token")
    return Likelihood(sums, passage.tokens, sum(len(text) - 1 for text in passage.texts))


def _heard(text: tuple[int, ...], said: Any) -> list[float]:
    """The log-probability of every token but the first; none at all where one is missing."""
    if said.outputs[0].finish_reason not in ENDED:
        return []
    read, following = said.prompt_logprobs, said.outputs[0].logprobs
    if tuple(read.token_ids) != text[1:-1] or text[-1] not in following.token_ids:
        return []
    return [*read.logprobs, following.logprobs[following.token_ids.index(text[-1])]]


def continuations(
    engine: Any, begun: Sequence[tuple[tuple[int, ...], Beginning]], limit: int, context: int
) -> list[list[int] | AnswerError]:
    """The tokens that each of these goes on with, without the one that ends them.

    Raises:
        BackendError: the engine cannot answer, or not at such a temperature.
    """
    from vllm import SamplingParams

    if any(beginning.temperature > HOTTEST for _, beginning in begun):
        raise BackendError(
            f"vLLM draws at a temperature of {HOTTEST:g} at most.",
            "Give a smaller one, or --backend transformers.",
        )
    wanted = [
        SamplingParams(
            max_tokens=min(limit, context - len(tokens)),
            temperature=beginning.temperature,
            seed=_one_number(beginning.seed),
            detokenize=False,
        )
        for tokens, beginning in begun
    ]
    return [_said(each.outputs[0]) for each in replies(engine, [t for t, _ in begun], wanted)]


def _said(answer: Any) -> list[int] | AnswerError:
    if answer.finish_reason not in ENDED:
        return AnswerError(f"vLLM ended a text with {answer.finish_reason!r}")
    tokens = list(answer.token_ids)
    return tokens[:-1] if answer.finish_reason == "stop" else tokens


def _one_number(seed: tuple[int, ...]) -> int:
    """vLLM takes one number: another for every other tuple, as good as always."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
