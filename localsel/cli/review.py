"""`localsel review`: a run and what a person makes of it → the selection as it stands then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from localsel.cli import blind
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError
from localsel.review import Change, Review, change, counts, review_of, undo
from localsel.runs import reasons
from localsel.store import Store
from localsel.summary import reviewed

EPILOG = """\b
Examples:
  localsel review last
  localsel review last --accept 484 --accept 20
  localsel review last --ban 12 --note 12 "Asks for a phone number."
  localsel review last --swap 12 48
  localsel review last --answer 20 "The Rhine." --skip 484
  localsel review last --undo
  localsel review last --blind 20
  localsel review last --choose 7 12 --choose 9 31,40
  localsel review last --score

RUN is an id, the beginning of one, or `last`. Changes are made in this order: accept, ban, swap,
note, answer, skip; all of them or none. `show`, `export` and `import-labels` honour them, `compare`
and `report` show what the selectors chose. A banned pick gives way to the best candidate of its
cluster that was not picked. An empty note or answer is taken back. Choosing blind shows queries
without what selectors chose in them; --score says how far each run on the same plan agrees with
you.
"""


@click.command("review", epilog=EPILOG)
@click.argument("run")
@click.option("--accept", metavar="ROW", type=int, multiple=True, help="A pick that may stay.")
@click.option("--ban", metavar="ROW", type=int, multiple=True, help="Never pick this row.")
@click.option("--swap", metavar="ROW ROW", type=(int, int), multiple=True, help="Pick out, row in.")
@click.option("--note", metavar="ROW TEXT", type=(int, str), multiple=True, help="A remark.")
@click.option("--answer", metavar="ROW TEXT", type=(int, str), multiple=True, help="Its response.")
@click.option("--skip", metavar="ROW", type=int, multiple=True, help="To stay without an answer.")
@click.option("--undo", "back", is_flag=True, help="Take the last change back.")
@click.option(
    "--blind", "sample", metavar="N", type=click.IntRange(1), help="Queries to choose in."
)
@click.option(
    "--choose", metavar="QUERY ROW,…", type=(int, str), multiple=True, help="Your choice."
)
@click.option("--forget", metavar="QUERY", type=int, multiple=True, help="Take a choice back.")
@click.option("--score", is_flag=True, help="How far selectors agree with your choices.")
@workspace_option
@json_option
def command(
    run: str,
    back: bool,
    sample: int | None,
    choose: tuple[tuple[int, str], ...],
    forget: tuple[int, ...],
    score: bool,
    workspace: Path | None,
    as_json: bool,
    **wishes: tuple[Any, ...],
) -> None:
    """Look at what RUN chose, change it, or choose blind and see who agrees."""
    _refuse_both(wishes["accept"], wishes["ban"])
    wanted = list(_changes(wishes))
    _refuse_mixture(bool(wanted), back, bool(sample), bool(choose or forget), score)
    with closing(Store(home(workspace))) as store:
        found = store.run(run)
        if sample:
            blind.show_sample(store, found, sample, as_json)
        elif choose or forget:
            blind.keep(store, found, choose, forget, as_json)
        elif score:
            blind.show_score(store, found, as_json)
        else:
            _review(store, found, wanted, back, as_json)


def _changes(wishes: dict[str, tuple[Any, ...]]) -> Iterator[Change]:
    """In the order in which they are made."""
    yield from (Change("accept", row) for row in wishes["accept"])
    yield from (Change("ban", row) for row in wishes["ban"])
    yield from (Change("swap", row, other) for row, other in wishes["swap"])
    yield from (Change("note", row, text=text) for row, text in wishes["note"])
    yield from (Change("answer", row, text=text) for row, text in wishes["answer"])
    yield from (Change("skip", row) for row in wishes["skip"])


def _refuse_both(accepted: Sequence[int], banned: Sequence[int]) -> None:
    if both := sorted({*accepted} & {*banned}):
        raise UsageError(f"Row {both[0]} is both accepted and banned.", "Give one of the two.")


def _refuse_mixture(*given: bool) -> None:
    if sum(given) > 1:
        raise UsageError(
            "Changes, --undo, --blind, --choose and --score do not go together.",
            "Give one after the other.",
        )


def _review(
    store: Store, run: dict[str, Any], wanted: Sequence[Change], back: bool, as_json: bool
) -> None:
    """The changes with a sentence for each; without any, how the selection stands."""
    if wanted:
        picked = {pick.row for pick in review_of(store, run).picks}
        review = change(store, run, *wanted)
        for each in review.changes[-len(wanted) :]:
            say(_told(each, each.row in picked))
            picked |= {each.other} if each.other is not None else set()
    elif back:
        say(f"Taken back: {_named(undo(store, run))}.")
        review = review_of(store, run)
    else:
        review = review_of(store, run)
    if as_json:
        print_json(_document(store, run, review))
    elif not wanted and not back:
        _print(store, run, review)


def _told(made: Change, was_picked: bool) -> str:
    match made.kind:
        case "accept":
            return f"Accepted row {made.row}."
        case "ban":
            return f"Banned row {made.row}{_substitute(made, was_picked)}"
        case "swap":
            return f"Swapped row {made.row} for row {made.other}."
        case "skip":
            return f"Skipped row {made.row}: it is exported without an answer."
    return f"{'Kept' if made.text else 'Removed'} the {made.kind} on row {made.row}."


def _substitute(made: Change, was_picked: bool) -> str:
    """Who takes the place of a banned row."""
    if made.other is not None:
        return f"; row {made.other} of the same cluster takes its place."
    if not was_picked:
        return ": it takes nobody's place."
    return (
        ", and no candidate of its cluster is left to take its place: the selection is one smaller,"
        f" unless you --undo that and --swap {made.row} ROW."
    )


def _named(made: Change) -> str:
    other = f" for row {made.other}" if made.other is not None else ""
    return f"{made.kind} of row {made.row}{other}"


def _print(store: Store, run: dict[str, Any], review: Review) -> None:
    rows: list[list[object]] = []
    for pick in review.picks:
        text = store.instruction(run["pool"], pick.row).text
        marks = ", ".join(_marks(review, pick.row))
        rows.append([pick.rank, pick.row, pick.cluster, pick.chosen_by, marks, text])
        for sign, said in (("↳", review.notes), ("→", review.answers)):
            if pick.row in said:
                rows.append(["", "", "", "", "", f"{sign} {said[pick.row]}"])
    print_table(["rank", "row", "cluster", "by", "review", "instruction"], rows, one_line=5)
    for row in sorted(review.banned):
        note = f": {review.notes[row]}" if row in review.notes else ""
        say(f"Row {row} is banned{note}.")
    for line in reviewed(counts(review)) or [
        "Nothing is reviewed yet; see `localsel review --help`."
    ]:
        say(line)


def _marks(review: Review, row: int) -> list[str]:
    marks = {"accepted": review.accepted, "answered": review.answers, "skipped": review.skipped}
    return [name for name, rows in marks.items() if row in rows]


def _document(store: Store, run: dict[str, Any], review: Review) -> dict[str, Any]:
    def pick_of(pick: Any) -> dict[str, Any]:
        asked = store.instruction(run["pool"], pick.row)
        return {
            **reasons(pick, run["run"]),
            "instruction": asked.instruction,
            "input": asked.input,
            "accepted": pick.row in review.accepted,
            "skipped": pick.row in review.skipped,
            "note": review.notes.get(pick.row),
            "answer": review.answers.get(pick.row),
        }

    return {
        "run": run["run"],
        "review": counts(review),
        "picks": [pick_of(pick) for pick in review.picks],
        "banned": [{"row": row, "note": review.notes.get(row)} for row in sorted(review.banned)],
        "changes": [asdict(each) for each in review.changes],
    }
