"""A pool → the instructions whose words are least like those of others."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from localsel.methods.base import Method, Pool, Progress, Remark
from localsel.methods.overlap import Overlap
from localsel.records import Pick, Rows
from localsel.wording import counted

OTHERS = 1000
AT_ONCE = 250
"""Rows measured between two words about how far it is: a fraction of a second."""


class Rouge(Method):
    """The rows whose largest ROUGE-L F1 with 1,000 random others is smallest; of equals the first.

    Every row has others of its own, drawn from the seed, never itself; a pool of at most 1,001
    rows is measured whole, and nothing is drawn. A row without a letter or a digit has no value,
    which is not the value 0: such rows come last.

    Source: the diversity baseline of SelectLLM, arXiv 2401.16553. `docs/methods.md` lists every
    difference from the released code: missing inputs, the measure, cases and scripts, the seed.
    """

    about = "the least like 1,000 others, by ROUGE-L"
    source = "arXiv 2401.16553"
    draws = True

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Progress | Remark]:
        overlap = Overlap.of([each.text for each in pool.instructions])
        generator = np.random.default_rng(self.tools.settings.seed)
        values = np.empty(len(overlap))
        for start in range(0, len(overlap), AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, len(overlap)))
            values[rows] = overlap.largest(rows, others_of(rows, len(overlap), generator))
            yield Progress(int(rows[-1]) + 1, len(overlap))
        if bare := int(np.isnan(values).sum()):
            rows_have = f"{counted(bare, 'row')} without letters or digits"
            yield Remark(f"{rows_have} cannot be compared by ROUGE-L, and would be picked last.")
        for place in np.argsort(values, kind="stable")[:budget]:  # NaN comes last
            yield Pick(row=pool.instructions[place].row, chosen_by="method")

    def seconds(self, pool: Pool) -> float:
        overlap = Overlap.of([each.text for each in pool.instructions])
        rows = np.arange(min(AT_ONCE, len(overlap)))
        overlap.largest(rows[:1], rows[None])  # compiles
        started = time.perf_counter()
        overlap.largest(rows, others_of(rows, len(overlap), np.random.default_rng(0)))
        return (time.perf_counter() - started) * len(overlap) / len(rows)


def others_of(rows: Rows, size: int, generator: np.random.Generator) -> Rows:
    """For each row [r] the others [r, k] that it is measured against, in a pool of `size`."""
    count = min(OTHERS, size - 1)
    places = np.arange(count)
    found = np.empty((len(rows), count), np.int64)
    for turn, row in enumerate(rows):
        if count < size - 1:
            places = generator.choice(size - 1, count, replace=False, shuffle=False)
        found[turn] = places + (places >= row)  # all but the row itself
    return found
