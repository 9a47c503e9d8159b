"""Texts → how much of each the likeliest of some others has in common with it: ROUGE-L F1.

The measure is that of rouge-score without a stemmer: F1 = 2 · LCS / (a + b) tokens, the longest
common subsequence over whole texts. The table that it fills for every pair is here a row of bits,
64 tokens to a machine word (Crochemore et al. 2001, doi:10.1016/S0020-0190(00)00214-X; Hyyrö 2004).

The tokens are those of rouge-score, as far as it has any: it knows a to z and 0 to 9, and would
cut "café" and find nothing in Chinese. Here letters and digits of every script count, and where a
script is written without blanks, each of its characters is a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsel.compiled import compiled
from localsel.records import Rows

UNSPACED = "".join(
    rf"\p{{{script}}}"
    for script in ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar")
)


@cache
def _token() -> Any:
    """What a token looks like in lower case."""
    import regex

    letter, mark = r"\p{L}\p{Nd}", r"\p{M}"
    alone = rf"[[{UNSPACED}]&&[{letter}]]{mark}*"
    word = rf"[[{letter}]--[{UNSPACED}]][[{letter}{mark}]--[{UNSPACED}]]*"
    return regex.compile(f"{alone}|{word}", regex.V1)


def tokens(text: str) -> list[str]:
    """The tokens of a text, in order; none of one without letters and digits."""
    found: list[str] = _token().findall(text.lower())
    return found


@dataclass(frozen=True)
class Overlap:
    """Texts as numbers, one for each distinct token.

    Attributes:
        ids: the tokens of all texts, one text after the other.
        starts: [n + 1], where each text begins in `ids`.
        distinct: how many different tokens there are.
    """

    ids: NDArray[np.int64]
    starts: Rows
    distinct: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> Overlap:
        known: dict[str, int] = {}
        cut = [[known.setdefault(token, len(known)) for token in tokens(text)] for text in texts]
        starts = np.cumsum([0, *map(len, cut)], dtype=np.int64)
        ids = np.fromiter((each for text in cut for each in text), np.int64, int(starts[-1]))
        return cls(ids, starts, len(known))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def largest(self, rows: Rows, others: Rows) -> NDArray[np.float64]:
        """For each of `rows` [r] its largest F1 with any of its `others` [r, k].

        NaN for a text without tokens, 0 for one without others. Values that are the same fraction
        are the same to the last bit.
        """
        found: NDArray[np.float64] = compiled(_largest)(
            self.ids, self.starts, self.distinct, rows, others
        )
        return found


def _largest(
    ids: NDArray[np.int64], starts: Rows, distinct: int, rows: Rows, others: Rows
) -> NDArray[np.float64]:
    """One function for the compiler: what it defines inside becomes part of its loops."""

    # For each token the line of `bits` that says where the text at hand has it; -1 if it has not.
    slots = np.full(distinct, -1, np.int64)

    def common(bits: NDArray[np.uint64], first: int, last: int, state: NDArray[np.uint64]) -> int:
        """Tokens in the longest common subsequence; zeros of `state` are those found so far."""
        state[:] = ~np.uint64(0)
        words = len(state)
        for place in range(first, last):
            slot = slots[ids[place]]
            if slot < 0:
                continue
            carry = np.uint64(0)
            for word in range(words):
                old = state[word]
                hit = old & bits[slot, word]
                half = old + hit
                whole = half + carry
                carry = np.uint64(half < old) | np.uint64(whole < half)
                state[word] = whole | (old - hit)
        length = 0
        for word in range(words):
            zeros = ~state[word]
            while zeros:
                zeros &= zeros - np.uint64(1)
                length += 1
        return length

    values = np.empty(len(rows), np.float64)
    for turn in range(len(rows)):
        begin, end = starts[rows[turn]], starts[rows[turn] + 1]
        size = end - begin
        used = 0
        for place in range(begin, end):
            if slots[ids[place]] < 0:
                slots[ids[place]] = used
                used += 1
        bits = np.zeros((used, (size + 63) // 64), np.uint64)
        for place in range(begin, end):
            at = place - begin
            bits[slots[ids[place]], at // 64] |= np.uint64(1) << np.uint64(at % 64)
        state = np.empty(bits.shape[1], np.uint64)
        best, both = 0, 1
        for other in others[turn]:
            first, last = starts[other], starts[other + 1]
            # However much they share, it is no more than the shorter of them.
            most, total = min(size, last - first), size + last - first
            if most * both > best * total:
                length = common(bits, first, last, state)
                if length * both > best * total:
                    best, both = length, total
        values[turn] = 2 * best / both if size else np.nan
        for place in range(begin, end):
            slots[ids[place]] = -1
    return values
