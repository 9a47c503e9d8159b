"""A cluster or a row of it, and what runs made of it → what is said about it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from localsel.printable import visible
from localsel.tui.clustered import PICKED
from localsel.tui.reviewed import BY
from localsel.tui.sides import COLOURS, Side
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.clusters import ClusterRow, Member, Verdict


def cluster_about(row: ClusterRow) -> Text:
    """A cluster in one line."""
    said = [f"Cluster {row.id}", counted(row.size, "row"), counted(row.quota, "pick")]
    if row.queries > 1:
        said.append(f"{row.queries} queries")
    if row.agreement is not None:
        said.append(f"agree {row.agreement:.0%}")
    if row.entropy is not None:
        said.append(f"entropy {row.entropy:.2f}")
    if row.radius is not None:
        said.append(f"radius {row.radius:.3f}")
    return Text(" · ".join(said))


def row_about(row: int, member: Member, sides: Sequence[Side], styles: Sequence[Style]) -> Text:
    """Where a row stands, and one line for each side that has seen it."""
    said = [] if member.distance is None else [f"distance {member.distance:.3f} to the centre"]
    if row != member.row:
        said.append(f"near-duplicate of row {member.row}")
    if member.left_out:
        said.append(f"left out: {visible(member.left_out)}")
    text = Text.assemble((f"Row {row}", "bold"), "".join(f" · {each}" for each in said), "\n")
    for place, side in enumerate(sides):
        told = _told(member.verdicts[side.run])
        if told:
            text.append(side.letter, styles[place % COLOURS] + Style(bold=True))
            text.append(f" {told}\n")
    return text.append("\n")


def _told(verdict: Verdict) -> str:
    said = []
    for shown in verdict.shown:
        share = "taken unasked" if shown.score is None else f"{shown.score:.1%}"
        said.append(f"{share} as label {shown.label} of query {shown.query}")
    found = ", then ".join(said)
    if not verdict.rank:
        return found
    by = BY.get(verdict.chosen_by or "", verdict.chosen_by)
    picked = f"{PICKED} rank {verdict.rank}, chosen by {by}"
    return f"{found}; {picked}" if found else picked


def alike(member: Member, row: int, heads: Mapping[int, str]) -> Text | None:
    """The rows that stand under it, one a line."""
    if row != member.row or not member.near_duplicates:
        return None
    text = Text.assemble("\n", ("Near-duplicates of it", "bold"), "\n")
    for each in member.near_duplicates:
        text.append(f"{each:>6}  {visible(heads.get(each, ''))}\n")
    return text
