"""What a model answered to a query with another prompt → lines beside what it answered before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from localsel.tui.widgets.bars import bar
from localsel.tui.widgets.table import Column, Line

BAR = 6
COLUMNS = (
    Column("", 3, right=True),
    Column("before", BAR + 7),
    Column("now", BAR + 7),
    Column("candidate"),
)


def lines(document: Mapping[str, Any], text_of: Callable[[int], str]) -> list[Line]:
    """One line a candidate, in the order shown: its number, how likely it was and is."""
    before = document["before"] or {"chosen": (), "scores": ()}
    return [
        Line(
            row,
            (
                str(place + 1),
                _cell(before["scores"], place, row in before["chosen"]),
                _cell(document["scores"], place, row in document["chosen"]),
                text_of(row),
            ),
            "good" if row in document["chosen"] else "",
        )
        for place, row in enumerate(document["shown"])
    ]


def _cell(scores: Sequence[float | None], place: int, chosen: bool) -> str:
    sign = "●" if chosen else " "
    score = scores[place] if place < len(scores) else None
    return f"{sign}    –" if score is None else f"{sign} {score:4.0%} {bar(score, BAR)}"


def summary(document: Mapping[str, Any]) -> str:
    """What the other prompt has changed, in a sentence."""
    numbers = {row: place for place, row in enumerate(document["shown"], start=1)}
    now = [numbers[row] for row in document["chosen"]]
    if not document["before"]:
        return f"It chooses {_listed(now)}. The run was not answered here."
    was = [numbers[row] for row in document["before"]["chosen"] if row in numbers]
    if sorted(was) == sorted(now):
        return f"It chooses {_listed(now)}, as before."
    return f"It chooses {_listed(now)}; before it chose {_listed(was)}."


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "nothing"
