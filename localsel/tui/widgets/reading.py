"""A pane to read in, with the keys of a list; from the top whenever it is about something else."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll


class Reading(VerticalScroll, inherit_bindings=False):
    """Text that is longer than its pane. A subclass composes and fills it."""

    DEFAULT_CSS = """
    Reading { scrollbar-size-vertical: 1; }
    Reading Static { height: auto; }
    Reading:focus { background-tint: $foreground 4%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "down", show=False),
        Binding("up,k", "scroll_up", "up", show=False),
        Binding("pagedown,ctrl+d,space", "page_down", "page down", show=False),
        Binding("pageup,ctrl+u", "page_up", "page up", show=False),
        Binding("home,g", "scroll_home", "to the top", show=False),
        Binding("end,G", "scroll_end", "to the end", show=False),
    ]

    about: object = None

    def turn_to(self, about: object) -> bool:
        """Goes to the top if it is about something else now; says whether it is."""
        if about == self.about:
            return False
        self.about = about
        self.scroll_home(animate=False)
        return True
