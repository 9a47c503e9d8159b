"""A run's selection → what a person makes of it: looked through pick by pick, changed, undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType

from localsel.errors import LocalselError
from localsel.tui import reviewed, rowtext
from localsel.tui.screens.selection import NO_RUN, SelectionPage
from localsel.tui.widgets.asking import Asking
from localsel.tui.widgets.saying import say_alone

if TYPE_CHECKING:
    from localsel.records import ChangeKind

DRAFT = "Your text is not lost: press t on the row to go on."


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

    async def action_accept(self) -> None:
        await self._mark("accept")

    async def action_accept_on(self) -> None:
        """Where only what is left is shown, the next one comes by itself."""
        if await self._mark("accept") and not self.only_fresh:
            self.table.action_move(1)

    async def action_ban(self) -> None:
        await self._mark("ban")

    async def action_skip(self) -> None:
        await self._mark("skip")

    async def action_undo(self) -> None:
        from localsel.review import undo

        if (run := self.run) is None or self.review is None:
            say_alone(self, NO_RUN)
            return
        try:
            change = await self.desk.change(lambda store: undo(store, run))
        except LocalselError as error:
            say_alone(self, str(error), "warning")
            return
        self.show()
        self.table.go_to(change.row)
        say_alone(self, reviewed.undone(change))

    def action_note(self) -> None:
        if (pick := self.pick) and (run := self.run) and self.review:
            before = self.review.notes.get(pick.row, "")
            asking = Asking(f"Note on row {pick.row}", self._text(pick.row)[:300], before)

            async def noted(text: str | None) -> None:
                if text is not None and text.strip() != before.strip():
                    await self._make(run, "note", pick.row, text=text)

            self.app.push_screen(asking, noted)

    def action_answer(self) -> None:
        from localsel.tui.widgets.writing import Writing

        if (pick := self.pick) and (run := self.run) and self.review:
            before = self.review.answers.get(pick.row, "")
            drafts = self._drafts.setdefault(run["run"], {})
            above = str(rowtext.row_text(self.desk.store, run["pool"], pick.row))
            writing = Writing(f"Answer to row {pick.row}", above, before, drafts, pick.row)

            async def answered(text: str | None) -> None:
                if text is None:
                    return
                same = text.strip() == before.strip()
                if same or await self._make(run, "answer", pick.row, text=text, refused=DRAFT):
                    drafts.pop(pick.row, None)

            self.app.push_screen(writing, answered)

    def action_swap(self) -> None:
        from localsel.tui.screens.swap import SwapScreen

        if (pick := self.pick) and (run := self.run) and self.review:

            async def swapped(row: int | None) -> None:
                if row is not None:
                    await self._make(run, "swap", pick.row, row)

            self.app.push_screen(SwapScreen(self.desk, run, self.review, pick), swapped)

    async def _mark(self, kind: ChangeKind) -> bool:
        """Makes a change of the pick under the cursor; whether it could be made."""
        if (pick := self.pick) is None or self.run is None:
            say_alone(self, "There is no pick under the cursor.")
            return False
        return await self._make(self.run, kind, pick.row)

    async def _make(
        self,
        run: Mapping[str, Any],
        kind: ChangeKind,
        row: int,
        other: int | None = None,
        text: str = "",
        refused: str = "",
    ) -> bool:
        """Whether it could be made; `refused` is said as well if not.

        Another run may be up by the time a dialog has answered: the change is of this one.
        """
        from localsel.review import Change, change

        made = Change(kind, row, other, text)
        try:
            review = await self.desk.change(lambda store: change(store, run, made))
        except LocalselError as error:
            say_alone(self, f"{error} {refused}", "warning")
            return False
        self.show()
        if kind != "accept":
            say_alone(self, reviewed.told(review.changes[-1]))
        return True

    # Choosing blind

    def action_blind(self) -> None:
        from localsel.tui.screens.blind import BlindScreen

        if self.run is None:
            say_alone(self, NO_RUN)
            return
        try:
            self.app.push_screen(BlindScreen(self.desk, self.run))
        except LocalselError as error:
            say_alone(self, str(error), "warning")

    def action_score(self) -> None:
        from localsel.tui.screens.score import Score

        if self.run:
            self.app.push_screen(Score(self.desk, self.run["run"]))
