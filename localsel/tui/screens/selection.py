"""A run's selection as it stands → its picks as a table, and everything about the one in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.css.query import NoMatches
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui import reviewed, rowtext
from localsel.tui.listing import name_of
from localsel.tui.messages import Look
from localsel.tui.page import Page
from localsel.tui.subject import Subject
from localsel.tui.widgets.saying import say_alone
from localsel.tui.widgets.sheet import Sheet
from localsel.tui.widgets.table import Column, Lines, Table

if TYPE_CHECKING:
    from localsel.records import Pick
    from localsel.review import Review

COLUMNS = (
    Column("rank", 4, right=True),
    Column("row", 7, right=True),
    Column("cl.", 5, right=True),
    Column("by", 8),
    Column("prob", 4, right=True),
    Column("", 4),
    Column("instruction"),
)
PAUSE = 0.1
"""Seconds that the cursor rests before anything is looked for: a held key asks for nothing."""
NO_RUN = "No finished run yet. Press 1, then n to start one or d for the demo."


class SelectionPage(Page):
    """The picks of the subject's first run, to be read. It changes nothing."""

    CSS_PATH = "review.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "fresh", "only what is not reviewed yet, or all", show=False),
        Binding("J", "step(1)", "next pick", show=False),
        Binding("K", "step(-1)", "previous pick", show=False),
        Binding("c", "cluster", "open its cluster", show=False),
        Binding("r", "next_run", "the next of the runs compared", show=False),
        Binding("escape", "back", "back to the picks", show=False),
    ]

    run: Mapping[str, Any] | None = None
    review: Review | None = None
    only_fresh = False

    def body(self) -> ComposeResult:
        yield Static(id="tally")
        with Container(id="sides"):
            yield Table(COLUMNS, id="picks")
            yield Sheet(id="detail")

    def on_mount(self) -> None:
        self._texts: dict[tuple[str, int], str] = {}
        self._seen: object = None
        self._subject = Subject()

    @property
    def table(self) -> Table:
        return self.query_one("#picks", Table)

    @property
    def sheet(self) -> Sheet:
        return self.query_one("#detail", Sheet)

    # What is shown

    def show(self) -> None:
        try:
            self.run = reviewed.run_to_review(self.desk.store, self.desk.subject.run)
            self._show_run()
        except (LocalselError, ValueError) as error:
            self._show_nothing(str(error))

    def _show_run(self) -> None:
        """Only if anything changed since it was looked at last."""
        from localsel.review import review_of
        from localsel.store import ENDED

        store, run = self.desk.store, self.run
        if run is None:
            self._show_nothing(NO_RUN)
        elif (state := store.state(run)) not in ENDED:
            self._show_nothing(f"Run {run['run']} is {state}: it has no selection to review yet.")
        elif (seen := (run["run"], store.changes(run["run"]))) != self._seen:
            self.review = review_of(store, run)
            self._seen = seen
            self._draw()
        self._turn_to_row()

    def _show_nothing(self, says: str) -> None:
        self.review, self._seen = None, None
        self.query_one("#tally", Static).update()
        self.table.empty = says
        self.table.show(Lines(()))
        self.sheet.tell(None, Text())

    def _turn_to_row(self) -> None:
        """To the row that another screen looks at, once."""
        if self.desk.subject != self._subject:
            self._subject = self.desk.subject
            self.table.go_to(self._subject.row)

    def _draw(self) -> None:
        assert self.review and self.run
        fresh = [each for each in self.review.picks if self._is_wanted(each)]
        self.table.empty = "Every pick was reviewed. Press f to see all of them."
        self.table.show(Lines(reviewed.lines(self.review, fresh, self._text)))
        self.query_one("#tally", Static).update(self._tally(self.review, self.run))
        self._read()

    def _is_wanted(self, pick: Pick) -> bool:
        assert self.review
        return not self.only_fresh or reviewed.is_untouched(self.review, pick)

    def _tally(self, review: Review, run: Mapping[str, Any]) -> Text:
        name = visible(name_of(run), 30)
        says = reviewed.tally(review)
        if self.only_fresh:
            says = f"not reviewed yet: {len(self.table.source)} of {len(review.picks)} (f: all)"
        text = Text.assemble((f"{name} {run['run']}", "bold"), f" · {says}")
        legend = Text(reviewed.LEGEND, "dim")
        room = self.size.width - 2 - text.cell_len - legend.cell_len
        return text if room < 2 else Text.assemble(text, " " * room, legend)

    def _text(self, row: int) -> str:
        assert self.run
        key = (self.run["pool"], row)
        if key not in self._texts:
            found = self.desk.store.instruction(*key).text
            self._texts[key] = found[: reviewed.LONGEST]
        return self._texts[key]

    def on_resize(self) -> None:
        if self.review and self.run:
            self.query_one("#tally", Static).update(self._tally(self.review, self.run))

    # The pick under the cursor

    @property
    def pick(self) -> Pick | None:
        picks = self.review.picks if self.review else ()
        return next((each for each in picks if each.row == self.table.key), None)

    def on_table_highlighted(self) -> None:
        self._read()

    def _read(self) -> None:
        """Everything about the pick; what takes long to find follows."""
        pick, run, review = self.pick, self.run, self.review
        if pick is None or run is None or review is None:
            self.sheet.tell(None, Text())
            return
        store = self.desk.store
        text = reviewed.heading(review, pick)
        text.append_text(rowtext.row_text(store, run["pool"], pick.row))
        if answer := review.answers.get(pick.row):
            text.append_text(rowtext.section("Your answer", answer))
        shown = rowtext.shown_with(store, run, pick)
        signs = reviewed.candidate_signs(review)
        lines = rowtext.candidates_text(store, run["pool"], shown, signs) if shown else None
        self.sheet.tell((run["run"], pick.row), text, lines)
        if run["plan"]:
            self.later(partial(self._find_alike, run, pick.row), "alike")

    async def _find_alike(self, run: Mapping[str, Any], row: int) -> None:
        """In a thread: a plan may have a million rows."""
        await asyncio.sleep(PAUSE)
        found = await asyncio.to_thread(rowtext.alike_text, self.desk.home, run, row)
        # Where the program ends meanwhile there is no sheet.
        with suppress(NoMatches):
            if self.sheet.about == (run["run"], row):
                self.sheet.follow(found)

    def on_table_chosen(self) -> None:
        """Reads it in the whole room there is."""
        self.add_class("-reading")
        self.sheet.focus()

    def action_back(self) -> None:
        self.remove_class("-reading")
        self.table.focus()

    def action_step(self, by: int) -> None:
        self.table.action_move(by)

    def action_fresh(self) -> None:
        self.only_fresh = not self.only_fresh
        if self.review:
            self._draw()

    def action_cluster(self) -> None:
        if (pick := self.pick) and self.run and pick.cluster is not None:
            named = self.desk.subject.runs or (self.run["run"],)
            place = replace(self.desk.subject, runs=named, cluster=pick.cluster, row=pick.row)
            self.post_message(Look(replace(place, query=pick.query), page="clusters"))
        elif pick:
            say_alone(self, "This pick belongs to no cluster.")

    def action_next_run(self) -> None:
        runs = self.desk.subject.runs
        if len(runs) > 1:
            self.post_message(Look(replace(self.desk.subject, runs=(*runs[1:], runs[0]))))
        else:
            say_alone(self, "No other run is looked at. Mark some on screen 1, and press c there.")
