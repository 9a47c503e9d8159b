"""What a run has in common with the runs that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
