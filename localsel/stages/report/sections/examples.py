"""Disagreements of a comparison → the clusters about which selectors differ most, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.stages.report.blocks import Block, Candidate, Choice, Example, Section
from localsel.stages.report.figures import number, plain
from localsel.stages.report.finding import entries, figure, listed
from localsel.stages.report.plots.series import Lineup, Series
from localsel.stages.report.sections.parts import say
from localsel.stages.report.texts import visible
from localsel.wording import counted

CLUSTERS, CANDIDATES, TEXT = 10, 8, 280

READING = (
    "The clusters the selectors differ about most. Beside every candidate stands each selector's"
    " probability of choosing it first, as a mean over the queries and orders that showed it; ✓"
    " marks what ended among its picks. A pick with a small probability"
    " was a later choice, or won elsewhere."
)
NOTHING = "The selectors made the same picks in every cluster that was compared."
ALONE = "There is one selector, so nobody disagrees with it."
UNKNOWN = "The record holds no examples."


def examples(comparison: Mapping[str, Any], who: Lineup) -> Section:
    clusters = [each for each in entries(comparison, "disagreements") if each.get("candidates")]
    people = who.selectors
    shown = clusters[:CLUSTERS]
    blocks: list[Block] = say(READING, _cut(clusters, shown)) if shown else []
    blocks += [_example(each, people) for each in shown]
    nothing = UNKNOWN if comparison.get("disagreements") is None else NOTHING
    none = say(ALONE if len(people) < 2 else nothing)
    return Section("examples", "Where they disagree", tuple(blocks or none))


def _cut(clusters: Sequence[object], shown: Sequence[object]) -> str:
    if len(clusters) == len(shown):
        return ""
    return f"Shown are {len(shown)} of the {len(clusters):,} clusters in the record."


def _example(each: Mapping[str, Any], people: Sequence[Series]) -> Example:
    candidates = entries(each, "candidates")
    ordered = sorted(candidates, key=_weight)
    picked = sum(bool(listed(candidate, "picked_by")) for candidate in ordered)
    shown = ordered[: max(CANDIDATES, picked)]
    rest = len(ordered) - len(shown)
    return Example(
        _title(each),
        tuple((series.mark, series.shown, series.colour) for series in people),
        tuple(_candidate(candidate, people) for candidate in shown),
        f"{counted(rest, 'further candidate')} that nobody picked." if rest else "",
    )


def _title(each: Mapping[str, Any]) -> str:
    queries = [plain(query) for query in listed(each, "queries")]
    asked = ", ".join(queries[:8]) + (" …" if len(queries) > 8 else "")
    disagreement = number(figure(each, "disagreement"))
    name = plain(each.get("cluster"))
    parts = [f"Cluster {name}" if name else "Without a cluster"]
    parts += [f"{'query' if len(queries) == 1 else 'queries'} {asked}"] if asked else []
    return ", ".join(parts + ([f"disagreement {disagreement}"] if disagreement else []))


def _weight(candidate: Mapping[str, Any]) -> tuple[bool, float]:
    """Picked ones first, then by the highest probability that anyone gave."""
    given = candidate.get("probabilities") or {}
    most = max((figure(given, name) or 0.0 for name in given), default=0.0)
    return not listed(candidate, "picked_by"), -most


def _candidate(candidate: Mapping[str, Any], people: Sequence[Series]) -> Candidate:
    picked_by = [str(name) for name in listed(candidate, "picked_by")]
    names = [series.name for series in people]
    return Candidate(
        plain(candidate.get("row")),
        visible(candidate.get("text") or "", TEXT),
        tuple(
            Choice(figure(candidate, "probabilities", name), name in picked_by) for name in names
        ),
        ", ".join(visible(name, 60) for name in picked_by if name not in names),
    )
