"""A pool → its shortest or its longest instructions: what text length alone would choose.

Length is counted in characters of the instruction with its input. Words would need blanks between
them, which Chinese, Thai or code do not have, and tokens would need a model; a character is the
same for everyone, and what the baseline of SelectLLM counts too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from localsel.methods.base import Method, Pool
from localsel.records import Answer, Pick


class Shortest(Method):
    """Fewest characters first; of equally long instructions the earlier row. Nothing is drawn."""

    about = "the shortest instructions"
    source = "arXiv 2401.16553"
    sign: ClassVar[int] = 1

    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer]:
        by_length = sorted(
            pool.instructions, key=lambda each: (self.sign * len(each.text), each.row)
        )
        for instruction in by_length[:budget]:
            yield Pick(row=instruction.row, chosen_by="method")


class Longest(Shortest):
    """Most characters first; of equally long instructions the earlier row. Nothing is drawn."""

    about = "the longest instructions"
    sign = -1
