"""Beginnings → what a Hugging Face model goes on with, several side by side.

Where texts are not read together (on a CPU), each is gone on with alone. Elsewhere batches are made
in the order of asking, so that each can be handed over as soon as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from localsel.backends.base import Beginning
from localsel.backends.constraint import Logits
from localsel.backends.drawing import Drawing
from localsel.backends.hf_lane import Lane
from localsel.backends.hf_likelihood import LOGITS, HfLikelihood, failed
from localsel.errors import AnswerError


class Line:
    """One text that is gone on with.

    Attributes:
        fresh: the tokens to read next; none once it has ended.
        said: the tokens that were taken.
        failure: why it has no end.
    """

    def __init__(self, begun: tuple[int, ...], beginning: Beginning, room: int) -> None:
        self.fresh: tuple[int, ...] = begun if room > 0 else ()
        self.said: list[int] = []
        self.failure: AnswerError | None = None
        self.size = len(begun) + room
        self._drawing, self._room = Drawing(beginning), room

    def take(self, logits: Logits, ends: set[int]) -> None:
        """One token more of [vocabulary] logits, unless it has ended."""
        if not self.fresh:
            return
        self.fresh = ()
        try:
            token = self._drawing.take(logits)
        except AnswerError as error:
            self.failure = error
            return
        if token in ends:
            return
        self.said.append(token)
        if len(self.said) < self._room:
            self.fresh = (token,)


class HfWriting(HfLikelihood):
    """Writes in caches of its own, so that nothing is left of it for a choice."""

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        for batch in self._abreast(self._line_of(each, limit) for each in beginnings):
            if going := [each for each in batch if isinstance(each, Line)]:
                self._go_on(going)
            yield from map(self._written, batch)

    def side_by_side(self, tokens: int) -> int:
        return max(1, min(self._at_once // tokens, LOGITS // self._width))

    def _abreast(
        self, lines: Iterable[Line | AnswerError]
    ) -> Iterator[Sequence[Line | AnswerError]]:
        """As many as may go on at once, padded to the longest of them."""
        batch: list[Line | AnswerError] = []
        longest = 1
        for line in lines:
            size = line.size if isinstance(line, Line) else 1
            if batch and len(batch) >= self.side_by_side(max(longest, size)):
                yield batch
                batch, longest = [], 1
            batch.append(line)
            longest = max(longest, size)
        if batch:
            yield batch

    def _line_of(self, beginning: Beginning, limit: int) -> Line | AnswerError:
        begun = self.begun(beginning)
        if isinstance(begun, AnswerError):
            return begun
        return Line(begun, beginning, min(limit, self.context - len(begun)))

    def _go_on(self, lines: Sequence[Line]) -> None:
        """Until the last of them has ended; one that has reads on with nothing to say."""
        from transformers import DynamicCache

        try:
            lane = Lane(self._model, DynamicCache(), 0, len(lines))
            while any(line.fresh for line in lines):
                logits = lane.feed([line.fresh for line in lines])
                for line, row in zip(lines, logits, strict=True):
                    line.take(row, self._ends)
        except (RuntimeError, ValueError, IndexError) as error:
            for line in lines:
                if line.fresh:
                    line.failure = failed(error)

    def _written(self, line: Line | AnswerError) -> str | AnswerError:
        if isinstance(line, AnswerError):
            return line
        return line.failure or self._text(line.said)

    @cached_property
    def _ends(self) -> set[int]:
        named = self._model.generation_config.eos_token_id
        ends = named if isinstance(named, list) else [named]
        return {int(token) for token in [*ends, self._tokenizer.eos_token_id] if token is not None}
