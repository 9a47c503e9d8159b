"""Runs of a workspace → deleted, carried to a file, or taken up from one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from localsel.printable import visible
from localsel.tui.messages import Look
from localsel.tui.page import Page
from localsel.tui.subject import Subject
from localsel.tui.widgets.asking import Asking
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.paths import expanded
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.tui.listing import Entry


class Keeping(Page):
    """A page with a list of runs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "remove", "delete", show=False),
        Binding("o", "carry", "carry to a file", show=False),
        Binding("i", "import", "import a carried run", show=False),
    ]

    @property
    def marked(self) -> Sequence[Entry]:
        """What is to be kept, or not: what is marked, else what the cursor is on."""
        raise NotImplementedError

    def action_remove(self) -> None:
        runs = list(dict.fromkeys(run for entry in self.marked for run in entry.members))
        if not runs:
            self.notify("There is no run here to delete.")
            return

        def answered(key: str | None) -> None:
            if key == "x":
                self.later(partial(self._remove, runs), "remove")

        which = f"run {runs[0]}" if len(runs) == 1 else f"{len(runs)} runs ({', '.join(runs)})"
        says = f"Delete {which} with all answers and picks? Files that were exported stay."
        self.app.push_screen(Dialog(says, {"x": "delete"}), answered)

    async def _remove(self, runs: Sequence[str]) -> None:
        if await self.done("rm", "--yes", "--", *runs):
            if set(runs) & set(self.desk.subject.runs):
                self.post_message(Look(Subject()))
            self.look_again()
            self.notify(f"Deleted {counted(len(runs), 'run')}.")

    def action_carry(self) -> None:
        runs = [run for entry in self.marked for run in entry.runs]
        if len(runs) != 1:
            self.notify("One run is carried at a time: put the cursor on it.")
            return

        def answered(file: str | None) -> None:
            if file:
                self.later(partial(self._carry, runs[0], expanded(file)), "carry")

        says = "With its rows, queries, answers and picks, for another machine. The file:"
        named = f"run-{runs[0]}.json.gz"
        self.app.push_screen(Asking(f"Carry run {runs[0]}", says, named), answered)

    async def _carry(self, run: str, file: Path) -> None:
        if await self.done("runs", "export", "--", run, str(file)):
            self.notify(visible(f"Run {run} is in {file.absolute()}."), markup=False, timeout=8)

    def action_import(self) -> None:
        def answered(file: str | None) -> None:
            if file:
                self.later(partial(self._import, expanded(file)), "import")

        says = "A file that `o`, or `localsel runs export`, has written:"
        self.app.push_screen(Asking("Import a carried run", says), answered)

    async def _import(self, file: Path) -> None:
        if ended := await self.done("runs", "import", "--", str(file)):
            self.look_again()
            self.notify(visible(f"Imported run {ended.out.strip()}."), markup=False)
