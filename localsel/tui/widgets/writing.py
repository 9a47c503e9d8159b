"""A text that is there, or none → what somebody makes of it, in as many lines as it takes."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static, TextArea

from localsel.printable import visible_lines
from localsel.tui.leaving import Modal
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.keys import Keys


class Writing(Modal[str | None]):
    """ctrl+s answers with the text; esc answers None, and asks first if something was written.

    `drafts` keeps what is written under `key`, so that nothing is lost if the screen is left by
    another way, or if the text cannot be kept: whoever keeps it drops the draft.
    """

    DEFAULT_CSS = """
    Writing { align: center middle; }
    Writing > Vertical { width: 96%; max-width: 110; height: 94%; padding: 0 1;
        border: round $primary; background: $surface; }
    Writing VerticalScroll { height: auto; max-height: 40%; margin-bottom: 1; }
    Writing Static { height: auto; }
    Writing TextArea, Writing TextArea:focus { height: 1fr; border: none; padding: 0;
        background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "keep it", priority=True),
        Binding("escape", "leave", "back", priority=True),
    ]

    def __init__(
        self, title: str, above: str, text: str, drafts: MutableMapping[int, str], key: int
    ) -> None:
        super().__init__()
        self.heading, self.above, self.text = title, above, text
        self.drafts, self.key = drafts, key

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = self.heading
            with VerticalScroll(can_focus=False):
                yield Static(Text(visible_lines(self.above)))
            yield TextArea(self.drafts.get(self.key, self.text), tab_behavior="focus")
        yield Keys()

    @property
    def changed(self) -> bool:
        return self.key in self.drafts

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if event.text_area.text == self.text:
            self.drafts.pop(self.key, None)
        else:
            self.drafts[self.key] = event.text_area.text

    def action_keep(self) -> None:
        text = self.drafts[self.key] = self.query_one(TextArea).text
        self.dismiss(text)

    def action_leave(self) -> None:
        if not self.changed:
            self.dismiss(None)
            return
        answers = {"k": "keep it", "d": "drop it"}
        self.app.push_screen(Dialog("What was written is not kept yet.", answers), self._asked)

    def _asked(self, key: str | None) -> None:
        if key == "k":
            self.action_keep()
        elif key == "d":
            self.drafts.pop(self.key, None)
            self.dismiss(None)
