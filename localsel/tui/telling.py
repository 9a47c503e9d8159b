"""How far a run is, and what a command has said → lines of tables, and a text to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localsel.tui.listing import signed
from localsel.tui.widgets.gauge import clock
from localsel.tui.widgets.table import Column, Line

if TYPE_CHECKING:
    from localsel.tui.following import Job
    from localsel.tui.standing import Standing

RUNS = (
    Column("selector", 20),
    Column("run", 8),
    Column("state", 13),
    Column("done", 6, right=True),
    Column("left", 7, right=True),
    Column(""),
)
LONGEST = 50_000
"""Bytes of complaints that the dialog of the log shows."""


def warns(text: str) -> bool:
    return text.startswith("! ")


def note_lines(texts: Sequence[str]) -> list[Line]:
    """Notes and warnings, the warnings as what they are."""
    return [Line(place, (text,), "bad" if warns(text) else "") for place, text in enumerate(texts)]


def run_line(place: int, each: Standing) -> Line:
    share = f"{each.done / each.total:.0%}" if each.total else ""
    left = clock(each.left) if each.left is not None else ""
    says = each.error or (each.stage if each.state == "running" else "")
    tone = "bad" if each.state in ("failed", "interrupted", "over-limit") or each.error else ""
    return Line(place, (each.name, each.run, signed(each.state), share, left, says), tone)


def whole_log(job: Job) -> str:
    """Its notes and warnings, and what it complained of; of very much only the end."""
    from localsel.detached import complaints

    try:
        with complaints(job.log).open("rb") as file:
            file.seek(max(file.seek(0, 2) - LONGEST, 0))
            said = file.read().decode("utf-8", "replace")
    except OSError:
        said = ""
    return "\n".join([*job.texts, *said.strip().splitlines()]) or "Nothing was said."
