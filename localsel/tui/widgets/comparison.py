"""Runs side by side → the figures of their comparison, asked of a command and kept."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui.compared import VIEWS, Reading
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.sides import Side, Stamp

EVERY = 1.0
"""Seconds between two words on how long it takes."""


class Comparison(VerticalScroll, inherit_bindings=False):
    """`look` shows a view of it. A command computes; each set of runs is asked about once."""

    DEFAULT_CSS = """
    Comparison { padding: 0 1; scrollbar-size-vertical: 1; }
    Comparison Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "down", show=False),
        Binding("up,k", "scroll_up", "up", show=False),
        Binding("pagedown,ctrl+d,space", "page_down", "page down", show=False),
        Binding("pageup,ctrl+u", "page_up", "page up", show=False),
        Binding("home,g", "scroll_home", "to the top", show=False),
        Binding("end,G", "scroll_end", "to the end", show=False),
    ]

    def __init__(self, desk: Desk, id: str | None = None) -> None:
        super().__init__(id=id)
        self.desk = desk
        self._found: dict[Stamp, Mapping[str, Any] | str] = {}
        self._sides: Sequence[Side] = ()
        self._styles: Sequence[Style] = ()
        self._key: Stamp = ()
        self._view = ""
        self._asking: Stamp | None = None
        self._since = 0.0
        self._shown: object = None

    def compose(self) -> ComposeResult:
        yield Static()

    def on_mount(self) -> None:
        self.set_interval(EVERY, self._tick)

    def look(self, sides: Sequence[Side], key: Stamp, styles: Sequence[Style], view: str) -> None:
        """Shows a view of these runs; `key` differs as soon as there is more to compare."""
        self._sides, self._key, self._styles, self._view = sides, key, styles, view
        self._show()

    def say(self, text: str) -> None:
        """Shows a sentence in its place."""
        self._view, self._shown = "", None
        self._write(Text(visible(text)))

    def on_resize(self) -> None:
        self._shown = None
        self._show()

    def _show(self) -> None:
        """Unless that was done; asks for the comparison if need be."""
        if not self._view:
            return
        found = self._found.get(self._key) or self._told()
        if found is None:
            self._ask()
        elif (self._key, self._view) != self._shown:
            self._shown = (self._key, self._view)
            self._draw(found)

    def _draw(self, found: Mapping[str, Any] | str) -> None:
        if isinstance(found, str):
            self._write(Text(visible(found)))
        else:
            room = max(40, self.size.width - 3)
            self._write(VIEWS[self._view](Reading(found, self._sides, self._styles, room)))
        self.scroll_home(animate=False)

    def _write(self, what: Any) -> None:
        self.query_one(Static).update(what)

    def _told(self) -> Mapping[str, Any] | None:
        """What a command of this workspace has told about exactly these selectors."""
        wanted = {side.run for side in self._sides if side.asks}
        others = {side.run for side in self._sides if not side.asks}
        for job in reversed(list(self.desk.jobs.values())):
            told = job.comparison
            if told and wanted == {each["run"] for each in told["selectors"]}:
                drawn = {run for each in told["baselines"] for run in each.get("runs", ())}
                if others <= drawn:
                    return told
        return None

    def _ask(self) -> None:
        if self._asking != self._key:
            self._asking, self._since = self._key, time.monotonic()
            later(self, self._compare, self._key, group="compare")
        self._tick()

    def _tick(self) -> None:
        """Says how long it takes, where somebody waits for it."""
        if self._asking is not None and self._asking == self._key and self._view:
            spent = time.monotonic() - self._since
            self._write(Text(f"Comparing {len(self._sides)} runs … {spent:.0f} s"))

    async def _compare(self, key: Stamp) -> None:
        try:
            found = await self.desk.ask("compare", *(side.run for side in self._sides))
        except LocalselError as error:
            found = str(error)
        self._asking = None
        self._found[key] = found
        self._show()
