"""Final queries of one shape → shared picks of simulated uniform selectors, summed over queries.

Chosen slots are bits of 64-bit words, so that a comparison of two choices is an `and` and a count.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Counts = NDArray[np.int64]

BLOCK = 100_000
ONE = np.uint64(1)


def same_order(
    quota: int, meeting: tuple[float, ...], queries: int, orders: int, times: int, draw: Generator
) -> Counts:
    """[times] picks that two selectors share, summed over orders and over alike queries."""
    pairs = [(order, order) for order in range(orders)]
    return _of_two(quota, meeting, queries, orders, times, draw, pairs)


def cross_order(
    quota: int, meeting: tuple[float, ...], queries: int, orders: int, times: int, draw: Generator
) -> Counts:
    """The same over all pairs of different orders."""
    return _of_two(
        quota, meeting, queries, orders, times, draw, list(permutations(range(orders), 2))
    )


def of_itself(
    quota: int, size: int, queries: int, orders: int, times: int, draw: Generator
) -> Counts:
    """The same for one selector and its own other orders, each pair of orders once."""
    total = np.zeros(times, dtype=np.int64)
    for block in _blocks(queries, times):
        one = _choices(size, quota, (orders, times, block), draw)
        for i, j in combinations(range(orders), 2):
            total += _shared(one[i] & one[j])
    return total


def _of_two(
    quota: int,
    meeting: tuple[float, ...],
    queries: int,
    orders: int,
    times: int,
    draw: Generator,
    pairs: list[tuple[int, int]],
) -> Counts:
    total = np.zeros(times, dtype=np.int64)
    for block in _blocks(queries, times):
        one, other = (_choices(len(meeting), quota, (orders, times, block), draw) for _ in range(2))
        one = one & _meetings(meeting, (times, block), draw)
        for i, j in pairs:
            total += _shared(one[i] & other[j])
    return total


def _blocks(queries: int, times: int) -> Iterator[int]:
    """How many queries to draw at once, so that memory stays small."""
    step = max(1, BLOCK // times)
    for start in range(0, queries, step):
        yield min(step, queries - start)


def _shared(words: Words) -> Counts:
    """[times] bits that are set."""
    shared: Counts = np.bitwise_count(words).sum(axis=(1, 2), dtype=np.int64)
    return shared


def _choices(size: int, quota: int, shape: tuple[int, ...], draw: Generator) -> Words:
    """[shape, words] uniform choices of `quota` of `size` slots, by Floyd's algorithm."""
    bits = _bits(size)
    words = np.zeros((*shape, bits.shape[1]), dtype=np.uint64)
    for last in range(size - quota, size):
        bit = bits[draw.integers(0, last + 1, size=shape, dtype=np.uint16)]
        taken = words & bit
        # A bit is in one word only; the others are 0 and must not count as free.
        known = taken if taken.shape[-1] == 1 else taken.any(axis=-1, keepdims=True)
        words |= np.where(known, bits[last], bit)
    return words


def _bits(size: int) -> Words:
    """[size, words] the bit that stands for each slot."""
    bits = np.zeros((size, -(-size // 64)), dtype=np.uint64)
    for slot in range(size):
        bits[slot, slot >> 6] = ONE << np.uint64(slot & 63)
    return bits


def _meetings(meeting: tuple[float, ...], shape: tuple[int, ...], draw: Generator) -> Words:
    """[shape, words] slots in which both selectors have the same row."""
    words = np.zeros((*shape, -(-len(meeting) // 64)), dtype=np.uint64)
    for slot, chance in enumerate(meeting):
        same = draw.random(shape) < chance if chance < 1 else np.ones(shape, dtype=bool)
        words[..., slot >> 6] |= same.astype(np.uint64) << np.uint64(slot & 63)
    return words
