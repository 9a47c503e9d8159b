"""Texts of candidates → a prompt that fits every reader's context, with the cuts named."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

from localsel.backends.base import Reader
from localsel.errors import BackendError
from localsel.records import Prompt
from localsel.stages.prompt import Template, render, room_per_candidate

TOKENS_PER_PICK = 8
TOKENS_OF_CUT = 4
LEAST_ROOM = 8
REMEMBERED = 4096
"""Texts whose tokens need not be counted again."""


class Fitter:
    """Renders queries of one template for one or more readers, and shortens what is too long.

    Only the longest candidates are cut, all to the same length: two thirds from the beginning,
    one third from the end, " […] " between them. Where several selectors are compared, all read
    what fits the narrowest: one cuts after the other, the smallest context first, and of equal
    ones the first.
    """

    def __init__(self, readers: Sequence[Reader], template: Template, criteria: str | None) -> None:
        by_context = sorted(readers, key=lambda reader: reader.context)
        self._fits = [Fit(reader, template, criteria) for reader in by_context]

    def fit(self, texts: Sequence[str], quota: int) -> tuple[Prompt, tuple[int, ...]]:
        """The prompt, and the places of the candidates that were shortened.

        Raises:
            BackendError: a context cannot hold a few words of every candidate.
        """
        prompt, shown, cut = None, list(texts), set[int]()
        for fit in self._fits:
            prompt, shown, places = fit.fit(shown, quota)
            cut |= set(places)
        assert prompt is not None, "a fitter without readers"
        return prompt, tuple(sorted(cut))


class Fit:
    """The same for one reader."""

    def __init__(self, reader: Reader, template: Template, criteria: str | None) -> None:
        self._reader, self._template, self._criteria = reader, template, criteria
        self._count = lru_cache(REMEMBERED)(reader.count)
        self._frame = cache(self._frame_tokens)

    def fit(self, texts: list[str], quota: int) -> tuple[Prompt, list[str], tuple[int, ...]]:
        """The prompt, the texts that it shows, and the places of those that were shortened now."""
        limit = self._reader.context - TOKENS_PER_PICK * quota
        room = limit - self._frame(len(texts), quota)
        if sum(map(self._reader.at_most, texts)) + len(texts) * TOKENS_OF_CUT <= room:
            return render(self._template, texts, quota, self._criteria), texts, ()
        lengths = [self._count(text) for text in texts]
        while True:
            cap = room_per_candidate(lengths, room)
            cut = tuple(place for place, length in enumerate(lengths) if length > cap)
            if (cut and cap < LEAST_ROOM) or room < 0:
                raise self._too_small(len(texts))
            shown = [
                self._reader.shorten(text, cap - TOKENS_OF_CUT) if place in cut else text
                for place, text in enumerate(texts)
            ]
            prompt = render(self._template, shown, quota, self._criteria)
            # Tokens of joined pieces can differ by a few from the sum of the pieces.
            tight = cut or room - sum(lengths) < len(texts) * TOKENS_OF_CUT
            over = self._reader.count_prompt(prompt) - limit if tight else 0
            if over <= 0:
                return prompt, shown, cut
            room -= over

    def _too_small(self, candidates: int) -> BackendError:
        context = f"A context of {self._reader.context} tokens"
        if self._template.options:
            return BackendError(f"{context} cannot hold the question.", "Give a larger --context.")
        return BackendError(
            f"{context} cannot hold {candidates} candidates.",
            "Give a smaller --query-size or a larger --context.",
        )

    def _frame_tokens(self, candidates: int, quota: int) -> int:
        """Tokens of everything but the candidates' texts."""
        empty = render(self._template, [""] * candidates, quota, self._criteria)
        return self._reader.count_prompt(empty)
