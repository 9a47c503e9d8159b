"""A setting → a line to fill it in: its name, what is typed, what it means or what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Select, Static

from localsel.errors import UsageError
from localsel.printable import visible
from localsel.settings import Sourced, as_read, check, expected, hints
from localsel.settings.own import sentence, usual
from localsel.settings.shapes import shapes
from localsel.tui.commands import SEVERAL, is_switch, parted
from localsel.tui.widgets.paths import Completing

PATHS = ("data", "prompt", "given", "include", "ban")
TEXTS = (*PATHS, "criteria", "where")
"""What needs more room than a number."""
OFFERED = {"method": ("selectllm",), "variant": ()}
"""What there is to choose from is said later."""


class Field(Horizontal):
    """One setting. Empty, it is left to the settings files and the defaults.

    Attributes:
        elsewhere: what a file or the environment says, and where.
        problem: what is wrong with what was typed.
    """

    DEFAULT_CSS = """
    Field { height: 1; }
    Field > .field--name { width: 17; color: $text-muted; padding-left: 1; }
    Field:focus-within > .field--name { color: $foreground; text-style: bold; }
    Field > .field--note { width: 1fr; height: 1; color: $text-muted; padding-left: 1;
        text-wrap: nowrap; text-overflow: ellipsis; }
    Field.-wrong > .field--note { color: $text-error; }
    Field > Input, Field > Select { width: 20; }
    Field.-text > Input { width: 1fr; max-width: 60; }
    Field Input:ansi, Field Select:ansi { text-style: underline; }
    Field Input, Field Select > SelectCurrent { background: $panel; }
    Field Input:focus, Field Select:focus > SelectCurrent { background: $boost; border: none; }
    """

    @dataclass
    class Changed(Message):
        """Something else was filled in."""

        field: Field

    def __init__(self, setting: str, label: str = "") -> None:
        super().__init__(id=f"field-{setting}")
        self.setting, self.problem = setting, ""
        self.label = label or setting.replace("_", " ").capitalize()
        self.elsewhere: Sourced | None = None
        self.set_class(setting in TEXTS, "-text")
        self.choices = choices_of(setting)
        self.is_choice = bool(self.choices) or setting in OFFERED
        self._meant, self._usual, self._helps = "", "", ""

    def compose(self) -> ComposeResult:
        yield Static(self.label, classes="field--name", markup=False)
        if self.is_choice:
            named = [(Text(each), each) for each in self.choices]
            yield Select(named, prompt=self._default(), compact=True)
        else:
            completes = Completing(self.setting in SEVERAL) if self.setting in PATHS else None
            yield Input(placeholder=self._default(), suggester=completes, compact=True)
        yield Static(self._note(), classes="field--note", markup=False)

    # What was filled in

    @property
    def value(self) -> str:
        """As it was typed; empty if nothing was."""
        if self.is_choice:
            value = self.query_one(Select).value
            return "" if value is Select.NULL else str(value)
        return self.query_one(Input).value

    @value.setter
    def value(self, value: str) -> None:
        if self.is_choice:
            self.query_one(Select).value = value or Select.NULL
        else:
            self.query_one(Input).value = value

    def offer(self, choices: Sequence[str]) -> None:
        """Other values to choose from."""
        select, value = self.query_one(Select), self.value
        self.choices = tuple(choices)
        with self.prevent(Select.Changed):
            select.set_options([(Text(visible(each)), each) for each in choices])
            select.value = value if value in choices else Select.NULL

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._changed()

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self._changed()

    def _changed(self) -> None:
        self.problem = "" if self.is_choice else wrong(self.setting, self.value)
        self._say()
        self.post_message(self.Changed(self))

    # What is said of it

    def explain(self, meant: str, usual: str = "", helps: str = "") -> None:
        """What it means to the method that is chosen, what holds by itself, and more in full."""
        self._meant, self._usual, self._helps = meant, usual, helps
        self.set_elsewhere(self.elsewhere)

    def set_elsewhere(self, sourced: Sourced | None) -> None:
        """Tells what holds while nothing is typed."""
        self.elsewhere = sourced
        if self.is_choice:
            self.query_one(Select).prompt = self._default()
        else:
            self.query_one(Input).placeholder = self._default()
        self._say()

    def help(self) -> str:
        """What it means, what it takes, and where it is set already."""
        where = f" Set in {self.elsewhere.source.removesuffix(' =')}." if self.elsewhere else ""
        takes = "on or off" if is_switch(self.setting) else expected(self.setting)
        return visible(f"{self._helps or f'{self._meaning()} Takes {takes}.'}{where}")

    def _meaning(self) -> str:
        return self._meant or sentence(self.setting)

    def _say(self) -> None:
        self.set_class(bool(self.problem), "-wrong")
        self.query_one(".field--note", Static).update(Text(self._note()))

    def _note(self) -> str:
        return f"✗ {self.problem}" if self.problem else self._meaning()

    def _default(self) -> str:
        by_itself = "" if self.elsewhere else self._usual
        return visible(by_itself or default_of(self.setting, self.elsewhere), 60)


def default_of(setting: str, elsewhere: Sourced | None = None) -> str:
    """What holds while nothing is typed, in words."""
    if elsewhere:
        value = elsewhere.value
        if is_switch(setting):
            return "on" if as_read(setting, elsewhere) is True else "off"
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return usual(setting) or ("off" if is_switch(setting) else "")


def choices_of(setting: str) -> tuple[str, ...]:
    """The values that a setting can have, where they are few."""
    if setting in OFFERED:
        return OFFERED[setting]
    if is_switch(setting):
        return ("on",)
    allowed = shapes(hints()[setting])[0] if setting not in ("data", *SEVERAL) else {}
    return tuple(allowed.get("enum", ()))


def wrong(setting: str, value: str) -> str:
    """What is wrong with a value that was typed; nothing of an empty one."""
    if not value.strip():
        return ""
    try:
        parts = parted(setting, value)
        several: object = list(parts) if setting in SEVERAL else parts[0]
        check(setting, Sourced(several, ""), hints()[setting])
    except UsageError as error:
        return visible(error.message.strip())
    return ""
