"""A passage → the tokens of its texts, its answer cut to what there is room for.

All backends lay texts out here, so that they score the same tokens of the same weights.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localsel.backends.base import Beginning, Passage
from localsel.backends.tokens import Tokens
from localsel.errors import AnswerError

Tokenise = Callable[[str], Sequence[int]]
NOTHING_BEFORE = "there is no token before it: this vocabulary begins no text with one of its own"


@dataclass(frozen=True, slots=True)
class LaidOut:
    """Tokens of a passage's texts; the last `tokens` of each are those of its answer."""

    texts: tuple[tuple[int, ...], ...]
    tokens: int


def lay_out(
    passage: Passage, tokenise: Tokenise, start: Sequence[int], limit: int
) -> LaidOut | AnswerError:
    """Texts of at most `limit` tokens; each begins with `start`, the vocabulary's own beginning."""
    befores = [(*start, *tokenise(before)) for before in passage.befores]
    if not all(befores):
        return AnswerError(f"the answer's first token has no probability: {NOTHING_BEFORE}")
    answer = tokenise(passage.answer)
    if not answer:
        return AnswerError("the answer has no tokens")
    longest = max(map(len, befores))
    kept = answer[: max(limit - longest, 0)]
    if not kept:
        return AnswerError(
            f"no token of the answer is left: {longest} of {limit} are taken by what is before it"
        )
    return LaidOut(tuple((*before, *kept) for before in befores), len(kept))


def begin(
    beginning: Beginning, tokenise: Tokenise, start: Sequence[int], context: int
) -> tuple[int, ...] | AnswerError:
    """The tokens to go on with, of which at least one more fits into the context."""
    tokens = (*start, *tokenise(beginning.text))
    if not tokens:
        return AnswerError(f"the text cannot be gone on with: {NOTHING_BEFORE}")
    if len(tokens) >= context:
        return AnswerError(f"the text takes {len(tokens)} tokens of a context of {context}")
    return tokens


class TextTokens(Tokens):
    """Texts in one vocabulary, as they are read to be scored or gone on with."""

    @property
    @abstractmethod
    def _start(self) -> tuple[int, ...]:
        """What the vocabulary itself puts before a text."""

    def lay_out(self, passage: Passage, limit: int | None = None) -> LaidOut | AnswerError:
        """The tokens that are read of a passage."""
        room = self.context if limit is None else min(limit, self.context)
        return lay_out(passage, self._tokens, self._start, room)

    def begun(self, beginning: Beginning) -> tuple[int, ...] | AnswerError:
        """The tokens that are read of a beginning."""
        return begin(beginning, self._tokens, self._start, self.context)
