"""Sheets → whether two selectors agree less than each agrees with itself.

A selector that answers otherwise when its candidates are reordered cannot agree with another one
more than with itself. Finalists are the same for a selector and itself, but not for two selectors,
so only clusters that were answered in one round are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from localsel.stages.compare.agreement import Resamples, by_cluster, cross_order
from localsel.stages.compare.board import Board, Flags, Floats, Sheet

FEWEST = 10


@dataclass(frozen=True, slots=True)
class Gap:
    """A selector's kappa with itself less its kappa with another, and the interval of that."""

    name: str
    itself: float
    both: float
    interval: tuple[float, float]


def gap(board: Board, one: Sheet, other: Sheet, resamples: Resamples) -> Gap | None:
    """How far `one` with `other` stays below `one` with itself; None on too few clusters."""
    kept = _one_round(board)
    if len(one.orders) < 2 or one.repeated or kept.sum() < FEWEST:
        return None
    itself = by_cluster(board, cross_order(one, one).by_row) * kept
    both = by_cluster(board, cross_order(one, other).by_row) * kept
    expected = by_cluster(board, board.chance**2) * kept
    quota = resamples.quota * kept
    room = resamples.weights @ (quota - expected)
    room = np.where(room > 0, room, np.nan)
    drawn = (resamples.weights @ (itself - both)) / room
    if not np.isfinite(drawn).all():
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Gap(
        one.name,
        _kappa(itself, expected, quota),
        _kappa(both, expected, quota),
        (float(low), float(high)),
    )


def _kappa(shared: Floats, expected: Floats, quota: Floats) -> float:
    return float((shared - expected).sum() / (quota - expected).sum())


def _one_round(board: Board) -> Flags:
    """[clusters] whose picks were all made in the first round, with something to choose."""
    kept = np.ones(len(board.clusters), dtype=bool)
    free = np.zeros(len(board.clusters), dtype=bool)
    for query, cluster, size in zip(board.finals, board.final_cluster, board.size, strict=True):
        kept[cluster] &= bool(query.rows)
        free[cluster] |= query.quota < size
    return kept & free
