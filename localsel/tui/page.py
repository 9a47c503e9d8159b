"""What the eight screens have in common: a line of tabs, their body, and a line of keys."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.messages import Failure
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.tabs import Tabs

if TYPE_CHECKING:
    from localsel.tui.child import Ended


class Page(Screen[None]):
    """One of the eight. It changes its own widgets, and asks for everything else by message.

    A subclass composes `body` and fills it in `show`, which is called when the screen comes up,
    when another subject is looked at, and when the workspace changed while it is up.
    """

    NAME: ClassVar[str]
    ABOUT: ClassVar[str] = ""
    AUTO_FOCUS = "Table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "export", "export the picks", show=False),
        Binding("w", "report", "write the report", show=False),
        Binding("tab", "app.focus_next", "next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "previous pane", show=False),
    ]

    _refused = ""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def compose(self) -> ComposeResult:
        yield Tabs(self.NAME)
        yield from self.body()
        yield Keys()

    def body(self) -> ComposeResult:
        """The widgets between the tabs and the keys."""
        raise NotImplementedError

    def show(self) -> None:
        """Brings the widgets up to date. Quick: what takes long is a worker's."""
        raise NotImplementedError

    @property
    def unsaved(self) -> str:
        """What would be lost if the program ended now, as the end of "… would be lost"."""
        return ""

    def on_screen_resume(self) -> None:
        self._refused = ""
        # Where the program ends meanwhile there is nothing to fill.
        if self.query(Keys):
            self.look_again()

    def look_again(self) -> None:
        """Shows what there is; where it cannot be read, what was shown before stays."""
        self.safely(self.show)

    def safely(self, reading: Callable[[], None]) -> None:
        """Reads the workspace: runs are removed meanwhile, and databases are busy."""
        try:
            reading()
        except LocalselError as error:
            self.refuse(error)

    def refuse(self, error: LocalselError) -> None:
        """Says what cannot be read; the same sentence once, until the screen comes up again."""
        if str(error) != self._refused:
            self._refused = str(error)
            self.notify(visible(error), severity="error", markup=False)

    async def asked(self, *line: str) -> Any:
        """The document of a read command; None where it failed, which a dialog then says."""
        try:
            return await self.desk.ask(*line)
        except LocalselError as error:
            self.post_message(Failure(str(error), getattr(error, "log", "")))
            return None

    def later(self, work: Callable[[], Coroutine[None, None, None]], group: str) -> None:
        """Does something that takes long; of one group only what was asked for last."""
        later(self, work, group=group)

    async def done(self, *line: str) -> Ended | None:
        """What a command said that does something; None where it failed, which a dialog says."""
        from localsel.tui.child import command

        ended = await command(line, self.desk.home)
        if not ended.code:
            return ended
        self.post_message(Failure(ended.words, ended.said))
        return None

    # Handing on

    def handed(self) -> tuple[str, ...]:
        """The runs that are exported and reported from here."""
        return self.desk.subject.runs

    def reported(self) -> tuple[str, ...]:
        """Those of a report, where it takes in more than these."""
        return self.handed()

    def action_export(self) -> None:
        """Asks for a format and a file, for the picks of the first run."""
        from localsel.tui.screens.exporting import Exporting

        def answered(said: str | None) -> None:
            if said:
                self.notify(visible(said), markup=False, timeout=8)

        if runs := self.handed():
            self.app.push_screen(Exporting(self.desk, runs[0]), answered)
        else:
            self.notify("No run is open: choose one on screen 1.")

    def action_report(self) -> None:
        """Asks for a folder, for the report of all these runs."""
        from localsel.tui.widgets.asking import Asking
        from localsel.tui.widgets.paths import expanded
        from localsel.wording import counted

        runs = self.reported()

        def answered(folder: str | None) -> None:
            if folder:
                self.notify("Writing the report …")
                self.later(partial(self._report, runs, expanded(folder)), "report")

        if runs:
            says = "A page, the same in Markdown, and the figures as JSON, in this folder:"
            if runs != self.handed():
                says = f"The whole comparison; mark a run with space for that run alone. {says}"
            title = f"Write the report of {counted(len(runs), 'run')}"
            self.app.push_screen(Asking(title, says, "report"), answered)
        else:
            self.notify("No run is open: choose one on screen 1.")

    async def _report(self, runs: tuple[str, ...], folder: Path) -> None:
        if await self.done("report", f"--out={folder}", "--", *runs):
            where = folder.absolute() / "report.html"
            self.notify(visible(f"Written: {where}"), markup=False, timeout=8)
