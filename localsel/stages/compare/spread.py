"""Two selectors' own answers → how far the picks that they share would scatter by chance.

Uniform selectors answer every order anew; real ones repeat themselves. Two of them that have
nothing in common share as much as uniform ones on average, but with a wider spread, since several
orders say the same. That spread follows from their answers: it is the variance when the candidates
of one are renamed at random within each query, alike in all orders (Hoeffding's formula for
Σ C[s, π(s)] over random permutations π).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np

from localsel.stages.compare.board import Board, Flags, Floats, Sheet


def same_order(board: Board, one: Sheet, other: Sheet) -> float:
    """Standard deviation of shared picks, summed over orders."""
    variance = sum(
        _variance(np.einsum("mgs,mgt->gst", a, b), meeting).sum()
        for a, b, meeting in _by_size(board, one, other)
    )
    return float(np.sqrt(variance))


def cross_order(board: Board, one: Sheet, other: Sheet) -> float:
    """The same over pairs of different orders.

    Selectors that follow positions are alike within each order instead: their comparisons i with
    j and j with i go together. The variance when the candidates of both are renamed alike, anew in
    each order, tells that; the larger of the two holds.
    """
    repeated = leaning = 0.0
    for a, b, meeting in _by_size(board, one, other):
        within = np.einsum("mgs,mgt->gst", a, b)
        every = np.einsum("mgs,ngt->gst", a, b)
        repeated += _variance(every - within, meeting).sum()
        for i, j in combinations(range(len(a)), 2):
            both = np.einsum("gs,gt->gst", a[i], b[j]) + np.einsum("gs,gt->gst", b[i], a[j])
            leaning += _variance(both, meeting).sum()
    return float(np.sqrt(max(repeated, leaning)))


def _by_size(board: Board, one: Sheet, other: Sheet) -> Iterable[tuple[Floats, Floats, Floats]]:
    """Final queries with the same number of slots together: [M, G, S] twice and [G, S]."""
    a, b = slots_of(board, one.orders), slots_of(board, other.orders)
    for size in np.unique(board.size):
        slots = board.first_slot[board.size == size][:, None] + np.arange(size)
        yield a[:, slots], b[:, slots], board.meeting[slots]


def slots_of(board: Board, chosen: Flags) -> Floats:
    """[M, slots] whether a slot was taken."""
    taken = np.zeros((len(chosen), len(board.meeting)))
    for order, row in enumerate(chosen):
        taken[order, board.slot[row]] = 1
    return taken


def _variance(table: Floats, meeting: Floats) -> Floats:
    """[G] of Σ h[s] · table[s, π(s)] with π uniform and h[s] 1 with probability meeting[s]."""
    size = table.shape[-1]
    rows = table.sum(axis=2)
    weighted = meeting * rows
    mean = weighted.sum(axis=1) / size
    alone = (meeting[:, :, None] * table**2).sum(axis=(1, 2)) / size
    variance: Floats = alone - mean**2
    if size == 1:
        return variance
    # Σ over s ≠ u of m[s] m[u] (R[s] R[u] − Σ_t C[s,t] C[u,t]), as all pairs less the s = u ones.
    all_pairs = weighted.sum(axis=1) ** 2 - ((meeting[:, :, None] * table).sum(axis=1) ** 2).sum(1)
    same = (meeting**2 * (rows**2 - (table**2).sum(axis=2))).sum(axis=1)
    together = (all_pairs - same) / (size * (size - 1))
    variance = np.maximum(variance + together, 0)
    return variance
