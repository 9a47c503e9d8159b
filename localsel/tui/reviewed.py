"""The reviewed selection of a run → lines of a table, and what there is to say in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from localsel.printable import visible_lines
from localsel.tui.widgets.table import Line
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.records import Change, Pick
    from localsel.review import Review
    from localsel.store import Store

SIGNS = {"accepted": "✓", "note": "✎", "answered": "≡", "skipped": "–"}
LEGEND = "  ".join(f"{sign} {word}" for word, sign in SIGNS.items())
BY = {
    "model": "the model",
    "vote": "a vote of its orders",
    "forced": "nobody: all candidates were taken",
    "fallback": "chance: the model gave no answer",
    "human": "hand",
    "method": "the method",
}
LONGEST = 2000
"""Letters of a row that a table holds, and that its filter looks through."""


def run_to_review(store: Store, named: str) -> Mapping[str, Any] | None:
    """The run of that name; of none the newest that has a selector's picks, or any picks.

    Raises:
        UsageError: it is not there any more.
    """
    from localsel.store import ENDED

    if named:
        return store.run(named)
    ended = [run for run in store.runs() if run["state"] in ENDED]
    return next((run for run in ended if run["facts"].get("selector")), next(iter(ended), None))


def state_of(review: Review, pick: Pick) -> tuple[str, ...]:
    """What was done about a pick, in the words of `SIGNS`."""
    so = {
        "accepted": pick.row in review.accepted,
        "note": pick.row in review.notes,
        "answered": pick.row in review.answers,
        "skipped": pick.row in review.skipped,
    }
    return tuple(word for word, is_so in so.items() if is_so)


def is_untouched(review: Review, pick: Pick) -> bool:
    """Whether nobody has looked at it yet, as far as is known."""
    return pick.chosen_by != "human" and not state_of(review, pick)


def candidate_signs(review: Review) -> dict[int, str]:
    """What became of the rows that were shown together."""
    return dict.fromkeys(review.banned, "×") | {each.row: "●" for each in review.picks}


def heading(review: Review, pick: Pick) -> Text:
    """Where a pick comes from, and what was done about it."""
    said = [f"rank {pick.rank}", f"chosen by {BY.get(pick.chosen_by, pick.chosen_by)}"]
    said += [] if pick.probability is None else [share(pick.probability)]
    said += [] if pick.cluster is None else [f"cluster {pick.cluster}"]
    said += [] if pick.query is None else [f"query {pick.query}"]
    said += [] if pick.label is None else [f"label {pick.label}"]
    text = Text.assemble((f"Row {pick.row}", "bold"), f" · {' · '.join(said)}\n")
    for word in state_of(review, pick):
        note = f": {visible_lines(review.notes[pick.row])}" if word == "note" else ""
        text.append(f"{SIGNS[word]} {word}{note}\n", style="bold")
    return text.append("\n")


def lines(review: Review, picks: Sequence[Pick], text_of: Callable[[int], str]) -> list[Line]:
    """One line a pick: rank, row, cluster, who chose it, how likely, signs, text."""
    return [
        Line(
            pick.row,
            (
                str(pick.rank),
                str(pick.row),
                "" if pick.cluster is None else str(pick.cluster),
                pick.chosen_by,
                share(pick.probability),
                "".join(SIGNS[word] for word in state_of(review, pick)),
                text_of(pick.row),
            ),
            "good" if pick.row in review.accepted else "",
        )
        for pick in picks
    ]


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def tally(review: Review) -> str:
    """`40 picks: 12 accepted, 1 banned, 3 answered`."""
    from localsel.review import counts

    found = counts(review)
    words = {
        "accepted": "accepted",
        "banned": "banned",
        "swapped": "swapped",
        "notes": "noted",
        "answers": "answered",
        "skipped": "skipped",
    }
    said = [f"{found[name]} {word}" for name, word in words.items() if found[name]]
    return f"{counted(len(review.picks), 'pick')}: {', '.join(said) or 'nothing reviewed yet'}"


def told(change: Change) -> str:
    """What a change did, in a sentence."""
    row, other = change.row, change.other
    if change.kind == "ban":
        follows = (
            f"Row {other} of the same cluster takes its place."
            if other is not None
            else "The selection is one smaller."
        )
        return f"Row {row} is banned. {follows}"
    return {
        "accept": f"Row {row} is accepted.",
        "swap": f"Row {other} takes the place of row {row}.",
        "note": f"The note on row {row} is {_kept(change)}.",
        "answer": f"The answer to row {row} is {_kept(change)}.",
        "skip": f"Row {row} stays without an answer.",
    }[change.kind]


def _kept(change: Change) -> str:
    return "kept" if change.text else "removed"


def undone(change: Change) -> str:
    """What was taken back, in a sentence."""
    row, other = change.row, change.other
    back = "" if other is None else f" Row {other} is out, row {row} is back."
    return {
        "accept": f"Undone: row {row} is not accepted any more.",
        "ban": f"Undone: row {row} is not banned any more.{back}",
        "swap": f"Undone: the swap.{back}",
        "note": f"Undone: the note on row {row} is as before.",
        "answer": f"Undone: the answer to row {row} is as before.",
        "skip": f"Undone: row {row} is not skipped any more.",
    }[change.kind]
