"""A pool and a model → the rows to which the model has the most to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from localsel.methods.base import Pool, Step
from localsel.methods.generating import Writing, wordless
from localsel.methods.measuring import best
from localsel.records import Pick


class OpenEnded(Writing):
    """The rows whose three answers, drawn from the model, have the most distinct pairs of words.

    A word is what stands between blanks, a pair is two that follow each other in one answer. A row
    to which one of the three is empty has no score, and of equal ones the earlier row comes first.
    It favours what is answered at length.

    Source: a baseline of SelectLLM, arXiv 2401.16553. There, answers have at most 100 tokens, each
    drawn from the ten most probable of the top 0.9, and the picks are put in file order.
    """

    about = "three answers of the model differ most"
    source = "arXiv 2401.16553"
    cost = "3 N answers"
    draws = True
    turns = 3

    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        assert self.tools.backend is not None
        rows = pool.instructions
        written = yield from self.written(rows, self.tools.backend, self.tools.selector)
        if empty := wordless(rows, written):
            yield empty
        counts = [distinct(answers) if answers and all(answers) else None for answers in written]
        for place in best(counts, budget):
            yield Pick(row=rows[place].row, chosen_by="method", score=counts[place])


def distinct(answers: Sequence[str]) -> int:
    """Pairs of neighbouring words that these answers have together, each counted once."""
    return len({pair for answer in answers for pair in pairwise(answer.split())})
