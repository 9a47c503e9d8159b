"""Texts of candidates → a prompt that fits the model's context, with the cuts named."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from localsel.backends.base import Backend
from localsel.errors import BackendError
from localsel.records import Prompt
from localsel.stages.prompt import Template, render, room_per_candidate

TOKENS_PER_PICK = 8
TOKENS_OF_CUT = 4
LEAST_ROOM = 8


class Fitter:
    """Renders queries of one template for one backend, and shortens what is too long.

    Only the longest candidates are cut, all to the same length: two thirds from the beginning,
    one third from the end, " […] " between them.
    """

    def __init__(self, backend: Backend, template: Template, criteria: str | None) -> None:
        self._backend, self._template, self._criteria = backend, template, criteria
        self._count = cache(backend.count)
        self._frame = cache(self._frame_tokens)

    def fit(self, texts: Sequence[str], quota: int) -> tuple[Prompt, tuple[int, ...]]:
        """The prompt, and the places of the candidates that were shortened.

        Raises:
            BackendError: the context cannot hold a few words of every candidate.
        """
        limit = self._backend.context - TOKENS_PER_PICK * quota
        room = limit - self._frame(len(texts), quota)
        if sum(map(self._backend.at_most, texts)) + len(texts) * TOKENS_OF_CUT <= room:
            return render(self._template, texts, quota, self._criteria), ()
        lengths = [self._count(text) for text in texts]
        while True:
            cap = room_per_candidate(lengths, room)
            cut = tuple(place for place, length in enumerate(lengths) if length > cap)
            if (cut and cap < LEAST_ROOM) or room < 0:
                raise BackendError(
                    f"A context of {self._backend.context} tokens cannot hold"
                    f" {len(texts)} candidates.",
                    "Give a smaller --query-size or a larger --context.",
                )
            shown = [
                self._backend.shorten(text, cap - TOKENS_OF_CUT) if place in cut else text
                for place, text in enumerate(texts)
            ]
            prompt = render(self._template, shown, quota, self._criteria)
            # Tokens of joined pieces can differ by a few from the sum of the pieces.
            tight = cut or room - sum(lengths) < len(texts) * TOKENS_OF_CUT
            over = self._backend.count_prompt(prompt) - limit if tight else 0
            if over <= 0:
                return prompt, cut
            room -= over

    def _frame_tokens(self, candidates: int, quota: int) -> int:
        """Tokens of everything but the candidates' texts."""
        empty = render(self._template, [""] * candidates, quota, self._criteria)
        return self._backend.count_prompt(empty)
