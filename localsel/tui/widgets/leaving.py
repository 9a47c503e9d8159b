"""Slow work of a screen → the same, dropped in silence where the screen was left meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual.css.query import NoMatches
from textual.dom import DOMNode, NoScreen
from textual.worker import Worker


def run_while_up(
    node: DOMNode, work: Callable[..., Awaitable[None]], *arguments: object, group: str = "default"
) -> None:
    """Does it later; of one group only what was asked for last.

    Whoever pops a screen takes its widgets away before what still runs there ends.
    """

    async def done() -> None:
        try:
            await work(*arguments)
        except NoMatches:
            if not was_left(node):
                raise

    _: Worker[None] = node.run_worker(done, group=group, exclusive=group != "default")


def was_left(node: DOMNode) -> bool:
    """Whether its screen is no longer among those of the app, or the app is ending."""
    try:
        return not node.app.is_running or node.screen not in node.app.screen_stack
    except NoScreen:
        return True
