"""A row of a pool, and what a run says of it → texts that can be read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from localsel.errors import LocalselError
from localsel.printable import visible, visible_lines
from localsel.tui.widgets.bars import bar

if TYPE_CHECKING:
    from localsel.records import Pick
    from localsel.store import Store

LONGEST = 12_000
"""Letters of one field that are laid out; of longer ones it says how many follow."""
BAR = 8
MOST = 50
"""Near-duplicates that are listed."""


def row_text(store: Store, pool: str, row: int, whole: bool = True) -> Text:
    """Its instruction and input, which selectors see; the `whole` row has other columns too."""
    instruction = store.instruction(pool, row)
    text = Text(shortened(instruction.instruction))
    if instruction.input:
        text.append_text(section("Input", instruction.input))
    if not whole:
        return text
    if instruction.response:
        text.append_text(section("Response", instruction.response))
    said = {instruction.instruction, instruction.input, instruction.response, ""}
    columns = {name: str(found) for name, found in store.columns(pool, row).items() if found}
    others = {name: found for name, found in columns.items() if found not in said}
    # A short value stands beside its name, behind one empty line.
    for place, (name, found) in enumerate(
        sorted(others.items(), key=lambda each: is_long(each[1]))
    ):
        if is_long(found):
            text.append_text(section(name, found))
        else:
            text.append("\n\n" if not place else "\n")
            text.append(f"{visible(name[:100])}  ", style="bold").append(visible(found))
    return text


def text_in_run(store: Store, run: str, row: int) -> Text:
    """A row of the pool of a run, or why it cannot be read."""
    try:
        return row_text(store, store.run(run)["pool"], row)
    except LocalselError as error:
        return Text(visible(error))


def is_long(text: str) -> bool:
    return len(text) > 60 or "\n" in text


def section(name: str, value: str) -> Text:
    """A heading, and what stands below it."""
    return Text.assemble("\n\n", (visible(name[:100]), "bold"), f"\n{shortened(value)}")


def shortened(text: str) -> str:
    """Safe lines, as many as can be laid out in no time."""
    rest = len(text) - LONGEST
    shown = visible_lines(text[:LONGEST])
    return shown if rest <= 0 else f"{shown}… ({rest:,} more letters)"


def first_lines(store: Store, pool: str, rows: Sequence[int], longest: int = 200) -> dict[int, str]:
    """The beginnings of rows, for one line of a list each."""
    from localsel.records import Instruction

    found = store.beginnings(pool, sorted(rows), longest)
    asked = (Instruction(each["row"], each["instruction"], each["input"]) for each in found)
    return {each.row: visible(each.text[:longest]) for each in asked}


def shown_with(store: Store, run: Mapping[str, Any], pick: Pick) -> list[tuple[int, float]]:
    """The candidates of the query in which a pick was shown, likeliest first.

    How likely is what the selector gave each at its first choice, in its first order.
    """
    if pick.query is None or pick.cluster is None:
        return []
    answers = store.answers_in(run["run"], run["plan"], pick.cluster)
    found = [answer for _, answer in answers if (answer.query, answer.order) == (pick.query, 0)]
    scored = [
        (row, math.exp(score))
        for answer in found
        for row, score in zip(answer.shown, answer.scores, strict=False)
    ]
    return sorted(scored, key=lambda each: -each[1])


def candidates_text(
    store: Store, pool: str, shown: Sequence[tuple[int, float]], signs: Mapping[int, str]
) -> Text:
    """One line a candidate: sign, bar, share, row and how it begins."""
    text = Text.assemble("\n", ("Shown with it", "bold"), "  ● picked  × banned\n")
    begins = first_lines(store, pool, [row for row, _ in shown])
    for row, share in shown:
        sign = signs.get(row, " ")
        line = f"{sign} {bar(share, BAR)} {share:4.0%} {row:>6}  {begins[row]}"
        text.append(f"{line}\n", style="bold" if sign.strip() else "")
    return text


def alike_text(home: Path, run: Mapping[str, Any], row: int) -> Text:
    """The near-duplicates that a row stands for. Opens the workspace itself: for a thread."""
    from localsel.store import Store

    with closing(Store(home)) as store:
        rows = store.near_duplicates(run["plan"], row)
        text = Text.assemble("\n", ("Near-duplicates of it", "bold"), "\n") if rows else Text()
        begins = first_lines(store, run["pool"], rows[:MOST])
        for each in rows[:MOST]:
            text.append(f"{each:>6}  {begins[each]}\n")
        if len(rows) > MOST:
            text.append(f"… and {len(rows) - MOST:,} more\n")
    return text
