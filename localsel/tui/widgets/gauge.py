"""How far a run is → its name, its stages, a bar, its pace and what it takes, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget

from localsel.events import STAGES
from localsel.printable import visible
from localsel.tui.listing import SIGNS, signed
from localsel.tui.standing import Standing
from localsel.tui.widgets.bars import bar
from localsel.wording import counted

UNITS = {"load": "row", "embed": "text", "choose": "query"}


class Gauge(Widget):
    """Of a run that has ended, its summary in place of bar and pace."""

    DEFAULT_CSS = """
    Gauge { height: auto; max-height: 10; padding: 0 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = Text()
        self.standing: Standing | None = None

    def show(self, standing: Standing, says: str, summary: Sequence[str]) -> None:
        """`says`: the one sentence that explains a state that is not as it should be."""
        self.standing = standing
        width = max(self.size.width - 2, 20)
        lines = [_title(standing), _stages(standing)]
        if standing.ended:
            lines += [Text(visible(line)) for line in summary]
        else:
            lines += [_bar(standing, width), *_figures(standing)]
        if says:
            lines.append(Text(visible(says), style="bold"))
        text = Text("\n").join(lines)
        if text != self._text:
            self._text = text
            self.refresh(layout=True)

    def render(self) -> Text:
        return self._text


def _title(standing: Standing) -> Text:
    named = [visible(standing.name), standing.run, signed(standing.state)]
    text = Text("   ".join(filter(None, named)))
    text.stylize("bold", 0, len(named[0]))
    return text


def _stages(standing: Standing) -> Text:
    """Every stage with its sign: over, going on, or to come."""
    here = STAGES.index(standing.stage)
    text = Text(no_wrap=True)
    for stage in standing.stages:
        place = STAGES.index(stage)
        if standing.ended or place < here:
            text.append(f"✓ {stage}  ", style="dim")
        elif place == here and standing.state != "waiting":
            text.append(f"{SIGNS[standing.state]} {stage}  ", style="bold")
        else:
            text.append(f"· {stage}  ", style="dim")
    return text


def _bar(standing: Standing, width: int) -> Text:
    """Without a total there is nothing to fill a bar with."""
    unit = _unit(standing)
    if not standing.total:
        done = counted(standing.done, *unit) if standing.done else "…"
        return Text(f"{standing.stage}: {done}" if standing.state == "running" else "")
    share = standing.done / standing.total
    says = f" {standing.done:,} of {counted(standing.total, *unit)}, {share:.0%}"
    return Text.assemble((bar(share, max(width - len(says), 8)), "bold"), says)


def _unit(standing: Standing) -> tuple[str, str]:
    if standing.stage == "choose" and not standing.asks:
        noun = standing.unit or "pick"
    else:
        noun = UNITS.get(standing.stage, "step")
    return noun, "queries" if noun == "query" else f"{noun}s"


def _figures(standing: Standing) -> list[Text]:
    unit, units = _unit(standing)
    said = [
        _pace(standing.pace, unit, units) if standing.state == "running" else "",
        f"{standing.tokens:,.0f} tokens/s" if standing.tokens else "",
        f"{clock(standing.spent)} spent" if standing.spent else "",
        f"{clock(standing.left)} left" if standing.left is not None else "",
        f"{size(standing.memory)} memory" if standing.memory else "",
    ]
    # What a selector does not answer is filled at random and marked as a fallback.
    asked = standing.asks and standing.stage == "choose"
    counts = f"{standing.abstained:,} unanswered   " if asked else ""
    counts += f"{standing.connections:,} connections attempted"
    return [Text("   ".join(filter(None, said))), Text(counts)]


def _pace(pace: float | None, unit: str, units: str) -> str:
    if not pace:
        return ""
    return f"{pace:,.1f} {units}/s" if pace >= 1 else f"{1 / pace:,.1f} s a {unit}"


def clock(seconds: float) -> str:
    """`0:12`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: int) -> str:
    """Bytes: `412 MB`, `1.3 GB`."""
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"
