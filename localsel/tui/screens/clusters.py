"""Runs on one plan → its clusters as a list, and inside one every candidate with its bars."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.tui import clustered, rowtext
from localsel.tui.inquiry import Overview, read_cluster, read_clusters
from localsel.tui.messages import Look
from localsel.tui.page import Page
from localsel.tui.sides import Side, Stamp, legend, sides_of, stamp
from localsel.tui.subject import Subject
from localsel.tui.widgets.cluster import ClusterPane
from localsel.tui.widgets.table import Lines, Table

NO_RUN = "No run to show. Press 1 and choose one; or n there, to start one."
SETTLED = 0.06
"""Seconds that the cursor has to stay before a cluster is read."""


class ClustersPage(Page):
    """Clusters, and one of them with all its candidates."""

    NAME = "clusters"
    ABOUT = (
        "Every cluster of the plan; enter opens one. There ● is a pick, ▸ goes on to the next"
        " round, a bar is how likely the row was as first choice in the first order, +2 stands for"
        " two near-duplicates. Entropy: 0 sure, 1 indifferent. ≠: the runs picked differently."
    )
    CSS_PATH = "clusters.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (118, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "sort"),
        Binding("D", "disputed", "only ≠"),
        Binding("v", "nearby", "near rows"),
        Binding("p", "prompt", "prompt"),
        Binding("S", "reverse", "sort the other way", show=False),
        Binding("f", "faulty", "only clusters with faults, or all", show=False),
        Binding("o", "unfold", "near-duplicates below their row", show=False),
        Binding("J", "step(1)", "next cluster", show=False),
        Binding("K", "step(-1)", "previous cluster", show=False),
        Binding("escape", "back", "back", show=False),
    ]

    sides: tuple[Side, ...] = ()
    overview: Overview | None = None
    sort, reverse = clustered.SORTS[0], False
    only_faulty = only_disputed = False
    _seen: Stamp | None = None
    _reading = _missed = False
    _subject = Subject()
    _row: int | None = None

    def body(self) -> ComposeResult:
        yield Static(id="legend")
        with Container(id="sides"):
            yield Table([], id="list")
            yield ClusterPane(self._text, id="inside")

    @property
    def table(self) -> Table:
        return self.query_one("#list", Table)

    @property
    def pane(self) -> ClusterPane:
        return self.query_one("#inside", ClusterPane)

    @property
    def is_wide(self) -> bool:
        return self.size.width >= 118

    @property
    def is_inside(self) -> bool:
        return self.has_class("-inside")

    # What is shown

    def show(self) -> None:
        """Reads the clusters again if anything changed, and turns to what others look at."""
        store, subject = self.desk.store, self.desk.subject
        sides = sides_of(store, subject.runs)
        seen = stamp(store, sides)
        if sides != self.sides:
            self.sides, self.overview = sides, None
            self.pane.clear()
            self._go_in(False)
        if not sides:
            self._say(NO_RUN)
        elif self._reading:
            self._missed = True
        elif seen != self._seen:
            self._seen, self._reading = seen, True
            if self.overview is None:
                self._say("Reading the clusters …")
            self.later(self._read, "clusters")
        elif self.overview:
            self._turn()

    def _say(self, text: str) -> None:
        self.overview, self._seen = None, None
        self.table.empty = text
        self.table.show(Lines(()))
        self.pane.clear()
        self.query_one("#legend", Static).update()

    async def _read(self) -> None:
        sides = self.sides
        try:
            overview = await asyncio.to_thread(read_clusters, self.desk.home, sides)
            if sides == self.sides:
                self.overview = overview
                self._list()
                self._turn()
                self._open()
        except LocalselError as error:
            self._say(str(error))
        finally:
            self._reading = False
        if self._missed:
            self._missed = False
            self.look_again()

    def _turn(self) -> None:
        """To the cluster and the row that another screen looks at, once."""
        if self.desk.subject == self._subject:
            return
        self._subject = subject = self.desk.subject
        if subject.cluster is not None:
            self._row = subject.row
            self._enter(subject.cluster)

    def on_screen_suspend(self) -> None:
        """The other screens turn to what was looked at here."""
        if self.is_inside and self.sides:
            self._subject = self._here()
            self.post_message(Look(self._subject))

    def _here(self) -> Subject:
        query, row = self.pane.place
        return replace(self.desk.subject, cluster=self._number(), query=query, row=row)

    # The list

    def _list(self) -> None:
        if self.overview is None:
            return
        rows = clustered.narrowed(self.overview.rows, self.only_faulty, self.only_disputed)
        rows = clustered.arranged(rows, self.sort, self.reverse)
        self.table.empty = "No such cluster. Press f or D again to see all."
        lines = clustered.cluster_lines(rows, self.overview.heads, self.is_wide)
        columns = clustered.columns(self.sort, self.reverse, self.is_wide)
        self.table.show(Lines(lines), columns)
        self._tell()

    def _tell(self) -> None:
        assert self.overview
        text = legend(self.sides, self.pane.styles_of_sides)
        text.append(f" · {clustered.counted(self.overview.rows, len(self.sides) > 1)}")
        only = ["with faults"] * self.only_faulty + ["picked differently"] * self.only_disputed
        text.append(f" · only {', '.join(only)}: {len(self.table.source)}" if only else "", "bold")
        self.query_one("#legend", Static).update(text)

    def on_resize(self) -> None:
        self._list()
        self._open()
        self.refresh_bindings()

    @on(Table.Highlighted, "#list")
    def _moved(self) -> None:
        self._open()

    @on(Table.Chosen, "#list")
    def _chosen(self, event: Table.Chosen) -> None:
        assert isinstance(event.key, int)
        self._enter(event.key)

    # Inside one

    def _number(self) -> int | None:
        key = self.table.key
        return key if isinstance(key, int) else None

    def _enter(self, number: int) -> None:
        self.only_faulty = self.only_disputed = False
        self.table.narrow("")
        self._list()
        self.table.go_to(number)
        self._go_in(True)
        self._open()
        self.call_after_refresh(self.pane.table.focus)

    def _go_in(self, is_inside: bool) -> None:
        self.set_class(is_inside, "-inside")
        self.refresh_bindings()

    def _open(self) -> None:
        """Reads the cluster under the cursor, if it can be seen."""
        number = self._number()
        if number is not None and self.overview and (self.is_inside or self.is_wide):
            self.later(partial(self._read_inside, number), "inside")

    async def _read_inside(self, number: int) -> None:
        sides = self.sides
        if self.pane.cluster != number:
            await asyncio.sleep(SETTLED)
        try:
            found = await asyncio.to_thread(read_cluster, self.desk.home, sides, number)
        except LocalselError as error:
            self._say(str(error))
            return
        if sides == self.sides and number == self._number():
            self.pane.fill(found, sides, self._row)
            self._row = None

    def _text(self, row: int) -> Text:
        return rowtext.text_in_run(self.desk.store, self.sides[0].run, row)

    # What can be done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done about a row is done where rows can be seen."""
        if action in ("nearby", "prompt"):
            return self.is_inside or self.is_wide
        return super().check_action(action, parameters)

    def action_sort(self) -> None:
        if self.pane.table.has_focus:
            self.pane.sort()
            return
        names = [*clustered.SORTS]
        self.sort = names[(names.index(self.sort) + 1) % len(names)]
        # Of what is worth a look there is much.
        self.reverse = self.sort in ("rows", "radius", "picks", "entropy", "faults")
        self._list()

    def action_reverse(self) -> None:
        self.reverse = not self.reverse
        self._list()

    def action_faulty(self) -> None:
        self.only_faulty = not self.only_faulty
        self._list()

    def action_disputed(self) -> None:
        if len(self.sides) < 2:
            self.notify("One run cannot disagree. Mark two on screen 1, and press c there.")
            return
        self.only_disputed = not self.only_disputed
        self._list()

    def action_unfold(self) -> None:
        self.pane.unfold()

    def action_step(self, by: int) -> None:
        self.table.action_move(by)

    def action_back(self) -> None:
        """From the text to the candidates, from them to the list."""
        if not self.pane.back():
            self._go_in(False)
            self.table.focus()

    def action_nearby(self) -> None:
        from localsel.tui.screens.nearby import Nearby

        _, row = self.pane.place
        if row is None:
            self.notify("Put the cursor on a row of the cluster.")
            return
        self.app.push_screen(Nearby(self.desk, self.sides[0].run, row), self._go_to)

    def _go_to(self, found: tuple[int, int | None] | None) -> None:
        if found is None:
            return
        row, cluster = found
        if cluster is None:
            self.notify(f"Row {row} is in no cluster.")
        else:
            self._row = row
            self._enter(cluster)

    def action_prompt(self) -> None:
        query, _ = self.pane.place
        if query is None:
            self.notify("Put the cursor on a candidate of the cluster.")
            return
        self.post_message(Look(self._here(), "prompt"))
