"""Sheets and answers → the clusters that selectors disagree on most, with their candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import exp
from typing import Any

import numpy as np

from localsel.records import Plan
from localsel.stages.compare.board import Board, Contestant, Floats, Sheet

WRITTEN = 50
CANDIDATES = 20
LETTERS = 300


def disagreements(
    board: Board,
    plan: Plan,
    contestants: Sequence[Contestant],
    sheets: Sequence[Sheet],
    texts: Mapping[int, str],
) -> list[dict[str, Any]]:
    """Most disputed first; clusters in which all picked the same are not written."""
    if len(sheets) < 2:
        return []
    probabilities = [first_choice(contestant, plan) for contestant in contestants]
    disputed = unlike(board, sheets)
    ranked = sorted(
        np.flatnonzero(disputed > 0),
        key=lambda at: (-disputed[at], -apart(board.rows[board.cluster == at], probabilities), at),
    )
    names = [contestant.name for contestant in contestants]
    return [
        {
            "cluster": board.clusters[at],
            "queries": [q.id for q in plan.queries if q.cluster == board.clusters[at]],
            "disagreement": float(disputed[at]),
            "candidates": _candidates(board, int(at), names, sheets, probabilities, texts),
        }
        for at in ranked[:WRITTEN]
    ]


def unlike(board: Board, sheets: Sequence[Sheet]) -> Floats:
    """[clusters] mean over pairs of the share of a cluster's picks that the two do not share."""
    quota = np.bincount(board.final_cluster, board.quota, len(board.clusters))
    pairs = list(combinations(sheets, 2))
    shared = sum(
        np.bincount(board.cluster, one.voted & other.voted, len(board.clusters))
        for one, other in pairs
    )
    return np.clip(1 - shared / (len(pairs) * quota), 0, 1)


def apart(rows: Sequence[int], probabilities: Sequence[Mapping[int, float]]) -> float:
    """How far apart first choices are: half the summed differences, the mean over pairs."""
    return float(
        np.mean(
            [
                sum(abs(one.get(row, 0) - other.get(row, 0)) for row in rows) / 2
                for one, other in combinations(probabilities, 2)
            ]
        )
    )


def first_choice(contestant: Contestant, plan: Plan) -> dict[int, float]:
    """Each row's mean probability over the orders, in the last round that showed it."""
    rounds = {query.id: query.round for query in plan.queries}
    found: dict[int, tuple[int, list[float]]] = {}
    for key in sorted(key for key in contestant.answers if key[0] in rounds):
        answer = contestant.answers[key]
        for row, score in zip(answer.shown, answer.scores, strict=False):
            at = rounds[answer.query]
            if at > found.get(row, (-1, []))[0]:
                found[row] = (at, [])
            if at == found[row][0]:
                found[row][1].append(exp(score))
    return {row: sum(scores) / len(scores) for row, (_, scores) in found.items()}


def _candidates(
    board: Board,
    at: int,
    names: Sequence[str],
    sheets: Sequence[Sheet],
    probabilities: Sequence[Mapping[int, float]],
    texts: Mapping[int, str],
) -> list[dict[str, Any]]:
    """Everything picked, then the most probable others."""
    columns = np.flatnonzero(board.cluster == at)
    written: list[dict[str, Any]] = []
    for column in columns:
        row = int(board.rows[column])
        picked_by = [name for name, sheet in zip(names, sheets, strict=True) if sheet.voted[column]]
        said = {name: own.get(row) for name, own in zip(names, probabilities, strict=True)}
        text = texts.get(row, "")[:LETTERS]
        written.append({"row": row, "text": text, "probabilities": said, "picked_by": picked_by})
    written.sort(key=lambda each: (-len(each["picked_by"]), -_mean(each["probabilities"])))
    picked = sum(bool(each["picked_by"]) for each in written)
    return written[: max(CANDIDATES, picked)]


def _mean(said: Mapping[str, float | None]) -> float:
    known = [value for value in said.values() if value is not None]
    return sum(known) / len(known) if known else 0.0
