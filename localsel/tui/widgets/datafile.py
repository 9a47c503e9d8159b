"""The path of a file → how it will be read: its layout, its columns, its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.widgets.fields import Field
from localsel.tui.widgets.mapping import Roles, rows_of
from localsel.tui.widgets.paths import expanded
from localsel.tui.widgets.table import Table

STILL = 0.3
"""Seconds without a key before a file is looked into."""


class DataFile(Vertical):
    """Data, its columns, and its first rows, brought up to date while the path is typed."""

    DEFAULT_CSS = """
    DataFile { height: auto; }
    DataFile #layout { height: auto; max-height: 2; padding-left: 18; color: $text-muted; }
    DataFile #layout.-wrong { color: $text-error; }
    DataFile #rows { height: 5; margin-left: 17; display: none; background: $surface; }
    DataFile #field-data > Input { max-width: 100%; }
    DataFile #field-data > .field--note { display: none; }
    """

    class Changed(Message):
        """Another file, or other columns of it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._timer: Timer | None = None
        self._is_answered = False

    def compose(self) -> ComposeResult:
        yield Field("data")
        yield Static(id="layout")
        yield Roles()
        yield Table([], id="rows")

    @property
    def path(self) -> str:
        """As it was typed, with the home folder for `~`."""
        typed = self.query_one("#field-data", Field).value.strip()
        return str(expanded(typed)) if typed.startswith("~") else typed

    @path.setter
    def path(self, path: str) -> None:
        self.query_one("#field-data", Field).value = path

    @property
    def mapping(self) -> str:
        """What `--map` has to say; nothing where the guess stands."""
        return self.query_one(Roles).typed

    @property
    def is_there(self) -> bool:
        try:
            return Path(self.path).is_file()
        except (OSError, ValueError):
            return False

    @property
    def is_unanswered(self) -> bool:
        """Whether its columns are known, and none holds the response.

        The response that is guessed may be inside a column, and is then none to choose.
        """
        roles = self.query_one(Roles)
        is_guessed = self._is_answered and not roles.typed
        return bool(roles.columns) and "response" not in roles.chosen and not is_guessed

    @on(Field.Changed)
    def _other_file(self, event: Field.Changed) -> None:
        event.stop()
        self._is_answered = False
        self.query_one(Roles).fill((), {})
        self._soon()

    @on(Roles.Changed)
    def _other_columns(self, event: Roles.Changed) -> None:
        event.stop()
        self._soon()

    def _soon(self) -> None:
        self.post_message(self.Changed())
        if self._timer:
            self._timer.stop()
        self._timer = self.set_timer(STILL, self._look)

    def _look(self) -> None:
        later(self, self._preview, self.path, self.mapping, group="preview")

    async def _preview(self, path: str, mapping: str) -> None:
        if not self.is_there:
            self._refuse(f"There is no file {path}." if path else "")
            return
        own = ("--map", mapping) if mapping else ()
        try:
            found = await self.desk.ask("preview", str(Path(path).absolute()), "--rows", "20", *own)
        except LocalselError as error:
            self._refuse(str(error))
            return
        self._show(found)
        if not mapping:
            guess = found["map"] or {}
            self._is_answered = bool(guess.get("response"))
            self.query_one(Roles).fill(found["columns"], guess)

    def _show(self, found: Mapping[str, Any]) -> None:
        self._say(found["problem"] or found["layout"] or "", bool(found["problem"]))
        table = self.query_one("#rows", Table)
        table.display = bool(found["rows"])
        columns, lines = rows_of(found)
        table.show(lines, columns)

    def _refuse(self, why: str) -> None:
        self._say(why, wrong=bool(why))
        self.query_one("#rows", Table).display = False

    def _say(self, text: str, wrong: bool = False) -> None:
        says = self.query_one("#layout", Static)
        says.set_class(wrong, "-wrong")
        says.update(Text(visible(f"✗ {text}" if wrong else text)))
