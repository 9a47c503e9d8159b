"""Contestants over one plan → what agrees, what chance explains, who follows positions, coverage.

Everything is a number, a name or a sentence, ready for JSON; None stands where nothing can be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from localsel.errors import UsageError
from localsel.records import Plan, Rows, Vectors
from localsel.stages.compare.agreement import fleiss, itself, make_resamples, pairs_of
from localsel.stages.compare.board import Board, Contestant, make_board, make_sheet
from localsel.stages.compare.ceiling import gap
from localsel.stages.compare.chance import Chance, Null, expected_share, make_chance
from localsel.stages.compare.coverage import make_ground
from localsel.stages.compare.disagreement import disagreements
from localsel.stages.compare.groups import baselines, cover, selectors
from localsel.stages.compare.landscape import landscape
from localsel.stages.compare.profile import profile
from localsel.stages.compare.summary import sentences

__all__ = ["Contestant", "compare"]


def compare(
    contestants: Sequence[Contestant],
    plan: Plan,
    texts: Mapping[int, str],
    *,
    orders: int,
    seed: int,
    rows: Rows | None,
    vectors: Vectors | None,
    near: float = 0.95,
    simulations: int = 10_000,
    is_sample: bool = False,
) -> dict[str, Any]:
    """Selectors and people against each other and against baselines.

    Args:
        plan: the queries that were asked, whole clusters of them.
        rows: those of the pool; `vectors[i]`, of unit length, belongs to `rows[i]`.
        near: two picks with at least this cosine are near-duplicates.
        simulations: for what cannot be computed exactly.
        is_sample: whether only some of the clusters were asked about.
    """
    if not plan.queries:
        raise UsageError("There is nothing to compare: the plan has no query.")
    board = make_board(plan)
    ground = None if rows is None or vectors is None else make_ground(rows, vectors, plan)
    rivals = [each for each in contestants if each.kind != "baseline"]
    sheets = [make_sheet(board, each, orders) for each in rivals]
    chance = make_chance(board, orders, seed, simulations)
    resamples = make_resamples(board, seed)
    covered = cover(contestants, ground, near)
    own = [itself(board, sheet, chance, resamples) for sheet in sheets]
    pool = sorted(texts) if rows is None else [int(row) for row in rows]
    found = {
        "picks": board.picks,
        "questions": sum(query.asks for query in plan.queries),
        "orders": orders,
        "simulations": simulations,
        "chance": by_chance(board, chance),
        "selectors": selectors(rivals, covered, own, plan, texts, seed),
        "baselines": baselines(contestants, covered, texts, seed),
        "pool": {"rows": len(pool), "profile": profile(pool, texts, seed)},
        "pairs": pairs_of(board, sheets, chance, resamples),
        "fleiss": fleiss(sheets),
        "disagreements": disagreements(board, plan, rivals, sheets, texts),
        "map": landscape(ground, shown_on_map(contestants), seed) if ground else None,
    }
    heats = any(query.sources for query in plan.queries)
    gaps = {
        (one.name, other.name): (
            gap(board, one, other, resamples),
            gap(board, other, one, resamples),
        )
        for one, other in combinations(sheets, 2)
    }
    return found | {"summary": sentences(found, abstained(rivals, plan), gaps, heats, is_sample)}


def by_chance(board: Board, chance: Chance) -> dict[str, Any]:
    def form(null: Null | None) -> dict[str, float] | None:
        if null is None:
            return None
        return {"expected": expected_share(board), "spread": null.spread / null.unit}

    simulated = bool(chance.cross and chance.cross.simulations)
    return {
        "method": "simulated" if simulated else "exact",
        "same_order": form(chance.same),
        "cross_order": form(chance.cross),
    }


def shown_on_map(contestants: Sequence[Contestant]) -> dict[str, list[int]]:
    """Everyone's picks; of a baseline's seeds the first."""
    picks: dict[str, list[int]] = {}
    for each in contestants:
        name = (each.group or each.name) if each.kind == "baseline" else each.name
        picks.setdefault(name, [pick.row for pick in each.picks])
    return picks


def abstained(rivals: Sequence[Contestant], plan: Plan) -> dict[str, tuple[int, int]]:
    """How many answers of each selector were filled at random, and how many were asked for."""
    asked = {query.id for query in plan.queries}
    counts = {}
    for each in rivals:
        outcomes = [a.outcome for a in each.answers.values() if a.query in asked]
        counts[each.name] = (outcomes.count("abstained"), len(outcomes) - outcomes.count("forced"))
    return counts
