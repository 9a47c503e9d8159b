"""Sheets → how much every pair of contestants shares, chance taken off, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from localsel.stages.compare import spread
from localsel.stages.compare.board import Board, Flags, Floats, Sheet
from localsel.stages.compare.chance import (
    Chance,
    Null,
    expected_of_itself,
    expected_share,
)

RESAMPLES = 2_000
FORMS = ("same_order", "cross_order")


@dataclass(frozen=True, slots=True)
class Resamples:
    """Clusters drawn with replacement: [times, clusters] how often each was drawn."""

    weights: Floats
    quota: Floats

    def interval(self, shared: Floats) -> list[float] | None:
        """Of the share; a single cluster tells nothing about others."""
        if len(self.quota) < 2:
            return None
        shares = self.shares(shared)
        return [float(value) for value in np.quantile(shares, [0.025, 0.975])]

    def shares(self, shared: Floats) -> Floats:
        """[times] shared picks of the drawn clusters ÷ their quota."""
        drawn: Floats = (self.weights @ shared) / (self.weights @ self.quota)
        return drawn


def make_resamples(board: Board, seed: int) -> Resamples:
    count = len(board.clusters)
    quota = np.bincount(board.final_cluster, board.quota, count)
    draw = np.random.default_rng([seed, 2])
    weights = draw.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return Resamples(weights.astype(np.float64), quota.astype(np.float64))


def kappa(share: float, expected: float) -> float | None:
    """What is shared beyond chance, as a part of what could be; not said if chance shares all."""
    return (share - expected) / (1 - expected) if expected < 1 - 1e-12 else None


@dataclass(frozen=True, slots=True)
class Shared:
    """What two sheets share in some pairs of orders: per row, and per pair of orders."""

    by_row: Floats
    rows: float
    jaccard: float


def same_order(one: Sheet, other: Sheet) -> Shared:
    pairs = [(order, order) for order in range(len(one.orders))]
    return _shared(one.orders, other.orders, pairs)


def cross_order(one: Sheet, other: Sheet) -> Shared:
    orders = range(len(one.orders))
    return _shared(one.orders, other.orders, [(i, j) for i in orders for j in orders if i != j])


def _shared(one: Flags, other: Flags, pairs: Sequence[tuple[int, int]]) -> Shared:
    """Means over the pairs of orders."""
    by_row = np.zeros(one.shape[1])
    jaccard = 0.0
    for i, j in pairs:
        both = one[i] & other[j]
        by_row += both
        jaccard += float(both.sum() / max(1, (one[i] | other[j]).sum()))
    return Shared(by_row / len(pairs), float(by_row.sum() / len(pairs)), jaccard / len(pairs))


def pairs_of(
    board: Board, sheets: Sequence[Sheet], chance: Chance, resamples: Resamples
) -> list[dict[str, Any]]:
    return [pair(board, a, b, chance, resamples) for a, b in combinations(sheets, 2)]


def pair(
    board: Board, one: Sheet, other: Sheet, chance: Chance, resamples: Resamples
) -> dict[str, Any]:
    expected = expected_share(board)
    entangled = chance.cross is not None
    same = _form(board, same_order(one, other), expected, resamples)
    own = spread.same_order(board, one, other) if entangled else None
    same["p_value"] = _p_value(chance.same, same["overlap"], own)
    cross: dict[str, Any] = dict.fromkeys(same)
    if chance.cross:
        cross = _form(board, cross_order(one, other), expected, resamples)
        own = spread.cross_order(board, one, other)
        cross["p_value"] = _p_value(chance.cross, cross["overlap"], own)
    forms = {name: {"same_order": same[name], "cross_order": cross[name]} for name in same}
    selection = selected(board, one, other)
    return {"a": one.name, "b": other.name, **forms, "selection": selection}


def _form(board: Board, shared: Shared, expected: float, resamples: Resamples) -> dict[str, Any]:
    share = shared.rows / board.picks
    return {
        "overlap": share,
        "shared": shared.rows,
        "jaccard": shared.jaccard,
        "kappa": kappa(share, expected),
        "expected": expected,
        "p_value": None,
        "interval": resamples.interval(by_cluster(board, shared.by_row)),
    }


def _p_value(null: Null, share: float, own_spread: float | None) -> float | None:
    return null.p_value(share * null.unit, own_spread)


def by_cluster(board: Board, by_row: Floats) -> Floats:
    return np.bincount(board.cluster, by_row, len(board.clusters)).astype(np.float64)


def itself(
    board: Board, sheet: Sheet, chance: Chance, resamples: Resamples
) -> dict[str, Any] | None:
    """A selector's own orders against each other: the ceiling for agreement with others."""
    if chance.itself is None or sheet.repeated:
        return None
    form = _form(board, cross_order(sheet, sheet), expected_of_itself(board), resamples)
    return form | {"p_value": _p_value(chance.itself, form["overlap"], None)}


def selected(board: Board, one: Sheet, other: Sheet) -> dict[str, Any]:
    """The selections themselves, as far as the plan shows their rows."""
    shared = int((one.voted & other.voted).sum())
    smaller = min(one.voted.sum(), other.voted.sum())
    overlap = shared / int(smaller) if smaller else None
    return {
        "shared": shared,
        "overlap": overlap,
        "jaccard": shared / int((one.voted | other.voted).sum()) if smaller else None,
        "kappa": None if overlap is None else kappa(overlap, expected_share(board)),
        "cohen": cohen(one.voted, other.voted),
    }


def cohen(one: Flags, other: Flags) -> float | None:
    """On in or out of each selection; not said if both take all rows, or none."""
    from sklearn.metrics import cohen_kappa_score

    if bool(one.all() and other.all()) or not (one | other).any():
        return None
    return float(cohen_kappa_score(one, other))


def fleiss(sheets: Sequence[Sheet]) -> dict[str, Any] | None:
    """All raters at once, on in or out of each selection."""
    from statsmodels.stats.inter_rater import fleiss_kappa

    if len(sheets) < 2:
        return None
    chosen = np.sum([sheet.voted for sheet in sheets], axis=0)
    table = np.stack([chosen, len(sheets) - chosen], axis=1)
    said = bool(chosen.any()) and bool((chosen < len(sheets)).any())
    return {"kappa": float(fleiss_kappa(table)) if said else None, "raters": len(sheets)}
