"""Queries of a run, one at a time → a person's own choices, made without seeing any other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.tui import reviewed, rowtext
from localsel.tui.desk import Desk
from localsel.tui.screens.beside import Beside
from localsel.tui.screens.score import Score
from localsel.tui.widgets.bars import bar
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.saying import say_alone
from localsel.tui.widgets.table import Column, Line, Lines, Table
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.blind import Blind
    from localsel.store import Store

LETTERS = "abcdefimoprtvwxzABCDEFHIJKLMOPQRTUVWXYZ"
"""What candidates are called: letters that do nothing else in a table or here."""
DONE = "You have chosen in all of them. Press S to see who agrees with you."
COLUMNS = (Column("", 1), Column("", 1), Column("candidate"))


class Choices(Table):
    """Enter keeps what is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "keep, next")]


class BlindScreen(Beside[None]):
    """Every choice is kept when it is made, and counts for all runs on the same plan."""

    DEFAULT_CSS = "BlindScreen #detail { height: 36%; min-height: 6; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "take", "choose"),
        Binding("s", "pass", "later"),
        Binding("u", "undo", "undo"),
        Binding("S", "score", "score"),
        Binding("escape", "dismiss", "back"),
    ]

    def __init__(self, desk: Desk, run: Mapping[str, Any]) -> None:
        """Raises UsageError: the run asked no queries."""
        from localsel.blind import sample

        super().__init__()
        self.desk, self.run = desk, run
        self.sample = sample(desk.store, run)
        self.made = self._made()
        self.waiting = [each for each in self.sample if each.query not in self.made]
        self.chosen: list[int] = []
        # Undo, pressed while a choice is being kept, takes that one back.
        self._writing = asyncio.Lock()

    def _made(self) -> list[int]:
        """The queries of the sample in which something was chosen, the newest choice last."""
        sampled = {each.query for each in self.sample}
        return [each for each in self.desk.store.chosen_in(self.run["plan"]) if each in sampled]

    @property
    def asked(self) -> Blind | None:
        """The query that is being answered."""
        return self.waiting[0] if self.waiting else None

    def candidates(self) -> Table:
        return Choices(COLUMNS, DONE, id="candidates")

    def on_mount(self) -> None:
        self._draw()

    # What is shown

    def _draw(self) -> None:
        asked, done, of = self.asked, len(self.made), len(self.sample)
        text = Text.assemble(("Blind choice ", "bold"), f"{bar(done / of, 10)} {done}/{of}")
        if asked:
            wants = f"choose {asked.quota} of {len(asked.rows)}, then enter"
            text.append(f" · {wants} · {len(self.chosen)} chosen", "bold")
        self.query_one("#says", Static).update(text)
        self.table.show(Lines(self._lines(asked) if asked else ()))
        self._read()

    def _lines(self, asked: Blind) -> list[Line]:
        store, letters = self.desk.store, LETTERS.ljust(len(asked.rows))
        begins = rowtext.first_lines(store, self.run["pool"], asked.rows, reviewed.LONGEST)
        return [
            Line(row, ("●" if row in self.chosen else "", letter, begins[row]))
            for row, letter in zip(asked.rows, letters, strict=False)
        ]

    def _read(self) -> None:
        text, row = Text(), self.table.key
        if isinstance(row, int):
            text = rowtext.row_text(self.desk.store, self.run["pool"], row, whole=False)
        self.sheet.tell(row, text)

    def on_table_highlighted(self) -> None:
        self._read()

    # Choosing

    def on_key(self, event: events.Key) -> None:
        place = LETTERS.find(event.character) if event.character else -1
        if self.asked and 0 <= place < len(self.asked.rows):
            event.stop()
            self._toggle(self.asked.rows[place])

    def action_take(self) -> None:
        if isinstance(row := self.table.key, int):
            self._toggle(row)

    def _toggle(self, row: int) -> None:
        """In or out; the only one that is asked for gives way to the next."""
        assert self.asked
        if row in self.chosen:
            self.chosen.remove(row)
        elif self.asked.quota == 1:
            self.chosen = [row]
        elif len(self.chosen) < self.asked.quota:
            self.chosen.append(row)
        else:
            wants = counted(self.asked.quota, "candidate")
            say_alone(self, f"This query asks for {wants}: take one out first.", "warning")
        self.table.go_to(row)
        self._draw()

    async def on_table_chosen(self, message: Table.Chosen) -> None:
        """Enter: what is chosen counts; where one is asked for, the one under the cursor does."""
        from localsel.blind import choose

        asked = self.asked
        if asked is None:
            return
        if not self.chosen and asked.quota == 1 and isinstance(message.key, int):
            self.chosen = [message.key]
        rows = tuple(self.chosen)
        async with self._writing:
            done = await self._keep(lambda store: choose(store, self.run, asked.query, rows))
        if done:
            self._turn([each for each in self.waiting if each != asked])
            if not self.waiting:
                self.action_score()

    async def _keep(self, write: Callable[[Store], None]) -> bool:
        """Whether it could be made, and somebody still looks."""
        try:
            await self.desk.change(write)
        except LocalselError as error:
            say_alone(self, str(error), "warning")
            return False
        finally:
            self.made = self._made()
        return bool(self.query(Keys))

    def _turn(self, waiting: list[Blind]) -> None:
        self.waiting, self.chosen = waiting, []
        self.table.narrow("")
        self._draw()
        self.table.action_first()

    def action_pass(self) -> None:
        self._turn([*self.waiting[1:], *self.waiting[:1]])

    async def action_undo(self) -> None:
        """Takes the newest choice back, whenever it was made."""
        from localsel.blind import forget

        async with self._writing:
            if not self.made:
                say_alone(self, "Nothing was chosen yet.", "warning")
                return
            query = self.made[-1]
            done = await self._keep(lambda store: forget(store, self.run, query))
        if done:
            self._turn([*(each for each in self.sample if each.query == query), *self.waiting])

    def action_score(self) -> None:
        self.app.push_screen(Score(self.desk, self.run["run"]))
