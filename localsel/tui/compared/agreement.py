"""The pairs of a comparison → who agrees with whom, in figures and in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from localsel.printable import visible
from localsel.tui.compared.reading import (
    Found,
    Reading,
    grid,
    headed,
    number,
    sentences,
    share,
    small,
)

FORMS = {"same_order": "same", "cross_order": "different"}
ORDERS = {"same_order": "the same order", "cross_order": "different orders"}
STRIP = 25
ROOM = 58
"""Cells of the other columns of the table of pairs."""


def agreement(reading: Reading) -> RenderableType:
    """Everybody with everybody, and in words whether that is more than chance."""
    found = reading.found
    if not found["pairs"]:
        return Text("An agreement needs two selectors. Mark two runs on screen 1, and press c.")
    form = "cross_order" if found["orders"] > 1 else "same_order"
    about = tuple(f"{a} and {b} " for a, b in map(_names, found["pairs"]))
    said = [text for text in found["summary"] if text.startswith(about)]
    return Group(
        headed(
            "Overlap of picks", f"asked in {ORDERS[form]}; on the diagonal with itself", first=True
        ),
        matrix(reading, form, "overlap", "self_agreement", share),
        headed("Kappa", "0 is chance, 1 the same picks"),
        matrix(reading, form, "kappa", "", number),
        headed("Every pair", "● overlap  ━ 95 %  ┊ chance, from 0 to 100 %"),
        pairs(reading),
        headed("In words"),
        sentences(said),
    )


def _names(pair: Found) -> tuple[str, str]:
    return pair["a"], pair["b"]


def matrix(reading: Reading, form: str, what: str, own: str, said: Any) -> Table:
    values = {_names(pair): pair[what][form] for pair in reading.found["pairs"]}
    values |= {(b, a): value for (a, b), value in values.items()}
    table = grid("", *(reading.letters[each["name"]] or each["name"] for each in reading.selectors))
    for one in reading.selectors:
        cells = [
            said(values.get((one["name"], other["name"]), one.get(own) if one is other else None))
            or "·"
            for other in reading.selectors
        ]
        table.add_row(reading.named(one), *(f"{cell:>5}" for cell in cells))
    return table


def pairs(reading: Reading) -> Table:
    table = grid("pair", "orders", "", "overlap", "chance", "95 %", "kappa", "p", left=3)
    width = max(5, min(STRIP, reading.width - ROOM))
    forms = [form for form in FORMS if form == "same_order" or reading.found["orders"] > 1]
    for pair in reading.found["pairs"]:
        who = "·".join(reading.letters[name] or visible(name, 12) for name in _names(pair))
        for form in forms:
            table.add_row(who, FORMS[form], strip(pair, form, width), *_pair(pair, form))
            who = ""
    return table


def _pair(pair: Found, form: str) -> Iterator[str]:
    low_high = pair["interval"][form] or ()
    yield share(pair["overlap"][form])
    yield share(pair["expected"][form])
    yield "–".join(f"{100 * each:.0f}" for each in low_high)
    yield number(pair["kappa"][form])
    yield small(pair["p_value"][form])


def strip(pair: Found, form: str, width: int) -> str:
    """Overlap, its interval and chance on a line from 0 to 1."""
    signs = ["·"] * width
    low, high = pair["interval"][form] or (0, -1)
    for place in range(_at(low, width), _at(high, width) + 1):
        signs[place] = "━"
    signs[_at(pair["expected"][form], width)] = "┊"
    signs[_at(pair["overlap"][form], width)] = "●"
    return "".join(signs)


def _at(value: float, width: int) -> int:
    return round(value * (width - 1))
