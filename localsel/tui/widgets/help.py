"""The bindings that hold where the focus is → a page that names them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from localsel.tui.leaving import Modal
from localsel.tui.widgets.keys import Held
from localsel.tui.widgets.table import Table


class Help(Modal[None]):
    """Keys of the focused widget, of the screen, and of the program."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > VerticalScroll { width: 66; max-width: 96%; height: auto; max-height: 92%;
        padding: 0 2; border: round $primary; background: $surface; }
    Help Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "back"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, about: str, held: Sequence[Held]) -> None:
        super().__init__()
        self.about, self.held = about, held

    def compose(self) -> ComposeResult:
        with VerticalScroll() as scroll:
            scroll.border_title = "Help"
            scroll.border_subtitle = "esc back"
            yield Static(self._text())

    def _text(self) -> Text:
        text = Text(f"{self.about}\n" if self.about else "")
        for node, own in groupby(self.held, lambda held: held.node):
            where = type(node).__name__.removesuffix("Page").removesuffix("Screen")
            where = {self.app: "Everywhere"}.get(
                node, "Table" if isinstance(node, Table) else where
            )
            text.append(f"\n{where}\n", style="bold")
            for held in own:
                text.append(f"  {' '.join(held.keys):>16}  ", style="bold")
                text.append(f"{held.says}\n")
        return text

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
