"""A run and the changes that a person makes → the selection as it stands then.

Only the changes are kept. The selection follows from them, so that taking one back leaves nothing
of it behind.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from localsel.draft import Draft, Review
from localsel.errors import UsageError
from localsel.records import Answer, Change, ChangeKind
from localsel.store import ENDED, LARGEST, Store

__all__ = ["Change", "ChangeKind", "Review", "change", "counts", "review_of", "undo"]

NO_PICK = "Row {row} is no pick of run {run}."
# No answer needs them, and a terminal obeys them; the last of them are no text at all.
CONTROLS = dict.fromkeys(
    [*(set(range(0x20)) - {0x09, 0x0A}), *range(0x7F, 0xA0), *range(0xD800, 0xE000)]
)


def review_of(store: Store, run: Mapping[str, Any]) -> Review:
    """How the selection of a run stands.

    Raises:
        ValueError: a change cannot have been made to this run.
    """
    return _draft(store, run).review()


def change(store: Store, run: Mapping[str, Any], *changes: Change) -> Review:
    """Makes these changes one after the other, all of them or none; how the selection stands then.

    A ban finds out who takes the place of a pick: `other` in the last of the review's `changes`.

    Raises:
        UsageError: one of them cannot be made, the run has not ended, or somebody works on it.
    """
    with _held(store, run) as now:
        draft = _draft(store, now)
        made = [draft.make(_Wish(store, now, draft).granted(each)) for each in changes]
        store.add_changes(now["run"], made)
    return draft.review()


def undo(store: Store, run: Mapping[str, Any]) -> Change:
    """Takes the last change back, and says which it was.

    Raises:
        UsageError: there is none, the run has not ended, or somebody works on it.
    """
    with _held(store, run):
        changes = store.changes(run["run"])
        if not changes:
            raise UsageError(f"Nothing was changed in run {run['run']}: there is nothing to undo.")
        store.remove_last_change(run["run"])
    return changes[-1]


def counts(review: Review) -> dict[str, int]:
    """How much of a selection was reviewed, in numbers."""
    return {
        "accepted": len(review.accepted),
        "banned": len(review.banned),
        "swapped": sum(each.kind == "swap" for each in review.changes),
        "notes": len(review.notes),
        "answers": len(review.answers),
        "skipped": len(review.skipped),
        "changes": len(review.changes),
    }


@contextmanager
def _held(store: Store, run: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The run as it stands; nobody else changes it meanwhile."""
    _refuse_unended(run, store.state(run))
    with store.lock(run["run"]):
        now = store.run(run["run"])
        _refuse_unended(now, now["state"])
        yield now


def _refuse_unended(run: Mapping[str, Any], state: str) -> None:
    if state not in ENDED:
        raise UsageError(f"Run {run['run']} is {state}.", "Only finished runs can be reviewed.")


def _draft(store: Store, run: Mapping[str, Any]) -> Draft:
    changes = store.changes(run["run"])
    entering = {each.other for each in changes if each.other is not None}
    places = store.places(run["run"], run["plan"], entering) if entering else {}
    draft = Draft(store.picks(run["run"]), lambda row: places[row])
    for each in changes:
        draft.make(each)
    draft.place_of = lambda row: store.places(run["run"], run["plan"], [row])[row]
    return draft


class _Wish:
    """Looks at a change that somebody wants, and completes it."""

    def __init__(self, store: Store, run: Mapping[str, Any], draft: Draft) -> None:
        self.store, self.run, self.draft = store, run, draft

    def granted(self, wish: Change) -> Change:
        """The change as it will be kept.

        Raises:
            UsageError: it cannot be made.
        """
        row, other = self._row(wish.row), None
        if wish.kind == "ban":
            other = self._substitute(row)
        elif wish.kind == "note":
            self._refuse_if(row not in {*self.draft.picks, *self.draft.banned}, NO_PICK, row)
        else:
            self._refuse_if(row not in self.draft.picks, NO_PICK, row)
        if wish.kind == "swap":
            other = self._newcomer(wish.other)
        done = self._done(wish.kind, row, text := _clean(wish.text))
        self._refuse_if(bool(done), done, row)
        return Change(wish.kind, row, other, text, wish.at or time.time())

    def _refuse_if(self, is_so: bool, sentence: str, row: int) -> None:
        if is_so:
            name = self.run["run"]
            raise UsageError(sentence.format(row=row, run=name), f"See `localsel review {name}`.")

    def _done(self, kind: ChangeKind, row: int, text: str) -> str:
        """A complaint if the change would change nothing."""
        draft = self.draft
        nothing = {
            "accept": (row in draft.accepted, "Row {row} is accepted already."),
            "ban": (row in draft.banned, "Row {row} is banned already."),
            "skip": (row in draft.skipped, "Row {row} is skipped already."),
            "note": (not text and row not in draft.notes, "Row {row} has no note to remove."),
            "answer": (
                not text and row not in {*draft.answers, *draft.skipped},
                "Row {row} has no answer to remove.",
            ),
        }
        is_so, sentence = nothing.get(kind, (False, ""))
        return sentence if is_so else ""

    def _row(self, row: int | None) -> int:
        """The row that stands for it: of exact duplicates the first."""
        return distinct_row(self.store, self.run, row)

    def _newcomer(self, row: int | None) -> int:
        found = self._row(row)
        self._refuse_if(found in self.draft.picks, "Row {row} is picked already.", found)
        self._refuse_if(found in self.draft.banned, "Row {row} is banned.", found)
        return found

    def _substitute(self, row: int) -> int | None:
        """Who takes the place of a banned pick: the best of its cluster that nobody has refused."""
        pick = self.draft.picks.get(row)
        if pick is None or pick.cluster is None:
            return None
        swapped = {each.row for each in self.draft.changes if each.kind == "swap"}
        refused = {*self.draft.picks, *self.draft.banned, *swapped}
        answers = self.store.answers_in(self.run["run"], self.run["plan"], pick.cluster)
        return best(answers, refused)


def distinct_row(store: Store, run: Mapping[str, Any], row: int | None) -> int:
    """The row itself, or the first of its exact duplicates.

    Raises:
        UsageError: there is no such row.
    """
    found = None
    if row is not None and 0 <= row < LARGEST:
        found = store.distinct_row(run["pool"], row)
    if found is None:
        raise UsageError(
            f"There is no row {row} in the data of run {run['run']}.", "Rows count from 0."
        )
    return found


def best(answers: Sequence[tuple[int, Answer]], refused: Collection[int]) -> int | None:
    """The first of `ranked` that nobody refused."""
    return next((row for row in ranked(answers) if row not in refused), None)


def ranked(answers: Sequence[tuple[int, Answer]]) -> list[int]:
    """What came furthest first, then the likeliest where it came to, then the first of the file.

    `answers` come with the round of their query. How likely is the mean log-probability over the
    orders that were answered.
    """
    furthest: dict[int, int] = {}
    for round_number, answer in answers:
        for row in answer.shown:
            furthest[row] = max(round_number, furthest.get(row, 0))
    scores: dict[int, list[float]] = {row: [] for row in furthest}
    for round_number, answer in answers:
        for row, score in zip(answer.shown, answer.scores, strict=False):
            if furthest[row] == round_number:
                scores[row].append(score)
    means = {row: sum(each) / len(each) if each else -float("inf") for row, each in scores.items()}
    return sorted(furthest, key=lambda row: (-furthest[row], -means[row], row))


def _clean(text: str) -> str:
    """As it comes back from any tool: one kind of line break, nothing blank around it."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return plain.translate(CONTROLS).strip()
