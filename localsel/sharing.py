"""What a run has in common with the runs that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from localsel.errors import UsageError
from localsel.records import Plan
from localsel.stages.plan import sample


@dataclass(frozen=True, slots=True)
class Sharing:
    """What a comparison adds to the settings of a run; nothing for a run of its own.

    Attributes:
        questions: ask about so many questions of the plan, of clusters drawn from it; None: all.
        narrow: other selectors, by path, for whose context a candidate may have to be shortened.
        command: the comparison that wants this run, as it was typed.
    """

    questions: int | None = None
    narrow: tuple[str, ...] = ()
    command: str = ""

    def part(self, plan: Plan, seed: int) -> Plan:
        """The part of a plan that everybody is asked about."""
        return sample(plan, self.questions, seed) if self.questions else plan

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Sharing:
        """The way back from `as_json`."""
        return cls(kept["questions"], tuple(kept["narrow"]), kept["command"])


ALONE = Sharing()


def refuse_other(first: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Selectors have to have been asked the same questions, baselines to choose as many.

    Raises:
        UsageError: these two cannot stand side by side.
    """
    if run["pool"] != first["pool"]:
        raise UsageError(
            f"Runs {first['run']} and {run['run']} are of different data:"
            f" {first['settings']['data']} and {run['settings']['data']}."
        )
    asked = [(each["plan"], sharing_of(each).questions) for each in (first, run)]
    if run["facts"].get("selector") and asked[0] != asked[1]:
        raise UsageError(
            f"Runs {first['run']} and {run['run']} were asked different queries.",
            "Compare runs of the same data, budget, seed and clusters.",
        )
    chose = [each["facts"].get("wanted", each["settings"]["budget"]) for each in (first, run)]
    if chose[0] != chose[1]:
        raise UsageError(
            f"Run {first['run']} chose {chose[0]:,} rows, run {run['run']} {chose[1]:,}.",
            "Only selections of the same size can be compared.",
        )


def sharing_of(run: Mapping[str, Any]) -> Sharing:
    """What a stored run has in common with others."""
    kept = run["facts"].get("sharing")
    return Sharing.from_json(kept) if kept else Sharing()
