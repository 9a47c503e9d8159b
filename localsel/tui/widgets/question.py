"""One answer of a selector → the candidates of its query, how likely each was, and the chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.text import Text
from textual.widget import Widget

from localsel.printable import visible
from localsel.tui.widgets.bars import bar
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.records import Answer

BAR = 12


class Question(Widget):
    """The chosen first, then the likeliest."""

    DEFAULT_CSS = """
    Question { height: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None
        self._texts: Mapping[int, str] = {}
        self._cluster: int | None = None

    def show(self, answer: Answer | None, texts: Mapping[int, str], cluster: int | None) -> None:
        """`texts`: how the candidates begin, by row."""
        if answer != self._answer:
            self._answer, self._texts, self._cluster = answer, texts, cluster
            self.refresh()

    def render(self) -> Text:
        if self._answer is None:
            return Text()
        lines = [self._head(self._answer), *self._candidates(self._answer)]
        return Text("\n").join(lines[: self.size.height])

    def _head(self, answer: Answer) -> Text:
        of = f" of cluster {self._cluster}" if self._cluster is not None else ""
        says = f"Query {answer.query}{of}: {len(answer.chosen)} of {len(answer.shown)}"
        text = Text(says, style="bold")
        if answer.outcome == "abstained":
            text.append("  ! unanswered, filled at random")
        if answer.shortened:
            text.append(f"  {counted(len(answer.shortened), 'candidate')} shortened")
        return text

    def _candidates(self, answer: Answer) -> Iterator[Text]:
        likely = dict(zip(answer.shown, answer.scores, strict=False))
        order = {row: place for place, row in enumerate(answer.chosen)}
        rows = sorted(
            answer.shown,
            key=lambda row: (order.get(row, len(order)), -likely.get(row, -math.inf)),
        )
        for row in rows:
            share = math.exp(likely[row]) if row in likely else None
            says = f"{bar(share, BAR)} {share:4.0%}" if share is not None else " " * (BAR + 5)
            sign = "✓" if row in order else " "
            cut = "…" if row in answer.shortened else ""
            line = f"{sign} {says} {row:>6}  {visible(self._texts.get(row, ''))}{cut}"
            yield Text(line, style="bold" if row in order else "")
