"""A run → a file of its picks, in a format and under a name that somebody chooses."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from localsel.printable import visible
from localsel.tui.child import command
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.leaving import Modal
from localsel.tui.widgets.paths import expanded

FORMS = {
    "jsonl": (".jsonl", "all columns, and why each was picked"),
    "alpaca": (".json", "instruction, input, output: for training"),
    "csv": (".csv", "for spreadsheets"),
    "parquet": (".parquet", "for data frames"),
    "label-studio": (".json", "tasks to annotate, with the labelling configuration"),
    "doccano": (".jsonl", "tasks to annotate"),
    "markdown": (".md", "a sheet to fill in with any editor"),
}


class Exporting(Modal[str]):
    """Asks for a format and a file, writes it, and answers with what was said of it.

    What was refused is said here, so that another name can be typed.
    """

    DEFAULT_CSS = """
    Exporting { align: center middle; }
    Exporting > Vertical { width: 76; max-width: 96%; height: auto; max-height: 94%; padding: 0 1;
        border: round $primary; background: $surface; }
    Exporting OptionList { height: auto; border: none; padding: 0; background: $surface; }
    Exporting Input { height: 1; border: none; padding: 0 1; margin: 1 0; background: $background; }
    Exporting Static { height: auto; max-height: 6; }
    Exporting #refusal { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "write(False)", "write it"),
        Binding("ctrl+f", "write(True)", "replace what is there"),
        Binding("escape", "dismiss", "back"),
    ]

    def __init__(self, desk: Desk, run: str) -> None:
        super().__init__()
        self.desk, self.run = desk, run
        self._proposed = ""

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = f"Export the picks of run {self.run}"
            box.border_subtitle = "enter writes it, esc back"
            yield OptionList(
                *(
                    Option(Text.assemble((f"{form:<14}", "bold"), says), id=form)
                    for form, (_, says) in FORMS.items()
                ),
                compact=True,
            )
            yield Input(placeholder="the file to write")
            yield Static(id="refusal")

    @property
    def form(self) -> str:
        """The format that is highlighted."""
        options = self.query_one(OptionList)
        return list(FORMS)[options.highlighted or 0]

    def on_option_list_option_highlighted(self) -> None:
        """Proposes a name, unless somebody has typed one."""
        path = self.query_one(Input)
        if path.value == self._proposed:
            path.value = self._proposed = f"picks-{self.run}{FORMS[self.form][0]}"

    def on_option_list_option_selected(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_write(False)

    def action_write(self, force: bool) -> None:
        self._say(f"Writing {self.form} …")
        later(self, self._write, force, group="write")

    async def _write(self, force: bool) -> None:
        path = str(expanded(self.query_one(Input).value))
        line = ["export", self.run, "--to", self.form, f"--out={path}", *["--force"] * force]
        ended = await command(line, self.desk.home)
        if ended.code:
            hint = " Press ctrl+f to replace it." if "--force" in ended.words else ""
            self._say(ended.words + hint)
        else:
            self.dismiss(ended.said.strip())

    def _say(self, text: str) -> None:
        self.query_one("#refusal", Static).update(Text(visible(text)))
