"""Runs on one plan → who picked what, query by query, and the figures of their comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from localsel.printable import visible
from localsel.tui import picked, rowtext
from localsel.tui.compared import VIEWS
from localsel.tui.messages import Look
from localsel.tui.page import Page
from localsel.tui.picked import ALL, Choice, Choices
from localsel.tui.sides import Side, Stamp, legend, sides_of, stamp, widths
from localsel.tui.subject import Subject
from localsel.tui.widgets.comparison import Comparison
from localsel.tui.widgets.sheet import Sheet
from localsel.tui.widgets.sided import SidedTable
from localsel.tui.widgets.table import Lines, Table
from localsel.tui.widgets.views import Views

PICKS = "Picks"
NO_RUN = "No run to show. Press 1 and choose one; or n there, to start one."
ALONE = (
    "One run alone. To get a second, press 1: mark two runs with space and press c there, or press"
    " n there and name two models."
)


class ComparePage(Page):
    """Selectors side by side."""

    NAME = "compare"
    ABOUT = (
        "Every row that a selector picked, and how likely each found it as first choice. ● is a"
        " pick, ≠ a query in which they picked differently. [ and ] turn to the figures."
    )
    CSS_PATH = "compare.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "only", "only A, B …"),
        Binding("d", "dispute(1)", "next ≠"),
        Binding("c", "cluster", "cluster"),
        Binding("right_square_bracket", "turn(1)", "next view", key_display="]"),
        Binding("left_square_bracket", "turn(-1)", "previous view", key_display="[", show=False),
        Binding("D", "dispute(-1)", "previous ≠", show=False),
        Binding("J", "query(1)", "next query", show=False),
        Binding("K", "query(-1)", "previous query", show=False),
        Binding("p", "prompt", "prompt of the query", show=False),
        Binding("escape", "back", "back", show=False),
    ]

    sides: tuple[Side, ...] = ()
    choices: Choices | None = None
    only = ALL
    _seen: Stamp | None = None
    _subject = Subject()

    def body(self) -> ComposeResult:
        yield Views([PICKS, *VIEWS])
        yield Static(id="legend")
        with Container(id="picked"):
            yield SidedTable([], id="choices")
            yield Sheet(id="sheet")
        yield Comparison(self.desk, id="figures")

    @property
    def table(self) -> SidedTable:
        return self.query_one("#choices", SidedTable)

    @property
    def sheet(self) -> Sheet:
        return self.query_one("#sheet", Sheet)

    @property
    def views(self) -> Views:
        return self.query_one(Views)

    @property
    def figures(self) -> Comparison:
        return self.query_one("#figures", Comparison)

    # What is shown

    def show(self) -> None:
        """Reads the picks again if anything changed; the figures once somebody wants them."""
        sides = sides_of(self.desk.store, self.desk.subject.runs)
        seen = stamp(self.desk.store, sides)
        if sides != self.sides:
            self.sides, self.choices, self.only = sides, None, ALL
            self.remove_class("-reading")
        if not sides:
            self._seen = None
            self._say(NO_RUN)
        elif seen != self._seen:
            self._seen = seen
            self.later(partial(self._read, sides), "picks")
        else:
            self._turn_to_row()
        self._figure()

    def _say(self, text: str) -> None:
        self.choices = None
        self.table.empty = text
        self.table.show(Lines(()))
        self.sheet.tell(None, Text())
        self.query_one("#legend", Static).update()

    async def _read(self, sides: tuple[Side, ...]) -> None:
        try:
            found = await asyncio.to_thread(picked.read_choices, self.desk.home, sides)
        except LocalselError as error:
            self._say(str(error))
            return
        if sides == self.sides:
            self.choices = found
            self._list()
            self._turn_to_row()

    def _list(self) -> None:
        if self.choices is None:
            return
        left = picked.passing(self.choices.rows, self.only, self.sides)
        each = widths(self.sides, self.table.size.width or self.size.width)
        lines = Lines(picked.lines(left, self.choices.heads, self.sides, each))
        self.table.empty = "No such pick. Press o for the others."
        if self.only == ALL:
            self.table.empty = "Nothing is picked yet."
        self.table.show_sides(lines, picked.columns(self.sides, each), 3, len(self.sides))
        self._tell(len(left))
        self._read_row()

    def _tell(self, left: int) -> None:
        assert self.choices
        text = legend(self.sides, self.table.styles_of_sides)
        names = picked.filters(self.sides)
        for name in names[1:]:
            count = len(picked.passing(self.choices.rows, name, self.sides))
            text.append(f" · {name} {count}", "bold reverse" if name == self.only else "")
        if len(names) == 1:
            text.append(f" · {left} picks · {ALONE}")
        self.query_one("#legend", Static).update(text)

    def _turn_to_row(self) -> None:
        """To the row that another screen looks at, once."""
        if self.desk.subject != self._subject and self.choices:
            self._subject = self.desk.subject
            self.table.go_to(self._subject.row)

    def on_resize(self) -> None:
        self._list()

    # The pick under the cursor

    @property
    def choice(self) -> Choice | None:
        rows = self.choices.rows if self.choices else ()
        return next((each for each in rows if each.row == self.table.key), None)

    @on(Table.Highlighted, "#choices")
    def _moved(self) -> None:
        self._read_row()

    @on(Table.Chosen, "#choices")
    def _read_whole(self) -> None:
        """In the whole room there is."""
        self.add_class("-reading")
        self.sheet.focus()

    def _read_row(self) -> None:
        choice = self.choice
        if choice is None:
            self.sheet.tell(None, Text())
            return
        try:
            self.sheet.tell(choice.row, *self._texts(choice))
        except LocalselError as error:
            self.sheet.tell(None, Text(visible(error)))

    def _texts(self, choice: Choice) -> tuple[Text, Text]:
        """The row, and the query that it was picked from."""
        store = self.desk.store
        pool = store.run(self.sides[0].run)["pool"]
        by = " ".join(side.letter for side in self.sides if side.run in choice.by)
        text = Text.assemble((f"Row {choice.row}", "bold"), f" · picked by {by}\n\n")
        text.append_text(rowtext.row_text(store, pool, choice.row))
        room = self.sheet.content_size.width
        rest = picked.query_text(store, choice, self.sides, self.table.styles_of_sides, room)
        return text, rest

    def action_only(self) -> None:
        names = picked.filters(self.sides)
        if len(names) == 1:
            self.notify(ALONE)
            return
        self.only = names[(names.index(self.only) + 1) % len(names)]
        self._list()

    def action_dispute(self, by: int) -> None:
        """To the next query in which they picked differently."""
        self._go(by, lambda other, here: other.disputed and other.query != here.query)

    def action_query(self, by: int) -> None:
        self._go(by, lambda other, here: other.query != here.query)

    def _go(self, by: int, wanted: Callable[[Choice, Choice], bool]) -> None:
        here, source = self.choice, self.table.source
        if here is None or self.choices is None:
            return
        known: dict[object, Choice] = {each.row: each for each in self.choices.rows}
        left = [known[line.key] for line in source.lines(0, len(source)) if line.key in known]
        place = left.index(here)
        after = left[place + 1 :] if by > 0 else left[:place][::-1]
        found = next((each for each in after if wanted(each, here)), None)
        if found is None:
            self.notify("There is no further one.")
        else:
            self.table.go_to(found.row)

    def action_cluster(self) -> None:
        choice = self.choice
        if choice is None or choice.cluster is None:
            self.notify("This pick is in no cluster." if choice else "There is no pick here.")
        else:
            self._look(choice, "clusters")

    def action_prompt(self) -> None:
        choice = self.choice
        if choice is None or choice.query is None:
            self.notify("Nobody was asked about this pick." if choice else "There is no pick here.")
        else:
            self._look(choice, "prompt")

    def _look(self, choice: Choice, page: str) -> None:
        subject = replace(self.desk.subject, cluster=choice.cluster, row=choice.row)
        self.post_message(Look(replace(subject, query=choice.query), page))

    def action_back(self) -> None:
        self.remove_class("-reading")
        if self.views.up == PICKS:
            self.table.focus()
        else:
            self._turn_to(PICKS)

    # The figures

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done about picks is done where they can be seen."""
        if action in ("only", "dispute", "query", "cluster", "prompt"):
            return self.views.up == PICKS
        return super().check_action(action, parameters)

    def action_turn(self, by: int) -> None:
        self.views.step(by)

    @on(Views.Chosen)
    def _chosen(self, event: Views.Chosen) -> None:
        self._turn_to(event.name)

    def _turn_to(self, name: str) -> None:
        self.views.up = name
        self.set_class(name != PICKS, "-figures")
        self._figure()
        pane = self.table if name == PICKS else self.figures
        self.call_after_refresh(pane.focus)
        self.refresh_bindings()

    def _figure(self) -> None:
        """Shows the view of the figures that is up."""
        if self.views.up == PICKS or not self.is_mounted:
            return
        if len(self.sides) < 2:
            self.figures.say(ALONE if self.sides else NO_RUN)
        else:
            styles = self.table.styles_of_sides
            self.figures.look(self.sides, self._seen or (), styles, self.views.up)
