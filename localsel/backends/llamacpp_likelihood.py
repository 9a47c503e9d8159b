"""A loaded GGUF → how probable answers are, and what comes after a text.

What stands before a text is what the vocabulary itself puts there (`add_bos`), and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from localsel.backends.base import Beginning, Likelihood, Passage
from localsel.backends.constraint import Logits
from localsel.backends.drawing import Drawing, log_probabilities
from localsel.backends.llamacpp_reading import Reading
from localsel.backends.llamacpp_tokens import LlamaTokens
from localsel.backends.passages import LaidOut
from localsel.errors import AnswerError


class LlamaLikelihood(LlamaTokens):
    """Reads in a context of its own, so that nothing is left of it for a choice."""

    def close(self) -> None:
        # Before the model that it reads with.
        if "_reading" in self.__dict__:
            self._reading.close()
        super().close()

    @cached_property
    def _reading(self) -> Reading:
        return Reading(self._llama, self.context)

    def logprobs(
        self, passages: Iterable[Passage], limit: int | None = None
    ) -> Iterator[Likelihood | AnswerError]:
        for passage in passages:
            laid = self.lay_out(passage, limit)
            yield laid if isinstance(laid, AnswerError) else self._likelihood(laid)

    def _likelihood(self, laid: LaidOut) -> Likelihood | AnswerError:
        try:
            sums = tuple(self._sum(text, laid.tokens) for text in laid.texts)
        except AnswerError as error:
            return error
        return Likelihood(sums, laid.tokens, sum(len(text) - 1 for text in laid.texts))

    def _sum(self, text: Sequence[int], answer: int) -> float:
        told, start = [], len(text) - answer
        for logits in self._answered(text, answer):
            end = start + len(logits)
            told.append(log_probabilities(logits, text[start:end]))
            start = end
        return float(np.concatenate(told).sum())

    def _answered(self, text: Sequence[int], answer: int) -> Iterator[Logits]:
        # The last token is told of, and tells of nothing.
        self._reading.begin(len(text) - 1)
        return self._reading.read(text[:-1], answer)

    def evaluate(self, laid: LaidOut) -> None:
        """Reads the same tokens as for a likelihood and does nothing else, to be timed."""
        for text in laid.texts:
            for _ in self._answered(text, laid.tokens):
                pass

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        for beginning in beginnings:
            begun = self.begun(beginning)
            if isinstance(begun, AnswerError):
                yield begun
                continue
            try:
                yield self._text(self._continued(begun, beginning, limit))
            except AnswerError as error:
                yield error

    def _continued(self, begun: Sequence[int], beginning: Beginning, limit: int) -> list[int]:
        import llama_cpp

        room = min(limit, self.context - len(begun))
        said: list[int] = []
        drawing, fresh = Drawing(beginning), begun
        self._reading.begin(len(begun) + room)
        while len(said) < room:
            (logits,) = self._reading.read(fresh)
            token = drawing.take(logits[0])
            if llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                break
            said.append(token)
            fresh = [token]
        return said
