"""Rows and an open model → how probable it finds their texts, and what that will cost.

What every method that goes by a model's log-probabilities has in common.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from localsel.alpaca import RESPONSE, before
from localsel.backends.base import Backend, Likelihood, Passage
from localsel.errors import AnswerError
from localsel.methods.base import Method, Pool
from localsel.methods.measuring import Measuring, answered, key_of, measure, some_of
from localsel.records import Instruction

TIMED = 24
"""Rows that a dry run scores: of usual ones about what a GPU reads at once, of short ones less, and
then it says more seconds than a run takes."""

LEARNING = 3.0
"""Times that reading costs which learning from what was read takes, reading included."""

LAYOUT = 1
"""Raised whenever the same row would be laid out otherwise than before."""


class Scoring(Method):
    """A method that asks a model how probable texts are."""

    needs_backend = True
    reads_texts = True
    options: ClassVar[tuple[str, ...]] = ("tune_length",)

    def passage(self, instruction: Instruction) -> Passage:
        """What is asked of a row: its answer after its instruction, and after the header alone."""
        return Passage((before(instruction), RESPONSE), instruction.response)

    def losses(
        self, instructions: Sequence[Instruction], backend: Backend, model: str
    ) -> Measuring[list[float]]:
        """The mean loss of a token of each row's answer, for each text of its passage."""
        passages = [self.passage(each) for each in instructions]
        length = self.tools.settings.tune_length
        name = f"losses/{LAYOUT}/{model}/{backend.numbers}/{min(length, backend.context)}"
        keys = [key_of(*each.befores, each.answer) for each in passages]
        rows = [each.row for each in instructions]
        return measure(
            self.tools.scores,
            name,
            rows,
            keys,
            lambda places: losses_of(backend, [passages[place] for place in places], length),
        )

    def estimate(self, pool: Pool) -> Mapping[str, object]:
        """Counts the tokens of all rows, scores a few, and multiplies."""
        if self.tools.backend:
            return self._estimate(pool, self.tools.backend)
        assert self.tools.learner is not None
        with self.tools.learner.untuned() as backend:
            return self._estimate(pool, backend)

    def _estimate(self, pool: Pool, backend: Backend) -> Mapping[str, object]:
        length = self.tools.settings.tune_length
        places = (
            answered(pool.instructions)[0]
            if self.needs_responses
            else range(len(pool.instructions))
        )
        passages = [self.passage(pool.instructions[place]) for place in places]
        total = sum(min(tokens_of(backend, each), 2 * length) for each in passages)
        some = some_of(passages, TIMED)
        started = time.perf_counter()
        said = list(backend.logprobs(some, length))
        spent = time.perf_counter() - started
        read = sum(each.read for each in said if isinstance(each, Likelihood))
        return {
            "prompt_tokens": total,
            "tokens_per_second": round(read / spent, 1) if spent else None,
            "choose_seconds": round(total * spent / read, 1) if read else 0.0,
        }


def losses_of(
    backend: Backend, passages: Iterable[Passage], length: int
) -> Iterator[list[float] | AnswerError]:
    """Mean losses of each passage's answer, in their order."""
    for said in backend.logprobs(passages, length):
        yield list(said.losses) if isinstance(said, Likelihood) else said


def tokens_of(backend: Backend, passage: Passage) -> int:
    """Tokens that are evaluated for it, but for those that are cut."""
    answer = backend.count(passage.answer)
    return sum(backend.count(text) + answer for text in passage.befores)
