"""A board → what chance alone would share: expected, spread, and how far a figure lies beyond it.

Selectors that choose uniformly and independently go through the same plan. Queries do not
influence each other, so the distribution of a sum over queries is a convolution; it is simulated
only where the orders of one query are entangled (three orders and more, compared crosswise).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import default_rng

from localsel.records import Rows
from localsel.stages.compare import exact, simulate
from localsel.stages.compare.board import Board, Floats


@dataclass(frozen=True)
class Null:
    """Shared picks, summed over pairs of orders, by chance.

    Attributes:
        expected: mean of that sum, computed and not simulated.
        weights: probability of each sum from 0.
        unit: the sum where everything is shared: picks × pairs of orders.
        simulations: how many made the weights; 0 if they are exact.
    """

    expected: float
    weights: Floats
    unit: int
    simulations: int = 0

    @cached_property
    def spread(self) -> float:
        """Standard deviation of the sum."""
        sums = np.arange(len(self.weights))
        mean = float(self.weights @ sums)
        return float(np.sqrt(self.weights @ (sums - mean) ** 2))

    @cached_property
    def _tail(self) -> Floats:
        """Half the probability of a sum, and all above it: mid-p."""
        above = np.cumsum(self.weights[::-1])[::-1]
        tail = above - self.weights / 2
        if self.simulations:
            # A simulation that never went so far does not show that it is impossible.
            tail = (tail * self.simulations + 0.5) / (self.simulations + 1)
        return np.clip(tail, 1e-300, 1.0)

    def p_value(self, found: float, spread: float | None = None) -> float | None:
        """One-sided: how often chance alone shares at least this much.

        `spread` is that of the pair's own answers under chance, where it is known: a selector that
        repeats itself in every order says one thing several times, and is wider than uniform ones.
        """
        if not self.spread:
            return None
        own = spread or self.spread
        place = self.expected + (found - self.expected) * (self.spread / own)
        return float(np.interp(place, np.arange(len(self._tail)), self._tail))


@dataclass(frozen=True, slots=True)
class Chance:
    """Two selectors in the same order and crosswise, and one selector with itself."""

    same: Null
    cross: Null | None
    itself: Null | None


def make_chance(board: Board, orders: int, seed: int, simulations: int) -> Chance:
    same = _same(board, orders)
    if orders < 2:
        return Chance(same, None, None)
    return Chance(same, *_crosswise(board, orders, seed, simulations))


def expected_share(board: Board) -> float:
    """Two selectors with finalists of their own; it is the same for every pair of orders."""
    return float((board.chance**2).sum() / board.picks)


def expected_of_itself(board: Board) -> float:
    """One selector's two orders: the finalists are the same."""
    return float((board.quota**2 / board.size).sum() / board.picks)


def shapes(board: Board) -> Counter[tuple[int, tuple[float, ...]]]:
    """Final queries that chance cannot tell apart: quota and the slots' chances to meet."""
    ends = board.first_slot + board.size
    spans = zip(board.finals, board.first_slot, ends, strict=True)
    return Counter(
        (query.quota, tuple(sorted(np.round(board.meeting[start:end], 12).tolist())))
        for query, start, end in spans
    )


def _same(board: Board, orders: int) -> Null:
    unit = board.picks * orders
    found = shapes(board).items()
    weights = exact.convolved(
        (exact.shared_by_two(*shape, orders), count) for shape, count in found
    )
    return Null(expected_share(board) * unit, weights, unit)


def _crosswise(board: Board, orders: int, seed: int, simulations: int) -> tuple[Null, Null]:
    """Two orders make two independent comparisons, as the same order twice does."""
    unit, unit_of_itself = (
        board.picks * orders * (orders - 1),
        board.picks * orders * (orders - 1) // 2,
    )
    both, itself = expected_share(board) * unit, expected_of_itself(board) * unit_of_itself
    found = shapes(board)
    own = Counter(
        (query.quota, int(size)) for query, size in zip(board.finals, board.size, strict=True)
    )
    if orders == 2:
        alone = exact.convolved(
            (exact.hypergeometric(size, quota, quota), count)
            for (quota, size), count in own.items()
        )
        return Null(both, _same(board, 2).weights, unit), Null(itself, alone, unit_of_itself)
    draw = default_rng([seed, 1])
    crossed = np.zeros(simulations, dtype=np.int64)
    for shape, count in sorted(found.items()):
        crossed += simulate.cross_order(*shape, count, orders, simulations, draw)
    repeated = np.zeros(simulations, dtype=np.int64)
    for alike, count in sorted(own.items()):
        repeated += simulate.of_itself(*alike, count, orders, simulations, draw)
    return (
        Null(both, _weights(crossed), unit, simulations),
        Null(itself, _weights(repeated), unit_of_itself, simulations),
    )


def _weights(sums: Rows) -> Floats:
    return np.bincount(sums) / len(sums)
