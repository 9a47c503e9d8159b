"""Settings and versions of a comparison → what somebody needs to make it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localsel.stages.report.blocks import Block, Column, Facts, Section
from localsel.stages.report.figures import plain
from localsel.stages.report.finding import entries, flat
from localsel.stages.report.plots.series import Lineup
from localsel.stages.report.sections.parts import row, say, table
from localsel.stages.report.texts import visible

NONE = "0 connections were attempted."
READING = "Two selectors with the same checksum are the same weights."


def record(comparison: Mapping[str, Any], who: Lineup) -> Section:
    refused = entries(comparison, "connections_refused")
    attempted = comparison.get("connections_attempted")
    blocks: list[Block] = say(_connections(attempted, refused, comparison.get("offline")))
    blocks += _facts("Plan", comparison.get("plan"))
    blocks += _facts("Settings", comparison.get("settings"))
    blocks += _facts("Versions", comparison.get("versions"))
    blocks += table(
        "Checksums of the weights",
        "Selector",
        [Column("sha256", "code")],
        [
            row(who.of(each), [visible(each["sha256"], 80)])
            for each in entries(comparison, "selectors")
            if each.get("sha256")
        ],
        READING,
    )
    nothing = say("Neither settings nor versions came with this comparison.")
    return Section("record", "How it was made", tuple(blocks or nothing))


def _connections(attempted: object, refused: Iterable[Mapping[str, Any]], offline: object) -> str:
    """What was attempted; offline is said only of whoever was held, and let nobody through."""
    held = offline if isinstance(offline, Mapping) else {}
    reached = ", ".join(visible(each.get("to"), 80) for each in entries(held, "allowed"))
    through = f" Let through, as was asked for: {reached}." if reached else ""
    if not isinstance(attempted, int) or isinstance(attempted, bool):
        return ""
    if attempted == 0:
        if held.get("guard") is True and not held.get("allowed"):
            return "0 connections were attempted: everything was made on this machine, offline."
        return f"No other connection was attempted.{through}" if reached else NONE
    tried = "connection was" if attempted == 1 else "connections were"
    named = [f"{visible(each.get('by'), 80)} to {visible(each.get('to'), 80)}" for each in refused]
    whom = f": {', '.join(named)}" if named else ""
    return f"{attempted:,} {tried} attempted, and refused{whom}.{through}"


def _facts(title: str, values: object) -> list[Block]:
    """Nested values as one list; a single value stands for itself."""
    pairs = flat(values) if isinstance(values, Mapping) else [(title, values)]
    said = tuple((visible(name, 80), plain(value)) for name, value in pairs if plain(value))
    return [Facts(said, title)] if said else []
