"""A person's blind choices → how far each selector agrees with them, as a command says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from localsel.errors import LocalselError
from localsel.printable import visible, visible_lines
from localsel.tui.desk import Desk
from localsel.tui.later import later
from localsel.tui.leaving import Modal
from localsel.tui.widgets.bars import bar
from localsel.wording import counted

SURE = 0.05
"""Below this p-value an agreement is called more than chance."""
BAR = 20


class Score(Modal[None]):
    """One paragraph a selector."""

    DEFAULT_CSS = """
    Score { align: center middle; }
    Score > VerticalScroll { width: 76; max-width: 96%; height: auto; max-height: 92%;
        padding: 0 2; border: round $primary; background: $surface; }
    Score Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,S", "dismiss", "back")]

    def __init__(self, desk: Desk, run: str) -> None:
        super().__init__()
        self.desk, self.run_name = desk, run

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = "Who agrees with you"
            box.border_subtitle = "esc back"
            yield Static("Counting…")

    def on_mount(self) -> None:
        later(self, self._count)

    async def _count(self) -> None:
        try:
            found = await self.desk.ask("review", self.run_name, "--score")
        except LocalselError as error:
            self.query_one(Static).update(Text(visible_lines(error)))
            return
        self.query_one(Static).update(Text("\n\n").join(map(paragraph, found)))


def paragraph(score: Mapping[str, Any]) -> Text:
    """The figures of one selector, and what they say."""
    text = Text.assemble((visible(score["name"], 40), "bold"), f"  {score['run']}\n")
    if not score["queries"]:
        return text.append("It answered none of the queries in which you chose.")
    queries = counted(score["queries"], "query", "queries")
    agreement, expected = score["agreement"], score["expected"]
    text.append(f"{bar(agreement, BAR)} {agreement:.0%} of your choices ")
    text.append(f"({score['shared']} of {score['chosen']}, in {queries})\n")
    text.append(f"{bar(expected, BAR)} {expected:.0%} by chance\n")
    return text.append(verdict(score["p_value"]))


def verdict(p_value: float) -> str:
    """The p-value, and what it means."""
    said = f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.0e}"
    if p_value < SURE:
        return f"It agrees with you more than chance (p = {said})."
    return f"Its agreement with you is not told from chance (p = {said})."
