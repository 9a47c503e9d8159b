"""An atlas, selections and a way to tell rows apart → what the canvas paints, and its legend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from localsel.tui.atlas import NOWHERE, Atlas, Party, places
from localsel.tui.dots import Mark, Paint

WAYS = ("selector", "chosen by", "cluster", "density")
"""What signs and colours tell, in the order in which `c` goes through them."""
COLOURS = 6
SIGNS = {"A": "●", "B": "▲", "C": "▶", "D": "▼", "E": "◀"}
SEVERAL = "◆"
"""The sign of a row that more than one of them picked."""
CHOSEN_BY = {
    "model": "●",
    "vote": "▲",
    "method": "▶",
    "forced": "▼",
    "fallback": "✗",
    "human": "◆",
}
FOUND = "?"
Entry = tuple[str, str, str, int]
"""Of a legend: a sign, its tone, what it stands for, and how many there are."""


def picked_by(parties: Sequence[Party]) -> dict[int, list[Party]]:
    """Of every picked row who picked it."""
    found: dict[int, list[Party]] = {}
    for party in parties:
        for row in party.picks:
            found.setdefault(row, []).append(party)
    return found


def paint(
    atlas: Atlas,
    parties: Sequence[Party],
    way: str,
    found: Iterable[int] = (),
    here: int | None = None,
) -> Paint:
    """How the canvas is to show the atlas.

    `found` are points that somebody looked for; `here` is the cluster that stands out among all,
    for there are more clusters than colours.
    """
    marks = [*_marks(atlas, parties, way), *(Mark(point, FOUND, "found") for point in found)]
    if way == "cluster":
        groups = np.where(atlas.clusters == NOWHERE, COLOURS, atlas.clusters % COLOURS)
        if here is not None:
            groups[atlas.clusters == here] = COLOURS + 1
        return Paint(groups.astype(np.uint8), (*_colours(), "dim", "here"), marks)
    return Paint(None, () if way == "density" else ("dim",), marks)


def _colours() -> tuple[str, ...]:
    return tuple(f"c{number}" for number in range(COLOURS))


def _marks(atlas: Atlas, parties: Sequence[Party], way: str) -> Iterator[Mark]:
    if way == "cluster":
        for cluster, point in sorted(atlas.centres.items()):
            yield Mark(point, str(cluster), "label", is_label=True)
    elif way != "density":
        signed = _by_selector(parties) if way == "selector" else _by_chooser(parties)
        for row, (sign, tone) in signed.items():
            for point in places(atlas, [row]):
                yield Mark(point, sign, tone)


def _by_selector(parties: Sequence[Party]) -> dict[int, tuple[str, str]]:
    """Who was picked by several comes last, and so on top."""
    tones = {party.letter: tone for party, tone in zip(parties, _colours(), strict=False)}
    picked = sorted(picked_by(parties).items(), key=lambda each: len(each[1]))
    return {
        row: (SEVERAL, "several") if len(by) > 1 else (SIGNS[by[0].letter], tones[by[0].letter])
        for row, by in picked
    }


def _by_chooser(parties: Sequence[Party]) -> dict[int, tuple[str, str]]:
    """By who chose in the first of the runs."""
    tones = dict(zip(CHOSEN_BY, _colours(), strict=True))
    first = parties[0].picks.values() if parties else ()
    return {pick.row: (CHOSEN_BY[pick.chosen_by], tones[pick.chosen_by]) for pick in first}


def title(parties: Sequence[Party], way: str) -> str:
    """What the legend is about."""
    if way == "selector":
        return "Picked by one alone" if len(parties) > 1 else "Picks"
    if way == "chosen by":
        return f"How {parties[0].letter}'s were chosen" if parties else "Picks"
    return "Clusters" if way == "cluster" else "Density"


def entries(
    atlas: Atlas, parties: Sequence[Party], way: str, here: int | None = None
) -> list[Entry]:
    """What the signs on the map mean, and how many there are of each."""
    if way == "selector":
        return _selectors(parties)
    if way == "chosen by":
        tones = dict(zip(CHOSEN_BY, _colours(), strict=True))
        counts = Counter(
            str(pick.chosen_by) for party in parties[:1] for pick in party.picks.values()
        )
        return [
            (sign, tones[name], name, counts[name])
            for name, sign in CHOSEN_BY.items()
            if counts.get(name)
        ]
    if way == "cluster":
        return _clusters(atlas, here)
    return [("⠐", "d0", "few rows", 0), ("⠮", "d2", "more rows", 0), ("⣿", "d3", "most rows", 0)]


def _clusters(atlas: Atlas, here: int | None) -> list[Entry]:
    found: list[Entry] = [("7", "label", "centre of cluster 7", 0)]
    if here is not None:
        size = int((atlas.clusters == here).sum())
        found.append(("⠿", "here", f"cluster {here}", size))
    return [*found, ("⠿", "c0", "clusters", len(atlas.centres))]


def _selectors(parties: Sequence[Party]) -> list[Entry]:
    picked, found = picked_by(parties), list[Entry]()
    for party, tone in zip(parties, _colours(), strict=False):
        alone = sum(by == [party] for by in picked.values())
        says = f"{party.letter} {party.name}"
        found.append((SIGNS[party.letter], tone, says, alone))
    if len(parties) > 1:
        several = sum(len(by) > 1 for by in picked.values())
        says = "by both" if len(parties) == 2 else "by several"
        found.append((SEVERAL, "several", says, several))
    return found
