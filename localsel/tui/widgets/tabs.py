"""The eight screens by number, the one that is up, and how many commands are at work."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from localsel.tui.screens import SCREENS


class Tabs(Widget):
    """One line at the top; a click on a name opens it."""

    DEFAULT_CSS = """
    Tabs { dock: top; height: 1; background: $panel; color: $foreground;
        link-style: none; link-style-hover: underline; link-background-hover: $panel;
        link-color: $foreground; link-color-hover: $foreground; }
    """
    at_work: reactive[int] = reactive(0)

    def __init__(self, current: str) -> None:
        super().__init__()
        self.current = current

    def render(self) -> Text:
        text = Text(no_wrap=True, end="")
        narrow = self.size.width < 78
        for number, name in enumerate(SCREENS, start=1):
            up = name == self.current
            says = f"{number}" if narrow and not up else f"{number} {name.capitalize()}"
            says = f"▌{says}▐" if up else f" {says} "
            text.append(says, style="bold reverse" if up else "")
            goes = Style(meta={"@click": f"app.go({name!r})"})
            text.stylize(goes, len(text) - len(says), len(text))
        if self.at_work:
            busy = f" ▶ {self.at_work} at work " if self.size.width > 95 else f"▶{self.at_work}"
            text.append(busy.rjust(self.size.width - text.cell_len), style="bold")
        return text
