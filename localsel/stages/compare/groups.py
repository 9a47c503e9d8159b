"""Contestants → one account of each selector, and one of each baseline over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from localsel.records import Plan
from localsel.stages.compare import coverage
from localsel.stages.compare.board import Contestant
from localsel.stages.compare.coverage import Ground
from localsel.stages.compare.position import answered, entropy, label_prior, position
from localsel.stages.compare.profile import profile

RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Covered:
    """What coverage found for every contestant, by name, and the names of the random ones."""

    found: Mapping[str, tuple[dict[str, Any], list[dict[str, Any]]] | None]
    random: tuple[str, ...]

    def measures(self, name: str) -> dict[str, Any] | None:
        found = self.found[name]
        return found[0] if found else None

    def curve(self, name: str) -> list[dict[str, Any]]:
        found = self.found[name]
        return found[1] if found else []

    def against_random(self, measures: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if measures is None:
            return None
        random = [self.measures(name) for name in self.random]
        return coverage.against_random(measures, [each for each in random if each])


def cover(contestants: Sequence[Contestant], ground: Ground | None, near: float) -> Covered:
    found = {
        each.name: coverage.measured(ground, rows_of(each), near) if ground else None
        for each in contestants
    }
    random = tuple(e.name for e in contestants if e.kind == "baseline" and group_of(e) == RANDOM)
    return Covered(found, random)


def group_of(contestant: Contestant) -> str:
    return contestant.group or contestant.name


def rows_of(contestant: Contestant) -> list[int]:
    return [pick.row for pick in contestant.picks]


def selectors(
    rivals: Sequence[Contestant],
    covered: Covered,
    ceiling: Sequence[dict[str, Any] | None],
    plan: Plan,
    texts: Mapping[int, str],
    seed: int,
) -> list[dict[str, Any]]:
    """`ceiling`: what each agrees with itself."""
    return [
        {"name": each.name, "kind": each.kind, "picked": len(each.picks)}
        | answering(each, plan, seed)
        | {"self_agreement": own["overlap"] if own else None, "self_pair": own}
        | {"only": alone(each, rivals)}
        | covering(each.name, covered)
        | {"profile": profile(rows_of(each), texts, seed)}
        for each, own in zip(rivals, ceiling, strict=True)
    ]


def answering(contestant: Contestant, plan: Plan, seed: int) -> dict[str, Any]:
    answers = answered(contestant, plan)
    return {
        "position": position(answers, seed),
        "label_prior": label_prior(answers),
        "entropy": entropy(answers),
    }


def alone(contestant: Contestant, rivals: Sequence[Contestant]) -> list[int]:
    """Rows that nobody else picked; baselines do not count."""
    others = {row for other in rivals if other.name != contestant.name for row in rows_of(other)}
    return [row for row in rows_of(contestant) if row not in others]


def covering(name: str, covered: Covered) -> dict[str, Any]:
    measures = covered.measures(name)
    return {
        "coverage": measures,
        "against_random": covered.against_random(measures),
        "curve": covered.curve(name),
    }


def baselines(
    contestants: Sequence[Contestant], covered: Covered, texts: Mapping[int, str], seed: int
) -> list[dict[str, Any]]:
    groups: dict[str, list[Contestant]] = {}
    for each in contestants:
        if each.kind == "baseline":
            groups.setdefault(group_of(each), []).append(each)
    return [baseline(name, seeds, covered, texts, seed) for name, seeds in groups.items()]


def baseline(
    name: str, seeds: Sequence[Contestant], covered: Covered, texts: Mapping[int, str], seed: int
) -> dict[str, Any]:
    """Means over the seeds; `picked` is what one of them picks."""
    measures = [found for each in seeds if (found := covered.measures(each.name))]
    means, spread = over_seeds(measures)
    return {
        "name": name,
        "seeds_used": [each.name for each in seeds],
        "picked": round(float(np.mean([len(each.picks) for each in seeds]))),
        "coverage": means,
        "spread": spread if len(measures) > 1 else None,
        "against_random": None if name == RANDOM else covered.against_random(means),
        "curve": coverage.mean_curve([covered.curve(each.name) for each in seeds]),
        "profile": profile([row for each in seeds for row in rows_of(each)], texts, seed),
    }


def over_seeds(
    measures: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if not measures:
        return None, None
    by_name = {name: [each[name] for each in measures] for name in coverage.MEASURES}
    return (
        {name: coverage.mean_of(values) for name, values in by_name.items()},
        {name: coverage.spread_of(values) for name, values in by_name.items()},
    )
