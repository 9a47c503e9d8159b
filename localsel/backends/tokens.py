"""A prompt → the tokens that a selector reads of it, its chat template around them.

Every part is tokenised by itself, so that its tokens depend on no neighbour, and what is in
instructions is never taken for a control token.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection, Sequence

from localsel.backends.base import CUT, Reader, keep_ends
from localsel.records import Prompt, after_pick


class Tokens(Reader):
    """Tokens in and out of one vocabulary; nothing is evaluated.

    Attributes:
        _before, _after: what the chat template puts around the user's words, as tokens.
        _marks: of these, the ones that the vocabulary reads in any text, as they are spelled: some
            files forget to say that a turn's beginning is a control token.
    """

    _before: Sequence[int]
    _after: Sequence[int]
    _marks: Collection[str] = ()

    @abstractmethod
    def _tokens(self, text: str, special: bool = False) -> list[int]:
        """Tokens of a text; control tokens are recognised in it only where it is `special`."""

    @abstractmethod
    def _text(self, tokens: Sequence[int], special: bool = False) -> str:
        """The way back; control tokens are spelled out only where `special`."""

    def count(self, text: str) -> int:
        return len(self._tokens(text))

    def count_prompt(self, prompt: Prompt) -> int:
        return len(self._head_tokens(prompt)) + len(self._tail_tokens(prompt))

    def whole(self, prompt: Prompt) -> str:
        return self._text([*self._head_tokens(prompt), *self._tail_tokens(prompt)], special=True)

    def shorten(self, text: str, room: int) -> str:
        start, end = keep_ends(self._tokens(text), room)
        return self._text(start) + CUT + self._text(end)

    def _apart(self, text: str) -> list[str]:
        """The text, cut behind the first letter of every mark: none is left whole."""
        if not any(mark in text for mark in self._marks):
            return [text]
        inside = (f"(?<={re.escape(mark[0])})(?={re.escape(mark[1:])})" for mark in self._marks)
        return re.split("|".join(inside), text)

    def _head_tokens(self, prompt: Prompt) -> tuple[int, ...]:
        return (*self._before, *self._tokens(prompt.head))

    def _tail_tokens(self, prompt: Prompt) -> list[int]:
        shown = [token for line in prompt.candidates for token in self._tokens(line)]
        return [*shown, *self._tokens(prompt.tail), *self._after, *self._tokens(prompt.answer)]

    def _after_pick(self, label: str) -> list[int]:
        """What follows in the answer once `label` is chosen.

        Llama-2's tokenizer puts a space before every text; behind the bracket there is none.
        """
        bracket = self._tokens("[")
        both = self._tokens("[" + after_pick(label))
        return both[len(bracket) :] if both[: len(bracket)] == bracket else both[1:]
