"""The answers of a comparison → how often each selector chose each place, against chance."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from localsel.tui.compared.reading import Found, Reading, headed, sentences, small
from localsel.tui.widgets.bars import bar


def position(reading: Reading) -> RenderableType:
    """For each selector how often it chose each place, against what is expected of chance."""
    asked = [each for each in reading.selectors if each.get("position")]
    if not asked:
        return Text("Nobody here answered a query.")
    most = max(_ratio(at) for each in asked for at in each["position"]["curve"])
    beside = max(1, min(len(asked), reading.width // 38))
    width = reading.width // beside - 19
    table = Table.grid(padding=(0, 2, 1, 0))
    panels = [_curve(reading, each, most, max(6, min(width, 40))) for each in asked]
    for start in range(0, len(panels), beside):
        table.add_row(*panels[start : start + beside])
    follows = [text for text in reading.found["summary"] if " follows positions:" in text]
    return Group(
        headed("Picks by position", "┊ as often as chance; figures: chosen / expected", first=True),
        table,
        sentences(follows or ["Nobody is known to follow positions."]),
    )


def _ratio(at: Found) -> float:
    return float(at["chosen"] / at["expected"]) if at["expected"] else 0.0


def _curve(reading: Reading, each: Found, most: float, width: int) -> Text:
    text = reading.named(each).append(f"  p {small(each['position']['p_value']) or 'unknown'}\n")
    even = min(round(width / max(most, 1.0)), width - 1)
    for at in each["position"]["curve"]:
        drawn = bar(_ratio(at) / max(most, 1.0), width)
        if drawn[even] == " ":
            drawn = f"{drawn[:even]}┊{drawn[even + 1 :]}"
        text.append(f"{at['position']:>3} ", "dim")
        text.append(drawn, reading.style(each["run"]))
        text.append(f" {at['chosen']:>4}/{at['expected']:.1f}\n")
    return text
