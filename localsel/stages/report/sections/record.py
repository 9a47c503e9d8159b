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

READING = "Two selectors with the same checksum are the same weights."


def record(comparison: Mapping[str, Any], who: Lineup) -> Section:
    refused = entries(comparison, "connections_refused")
    blocks: list[Block] = say(_connections(comparison.get("connections_attempted"), refused))
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


def _connections(attempted: object, refused: Iterable[Mapping[str, Any]]) -> str:
    if not isinstance(attempted, int) or isinstance(attempted, bool):
        return ""
    if attempted == 0:
        return "0 connections were attempted: everything was made on this machine, offline."
    tried = "connection was" if attempted == 1 else "connections were"
    named = [f"{visible(each.get('by'), 80)} to {visible(each.get('to'), 80)}" for each in refused]
    return f"{attempted:,} {tried} attempted, and refused{': ' * bool(named)}{', '.join(named)}."


def _facts(title: str, values: object) -> list[Block]:
    """Nested values as one list; a single value stands for itself."""
    pairs = flat(values) if isinstance(values, Mapping) else [(title, values)]
    said = tuple((visible(name, 80), plain(value)) for name, value in pairs if plain(value))
    return [Facts(said, title)] if said else []
