"""A pool and a model → the rows whose answers, its own, the model finds most or least probable."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from math import exp

from localsel.alpaca import before
from localsel.backends.base import Backend, Passage
from localsel.errors import AnswerError
from localsel.methods.base import Pool, Step
from localsel.methods.generating import Writing, wordless
from localsel.methods.measuring import Measuring, best, key_of, measure, refuse_too_few
from localsel.methods.scoring import LAYOUT, losses_of
from localsel.records import Instruction, Pick

Answered = Sequence[tuple[Instruction, str]]


class Perplexity(Writing):
    """The model answers every row, and is then asked how probable it finds the answer.

    The answer is of most probable tokens, up to --new-tokens; its perplexity is e to the mean loss
    of its tokens after the instruction. A row to which it writes nothing has no perplexity, and of
    equal ones the earlier row comes first.

    Source: a baseline of SelectLLM, arXiv 2401.16553. There, an answer is scored alone, without
    its instruction, a blank one is replaced by two made-up words, and the middle takes even
    budgets only.
    """

    source = "arXiv 2401.16553"
    cost = "N answers, N passes"

    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        assert self.tools.backend is not None
        rows, model = pool.instructions, self.tools.selector
        written = yield from self.written(rows, self.tools.backend, model)
        if empty := wordless(rows, written):
            yield empty
        answered = [
            (row, answers[0])
            for row, answers in zip(rows, written, strict=True)
            if answers and answers[0]
        ]
        losses = yield from self.losses(answered, self.tools.backend, model)
        for place in self.chosen(losses, budget):
            loss = losses[place]
            score = None if loss is None else exp(loss)
            yield Pick(row=answered[place][0].row, chosen_by="method", score=score)

    def losses(self, answered: Answered, backend: Backend, model: str) -> Measuring[float]:
        """The mean loss of each answer, which orders rows as its perplexity does."""
        return measure(
            self.tools.scores,
            f"answer/{LAYOUT}/{model}/{backend.numbers}/{backend.context}",
            [row.row for row, _ in answered],
            [key_of(before(row), answer) for row, answer in answered],
            lambda places: own_losses(backend, [answered[place] for place in places]),
        )

    @abstractmethod
    def chosen(self, losses: Sequence[float | None], budget: int) -> list[int]:
        """Places in `losses`, best first."""

    def try_out(self, backend: Backend, instructions: Sequence[Instruction]) -> None:
        said = zip(instructions, self.answers(backend, instructions), strict=True)
        list(own_losses(backend, [(row, each[0]) for row, each in said if isinstance(each, list)]))


class Lowest(Perplexity):
    """What the model is surest of."""

    about = "the model is surest of its own answer"

    def chosen(self, losses: Sequence[float | None], budget: int) -> list[int]:
        return best(losses, budget, largest=False)


class Middle(Perplexity):
    """From the middle rank outwards; of two ranks as far from it the lower one first."""

    about = "the model is as sure of its own answer as of most"

    def chosen(self, losses: Sequence[float | None], budget: int) -> list[int]:
        scored = sum(loss is not None for loss in losses)
        refuse_too_few(scored, budget)
        ordered = best(losses, scored, largest=False)
        ranks = sorted(range(scored), key=lambda rank: abs(2 * rank - (scored - 1)))
        return [ordered[rank] for rank in ranks[:budget]]


class Highest(Perplexity):
    """What the model is least sure of."""

    about = "the model is least sure of its own answer"

    def chosen(self, losses: Sequence[float | None], budget: int) -> list[int]:
        return best(losses, budget)


def own_losses(backend: Backend, answered: Answered) -> Iterator[float | AnswerError]:
    """The mean loss of a token of each answer after its instruction."""
    passages = (Passage((before(row),), answer) for row, answer in answered)
    for said in losses_of(backend, passages, backend.context):
        yield said if isinstance(said, AnswerError) else said[0]
