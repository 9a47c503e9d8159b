"""A screen above another, and its answer → the screen below, once however often it is told."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, Screen, ScreenResultType

T = TypeVar("T")


def _is_left(screen: Screen[T]) -> bool:
    """Brings the screen to the top; whether it is not there any more.

    Textual takes away whichever screen is on top, so that a key pressed twice, which comes to a
    screen that has gone, would take away the one below it.
    """
    if screen not in screen.app.screen_stack:
        return True
    while screen.app.screen is not screen:
        screen.app.pop_screen()
    return False


class Above(Screen[ScreenResultType]):
    """A whole screen that lies above a page."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        return AwaitComplete() if _is_left(self) else super().dismiss(result)


class Modal(ModalScreen[ScreenResultType]):
    """A box above a page, which is seen around it."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        return AwaitComplete() if _is_left(self) else super().dismiss(result)
