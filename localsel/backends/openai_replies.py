"""A server's answer, in either of two forms → its text, and what it told of every token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from localsel.errors import AnswerError

T = TypeVar("T")

NEVER = -1000.0
"""Servers write numbers like -9999 for a token that cannot come."""


class Likely(msgspec.Struct, frozen=True):
    """A token and its natural-log probability."""

    token: str
    logprob: float


class Spoken(Likely, frozen=True):
    """The token that came, and others that could have."""

    top_logprobs: list[Likely] = []


class ChatTold(msgspec.Struct, frozen=True):
    content: list[Spoken] | None = None


class Message(msgspec.Struct, frozen=True):
    content: str | None = None


class ChatChoice(msgspec.Struct, frozen=True):
    message: Message
    finish_reason: str | None = None
    logprobs: ChatTold | None = None


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0


class Chat(msgspec.Struct, frozen=True):
    """The answer of /v1/chat/completions."""

    choices: list[ChatChoice]
    usage: Usage | None = None


class TextTold(msgspec.Struct, frozen=True):
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None


class TextChoice(msgspec.Struct, frozen=True):
    text: str
    finish_reason: str | None = None
    logprobs: TextTold | None = None


class Text(msgspec.Struct, frozen=True):
    """The answer of /v1/completions."""

    choices: list[TextChoice]
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One token of an answer, and the log-probabilities at its place, its own among them."""

    token: str
    likely: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. `heard` is None where the server tells nothing of its tokens."""

    text: str
    ended: bool
    prompt_tokens: int
    heard: tuple[Heard, ...] | None


def from_chat(chat: Chat) -> Said:
    choice = _only(chat.choices)
    told = choice.logprobs.content if choice.logprobs else None
    heard = told and tuple(
        _heard(each.token, each.logprob, {one.token: one.logprob for one in each.top_logprobs})
        for each in told
    )
    text = choice.message.content or ""
    return Said(text, choice.finish_reason == "stop", _tokens(chat.usage), heard or None)


def from_text(answer: Text) -> Said:
    choice = _only(answer.choices)
    told, heard = choice.logprobs, None
    if told and told.top_logprobs:
        columns = zip(told.tokens, told.token_logprobs, told.top_logprobs, strict=False)
        heard = tuple(_heard(token, own, others or {}) for token, own, others in columns)
    return Said(choice.text, choice.finish_reason == "stop", _tokens(answer.usage), heard)


def _only(choices: list[T]) -> T:
    if len(choices) != 1:
        raise AnswerError(f"its answer holds {len(choices)} texts instead of one")
    return choices[0]


def _heard(token: str, own: float | None, others: Mapping[str, float]) -> Heard:
    both = {**others, **({} if own is None else {token: own})}
    return Heard(token, {each: value for each, value in both.items() if NEVER < value <= 1e-3})


def _tokens(usage: Usage | None) -> int:
    return max(usage.prompt_tokens, 0) if usage else 0
