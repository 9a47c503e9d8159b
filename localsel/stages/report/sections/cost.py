"""Costs of a comparison → what each selector took, and how often an answer failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localsel.stages.report.blocks import Section
from localsel.stages.report.figures import count, duration, number, size
from localsel.stages.report.finding import entries, figure
from localsel.stages.report.plots.series import Lineup
from localsel.stages.report.sections.parts import numbers, row, say, table

READING = (
    "Measured on the machine of each run, so compare seconds only where that was the same one. An"
    " unanswered query is one whose answer broke the rules twice; a fallback is a pick drawn at"
    " random in its place, and is marked as such wherever it appears."
)


def cost(comparison: Mapping[str, Any], who: Lineup) -> Section:
    names = ("Time", "Prompt tokens", "Tokens/s", "Peak memory", "Unanswered", "Fallbacks")
    rows = [row(who.of(each), _texts(each)) for each in entries(comparison, "selectors")]
    blocks = table("Cost and faults", "Selector", numbers(*names), rows, READING)
    nothing = say("What the runs cost is not in their records.")
    return Section("cost", "Cost", tuple(blocks or nothing))


def _texts(each: Mapping[str, Any]) -> list[str]:
    speed = figure(each, "cost", "tokens_per_second")
    return [
        duration(figure(each, "cost", "seconds")),
        count(figure(each, "cost", "prompt_tokens")),
        number(None if speed is None else float(speed), 0 if (speed or 0) >= 100 else 1),
        size(figure(each, "cost", "peak_memory")),
        count(figure(each, "cost", "abstained")),
        count(figure(each, "cost", "fallbacks")),
    ]
