"""The models that localsel finds → a list, and of each what a check in a child says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.selectors import model_name
from localsel.tui import cards
from localsel.tui.cards import Checked
from localsel.tui.messages import Failure
from localsel.tui.page import Page
from localsel.tui.widgets.sheet import Sheet
from localsel.tui.widgets.table import Column, Line, Lines, Table

COLUMNS = (Column("selector"), Column("MiB", 9, right=True), Column("checked", 13))
MACHINE = "this machine"
"""The line below the selectors: embedder, libraries, memory, and what `doctor` says of them."""


class Models(Table):
    """The list of selectors: `n` is for a run here, not for the next match."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "check it")]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action == "match" else super().check_action(action, parameters)


class ModelsPage(Page):
    """Selectors that can be named, and their cards."""

    NAME = "models"
    ABOUT = (
        "The selectors on this machine. A check reads the file's header, loads it and asks"
        " it for what the constraint forbids; all in a process of its own, as files may be broken."
    )
    CSS_PATH = "models.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "check", "check it", show=False),
        Binding("n", "new", "run with it"),
        Binding("a", "add", "add a file"),
        Binding("C", "check_all", "check all", show=False),
        Binding("m", "machine", "check this machine", show=False),
    ]

    def body(self) -> ComposeResult:
        with Container(id="sides"):
            yield Models(COLUMNS, "No selectors here. Press a to add one.", id="models")
            yield Sheet(id="card")

    def on_mount(self) -> None:
        self._sizes: dict[Path, int] = {}
        self._checked: dict[tuple[Path, int], Checked] = {}
        self._machine: Text | None = None
        # One check at a time: each loads a model.
        self._turn = asyncio.Lock()

    @property
    def table(self) -> Table:
        return self.query_one(Models)

    # What is shown

    def show(self) -> None:
        from localsel.selectors import weights
        from localsel.tui.listing import model_sizes

        self._sizes = model_sizes(weights(self.desk.home))
        lines = [self._line(path, size) for path, size in self._sizes.items()]
        self.table.show(Lines([*lines, Line(MACHINE, (MACHINE, "", ""), "dim")]))
        self._tell()

    def _line(self, path: Path, size: int) -> Line:
        state = self._known(path).state
        tone = {"good": "good", "bad": "bad"}.get(state, "")
        return Line(path, (model_name(path), cards.mebibytes(size), cards.STATES[state]), tone)

    def _known(self, path: Path) -> Checked:
        """What a check said of the file as it is now."""
        return self._checked.get(stamp(path), Checked())

    @property
    def path(self) -> Path | None:
        """The file under the cursor."""
        key = self.table.key
        return key if isinstance(key, Path) else None

    def on_table_highlighted(self) -> None:
        self._tell()

    def _tell(self) -> None:
        if path := self.path:
            text = cards.card_text(path, self._sizes[path], self._known(path))
        else:
            text = self._about_here()
        self.query_one(Sheet).tell(self.table.key, text)

    def _about_here(self) -> Text:
        from localsel.settings.places import model_folders

        machine = self._machine or Text("Press enter to check the embedder and the libraries.")
        return Text("\n\n").join([machine, cards.folders_text(model_folders(self.desk.home))])

    # Checking

    def on_table_chosen(self) -> None:
        self.action_check()

    def action_check(self) -> None:
        if path := self.path:
            self._check(path)
        else:
            self.action_machine()

    def action_check_all(self) -> None:
        for path in self._sizes:
            self._check(path)

    def _check(self, path: Path) -> None:
        """Unless it is known, or being found out."""
        if self._known(path).state not in ("good", "checking"):
            self._keep(stamp(path), Checked("checking"))
            self.later(partial(self._ask, path), f"check {path}")

    async def _ask(self, path: Path) -> None:
        key = stamp(path)
        async with self._turn:
            try:
                card: Mapping[str, Any] = await self.desk.ask(
                    "models", "check", str(path.absolute())
                )
            except LocalselError as error:
                self._keep(key, cards.failed(error))
            else:
                self._keep(key, Checked("good", card))

    def _keep(self, key: tuple[Path, int], checked: Checked) -> None:
        self._checked[key] = checked
        self.show()

    def action_machine(self) -> None:
        self.table.go_to(MACHINE)
        self._machine = Text("Looking at this machine…")
        self._tell()
        self.later(self._ask_doctor, "doctor")

    async def _ask_doctor(self) -> None:
        found = await self.asked("doctor")
        self._machine = cards.machine_text(found) if found else None
        self._tell()

    # Taking up, and using

    def action_add(self) -> None:
        from localsel.tui.widgets.picking import Picker, is_weights

        self.app.push_screen(Picker("Add a model", Path.cwd(), is_weights), self._picked)

    def _picked(self, path: Path | None) -> None:
        from localsel.tui.widgets.picking import model_of

        if path:
            path = model_of(path)
            self.notify(visible(f"Checking {path.name}…"), markup=False)
            self.later(partial(self._add, path), f"add {path}")

    async def _add(self, path: Path) -> None:
        from localsel.tui.child import command

        ended = await command(["models", "add", "--", str(path)], self.desk.home)
        if ended.code:
            self.post_message(Failure(ended.words, ended.said))
            return
        self.notify(visible(ended.words), markup=False)
        self.show()
        added = (each for each in self._sizes if model_name(each) == model_name(path))
        self.table.go_to(next(added, None))

    def action_new(self) -> None:
        from localsel.tui.screens.start import StartScreen

        models = (self.path,) if self.path else ()
        self.app.push_screen(StartScreen(self.desk, models=models))


def stamp(path: Path) -> tuple[Path, int]:
    """A file as it is now: another is not what was checked."""
    try:
        return path, path.stat().st_mtime_ns
    except OSError:
        return path, 0
