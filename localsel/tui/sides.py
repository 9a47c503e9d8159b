"""The runs looked at → those who stand side by side: a letter, a name, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from localsel.printable import visible

if TYPE_CHECKING:
    from localsel.store import Store

COLOURS = 4
Stamp = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """One run among several; `asks`: whether a selector chose in it, so that it has answers."""

    run: str
    letter: str
    name: str
    asks: bool = True
    orders: int = 1

    @property
    def called(self) -> str:
        return f"{self.letter} {visible(self.name, 40)}"


def sides_of(store: Store, runs: Sequence[str]) -> tuple[Side, ...]:
    """Those of the runs that are still there, each once; whoever asked nobody comes last."""
    from localsel.tui.listing import asks, name_of

    known = [run for name in dict.fromkeys(runs) if (run := store.known(name))]
    found = [
        Side(run["run"], letter, name_of(run), asks(run), run["settings"]["orders"])
        for letter, run in zip(ascii_uppercase, known, strict=False)
    ]
    return tuple(sorted(found, key=lambda side: not side.asks))


def stamp(store: Store, sides: Iterable[Side]) -> Stamp:
    """What differs as soon as there is anything new to show of them."""
    rows = ((store.known(side.run), store.progress(side.run)) for side in sides)
    return tuple(
        (row["run"], row["plan"], row["state"], said["answered"]) for row, said in rows if row
    )


def legend(sides: Sequence[Side], styles: Sequence[Style]) -> Text:
    """Which letter is who."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for place, side in enumerate(sides):
        text.append("  " if place else "")
        text.append(side.letter, styles[place % COLOURS] + Style(bold=True))
        text.append(f" {visible(side.name, 40)}")
    return text


def cell(sign: str, share: float | None, width: int, note: str = "") -> str:
    """What a side says of a row: a sign, a bar on the scale of all, and the share in percent.

    `note` stands where there is no share.
    """
    from localsel.tui.widgets.bars import bar

    if width < NARROWEST:
        return sign
    if share is None:
        return f"{sign:<1} {note if len(note) < width - 1 else note and '–'}"
    room = width - 7
    drawn = f"{bar(share, room)} " if room > 0 else ""
    return f"{sign:<1} {drawn}{share:4.0%}"


NARROWEST = 6


def widths(sides: Sequence[Side], room: int) -> list[int]:
    """Cells for each side in a table so wide, all bars of one length: a third of it at most."""
    asked = sum(side.asks for side in sides) or 1
    each = max(NARROWEST, min(16, room // 3 // asked))
    return [each if side.asks else 2 for side in sides]
