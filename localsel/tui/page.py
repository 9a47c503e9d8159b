"""What the eight screens have in common: a line of tabs, their body, and a line of keys."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.screen import Screen

from localsel.errors import LocalselError
from localsel.tui.desk import Desk
from localsel.tui.messages import Failure
from localsel.tui.widgets.keys import Keys
from localsel.tui.widgets.tabs import Tabs


class Page(Screen[None]):
    """One of the eight. It changes its own widgets, and asks for everything else by message.

    A subclass composes `body` and fills it in `show`, which is called when the screen comes up,
    when another subject is looked at, and when the workspace changed while it is up.
    """

    NAME: ClassVar[str]
    ABOUT: ClassVar[str] = ""
    AUTO_FOCUS = "Table"

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
        self.show()

    async def asked(self, *line: str) -> Any:
        """The document of a read command; None where it failed, which a dialog then says."""
        try:
            return await self.desk.ask(*line)
        except LocalselError as error:
            self.post_message(Failure(str(error), getattr(error, "log", "")))
            return None

    def later(self, work: Coroutine[Any, Any, None], group: str) -> None:
        """Does something that takes long; of one group only what was asked for last."""
        self.run_worker(work, group=group, exclusive=True)
