"""A pool → a uniform sample of it: the baseline that every other method has to beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from localsel.methods.base import Method, Pool
from localsel.records import Answer, Pick


class Uniform(Method):
    """Any selection of the budget's size is equally likely; the seed decides which."""

    about = "a seeded uniform sample"
    draws = True

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer]:
        generator = np.random.default_rng(self.tools.settings.seed)
        for place in generator.choice(len(pool.instructions), size=budget, replace=False):
            yield Pick(row=pool.instructions[place].row, chosen_by="method")
