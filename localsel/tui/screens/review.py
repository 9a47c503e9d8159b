"""A run's selection → what a person makes of it: looked through pick by pick, changed, undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from localsel.errors import LocalselError
from localsel.tui import reviewed, rowtext
from localsel.tui.screens.selection import NO_RUN, SelectionPage
from localsel.tui.widgets.asking import Asking

if TYPE_CHECKING:
    from localsel.records import ChangeKind


class ReviewPage(SelectionPage):
    """What was picked, and what you make of it."""

    NAME = "review"
    ABOUT = (
        "The selection of a run, to be looked through before it is exported. Every change is kept"
        f" at once, and u takes the last one back. Signs: {reviewed.LEGEND}."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "accept", "accept"),
        Binding("A", "accept_on", "accept, and on to the next", show=False),
        Binding("b", "ban", "ban"),
        Binding("x", "swap", "swap"),
        Binding("t", "answer", "answer"),
        Binding("u", "undo", "undo"),
        Binding("i", "skip", "leave it without an answer", show=False),
        Binding("m", "note", "write a note", show=False),
        Binding("B", "blind", "choose blind", show=False),
        Binding("S", "score", "who agrees with your blind choices", show=False),
    ]

    def on_mount(self) -> None:
        self._drafts: dict[str, dict[int, str]] = {}

    @property
    def unsaved(self) -> str:
        return "an answer that was begun" if any(self._drafts.values()) else ""

    # Changes

    def action_accept(self) -> None:
        self._make("accept")

    def action_accept_on(self) -> None:
        """Where only what is left is shown, the next one comes by itself."""
        if self._make("accept") and not self.only_fresh:
            self.table.action_move(1)

    def action_ban(self) -> None:
        self._make("ban")

    def action_skip(self) -> None:
        self._make("skip")

    def action_undo(self) -> None:
        from localsel.review import undo

        if self.run is None or self.review is None:
            self._say(NO_RUN)
            return
        try:
            change = undo(self.desk.store, self.run)
        except LocalselError as error:
            self._say(str(error), "warning")
            return
        self.show()
        self.table.go_to(change.row)
        self._say(reviewed.undone(change))

    def action_note(self) -> None:
        if (pick := self.pick) and self.review:
            before = self.review.notes.get(pick.row, "")
            asking = Asking(f"Note on row {pick.row}", self._text(pick.row)[:300], before)
            self.app.push_screen(asking, lambda text: self._write("note", pick.row, before, text))

    def action_answer(self) -> None:
        from localsel.tui.widgets.writing import Writing

        if (pick := self.pick) and self.review and self.run:
            before = self.review.answers.get(pick.row, "")
            drafts = self._drafts.setdefault(self.run["run"], {})
            above = str(rowtext.row_text(self.desk.store, self.run["pool"], pick.row))
            writing = Writing(f"Answer to row {pick.row}", above, before, drafts, pick.row)
            self.app.push_screen(
                writing, lambda text: self._write("answer", pick.row, before, text)
            )

    def _write(self, kind: ChangeKind, row: int, before: str, text: str | None) -> None:
        if text is not None and text.strip() != before.strip():
            self._make(kind, row, text=text)

    def action_swap(self) -> None:
        from localsel.tui.screens.swap import SwapScreen

        if (pick := self.pick) and self.run and self.review:
            swap = SwapScreen(self.desk, self.run, self.review, pick)
            self.app.push_screen(swap, lambda row: self._swap(pick.row, row))

    def _swap(self, row: int, other: int | None) -> None:
        if other is not None:
            self._make("swap", row, other)

    def _make(
        self, kind: ChangeKind, row: int | None = None, other: int | None = None, text: str = ""
    ) -> bool:
        """Makes a change of the pick under the cursor, or of this row; whether it could be made."""
        from localsel.review import Change, change

        row = self.pick.row if row is None and self.pick else row
        if row is None or self.run is None:
            self._say("There is no pick under the cursor.")
            return False
        try:
            review = change(self.desk.store, self.run, Change(kind, row, other, text))
        except LocalselError as error:
            self._say(str(error), "warning")
            return False
        self.show()
        if kind != "accept":
            self._say(reviewed.told(review.changes[-1]))
        return True

    # Choosing blind

    def action_blind(self) -> None:
        from localsel.tui.screens.blind import BlindScreen

        if self.run is None:
            self._say(NO_RUN)
            return
        try:
            self.app.push_screen(BlindScreen(self.desk, self.run))
        except LocalselError as error:
            self._say(str(error), "warning")

    def action_score(self) -> None:
        from localsel.tui.screens.score import Score

        if self.run:
            self.app.push_screen(Score(self.desk, self.run["run"]))
