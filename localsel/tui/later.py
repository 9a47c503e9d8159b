"""Slow work of a part of the screen → its worker, and whether that part was left meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial

from textual.dom import DOMNode
from textual.worker import Worker


def later(
    node: DOMNode,
    work: Callable[..., Coroutine[None, None, None]],
    *arguments: object,
    group: str = "",
) -> None:
    """Does something that takes long; of one group only what was asked for last.

    A function, not a coroutine: Python warns of one that is overtaken before it begins.
    """
    own = partial(work, *arguments)
    _: Worker[None] = node.run_worker(own, group=group or "default", exclusive=bool(group))


def was_left(node: DOMNode) -> bool:
    """Whether it is being taken away, or the app is ending.

    Who leaves a screen takes its widgets away before the screen itself, which is there, with its
    work, until they all are gone.
    """
    return node._pruning or not node.app.is_running
