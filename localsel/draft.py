"""Picks and changes of them, one after the other → the selection as it stands then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from localsel.records import Change, Pick
from localsel.store.reviews import Place


@dataclass(frozen=True, slots=True)
class Review:
    """The selection of a run after all changes.

    Attributes:
        picks: best first; what a person put in has the rank of what it replaced.
        accepted: picks that were looked at and kept; `banned`: rows that are not to be picked.
        notes, answers: texts by row; `skipped`: picks that are to stay without an answer.
        changes: all that led here, the oldest first.
    """

    picks: tuple[Pick, ...]
    accepted: frozenset[int]
    banned: frozenset[int]
    notes: Mapping[int, str]
    answers: Mapping[int, str]
    skipped: frozenset[int]
    changes: tuple[Change, ...]


class Draft:
    """A selection on which one change after the other is made. It trusts nobody: a run may have
    been carried here from elsewhere.
    """

    def __init__(self, picks: Sequence[Pick], place_of: Callable[[int], Place]) -> None:
        self.place_of = place_of
        self.picks = {pick.row: pick for pick in picks}
        self.accepted, self.banned = set[int](), set[int]()
        self.skipped = set[int]()
        self.notes: dict[int, str] = {}
        self.answers: dict[int, str] = {}
        self.changes: list[Change] = []

    def review(self) -> Review:
        return Review(
            picks=tuple(sorted(self.picks.values(), key=lambda pick: pick.rank)),
            accepted=frozenset(self.accepted),
            banned=frozenset(self.banned),
            notes=dict(self.notes),
            answers=dict(self.answers),
            skipped=frozenset(self.skipped),
            changes=tuple(self.changes),
        )

    def make(self, change: Change) -> Change:
        if not isinstance(change.row, int) or not isinstance(change.text, str):
            raise ValueError("a change says nothing of which row")
        makers = {"accept": self._accept, "ban": self._ban, "swap": self._swap}
        makers |= {"note": self._note, "answer": self._answer, "skip": self._skip}
        if change.kind not in makers:
            raise ValueError("a change is of no known kind")
        if change.kind not in ("ban", "note") and change.row not in self.picks:
            raise ValueError(f"a change is about row {change.row}, which is no pick")
        makers[change.kind](change)
        self.changes.append(change)
        return change

    def _accept(self, change: Change) -> None:
        self.accepted.add(change.row)

    def _ban(self, change: Change) -> None:
        self.banned.add(change.row)
        if out := self._take_out(change.row):
            self._put_in(change.other, out, out.cluster)

    def _swap(self, change: Change) -> None:
        out = self._take_out(change.row)
        if out is None or change.other is None:
            raise ValueError("a swap names one row")
        self._put_in(change.other, out, self.place_of(change.other).cluster)

    def _note(self, change: Change) -> None:
        _set(self.notes, change)

    def _answer(self, change: Change) -> None:
        self.skipped.discard(change.row)
        _set(self.answers, change)

    def _skip(self, change: Change) -> None:
        self.answers.pop(change.row, None)
        self.skipped.add(change.row)

    def _take_out(self, row: int) -> Pick | None:
        """A note stays: it may say why the row went."""
        self.accepted.discard(row)
        self.skipped.discard(row)
        self.answers.pop(row, None)
        return self.picks.pop(row, None)

    def _put_in(self, row: int | None, out: Pick, cluster: int | None) -> None:
        """In the place of `out`. No probability: nobody chose it with one."""
        if row is None:
            return
        if row in self.picks or row in self.banned:
            raise ValueError(f"row {row} cannot take the place of another")
        place = self.place_of(row)
        self.picks[row] = Pick(
            row,
            "human",
            cluster=cluster,
            query=place.query,
            turn=out.turn,
            label=place.label,
            position=place.label,
            rank=out.rank,
        )


def _set(texts: dict[int, str], change: Change) -> None:
    if change.text:
        texts[change.row] = change.text
    else:
        texts.pop(change.row, None)
