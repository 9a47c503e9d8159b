"""Final queries of one shape → exactly how likely each number of shared picks is.

Two uniform selectors take k of the S slots of a final query each. A pick is shared where both
took the slot and the same row stands in it: always in a heat of the first round, and with the
slot's own probability where each selector brings its own winners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache, reduce
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def convolved(powers: Iterable[tuple[Floats, int]]) -> Floats:
    """Distribution of the sum of independent numbers: each of a kind, so many times."""
    parts = [power(pmf, times) for pmf, times in powers]
    return reduce(np.convolve, sorted(parts, key=len), np.ones(1))


def power(pmf: Floats, times: int) -> Floats:
    """`times`-fold convolution of a distribution with itself, by repeated squaring."""
    result = np.ones(1)
    while times:
        if times & 1:
            result = np.convolve(result, pmf)
        times >>= 1
        pmf = np.convolve(pmf, pmf) if times else pmf
    return result


@cache
def shared_by_two(quota: int, meeting: tuple[float, ...], orders: int) -> Floats:
    """Of one final query: shared picks summed over independent comparisons of two selectors.

    The finalists are the same in all `orders` comparisons; given them, the comparisons are
    independent. `meeting` has one probability per slot.
    """
    size = len(meeting)
    total = np.zeros(quota * orders + 1)
    for common, likely in enumerate(poisson_binomial(meeting)):
        if likely > 0:
            total += likely * power(shared_given(size, quota, common), orders)
    return total


def shared_given(size: int, quota: int, common: int) -> Floats:
    """Shared picks in one comparison if `common` of the slots hold the same row."""
    both = hypergeometric(size, quota, quota)
    given = [hypergeometric(size, taken, common) for taken in range(quota + 1)]
    total = np.zeros(quota + 1)
    for taken, likely in enumerate(both):
        total[: taken + 1] += likely * given[taken]
    return total


@cache
def hypergeometric(size: int, drawn: int, marked: int) -> Floats:
    """[drawn + 1] probability of each number of marked ones among those drawn."""
    ways = [comb(marked, hit) * comb(size - marked, drawn - hit) for hit in range(drawn + 1)]
    return np.array([way / comb(size, drawn) for way in ways])


def poisson_binomial(chances: tuple[float, ...]) -> Floats:
    """[S + 1] how many of independent events happen; certain ones only shift the count."""
    kinds = Counter(chances)
    return convolved((np.array([1 - chance, chance]), times) for chance, times in kinds.items())
