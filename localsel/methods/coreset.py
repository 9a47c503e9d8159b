"""A pool and its vectors → the centres of k-center greedy: coverage without anyone's judgement."""

from __future__ import annotations

from collections.abc import Iterator

from localsel.methods.base import Method, Pool
from localsel.methods.farthest import farthest
from localsel.records import Answer, Pick


class CoreSet(Method):
    """Each pick is the instruction farthest from all picks before it, and from what is annotated.

    Source: Sener & Savarese 2018, arXiv 1708.00489. It is what `selectllm` clusters around, so
    the difference between the two is what the model adds.
    """

    about = "each the farthest from all before it"
    source = "arXiv 1708.00489"
    needs_vectors = True
    draws = True

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer]:
        assert pool.vectors is not None
        for place in farthest(pool.vectors, budget, self.tools.settings.seed, pool.given):
            yield Pick(row=pool.instructions[place].row, chosen_by="method")
