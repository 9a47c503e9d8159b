"""The turns of a conversation → its first user turn and the answer to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from localsel.errors import InputError
from localsel.stages.load.values import jsonable

SPEAKERS = ("from", "role", "name", "speaker")
WORDS = ("value", "content", "text")
USERS = frozenset(("user", "human", "prompter"))
SYSTEMS = frozenset(("system", "developer"))


def turns(value: object) -> list[object] | None:
    """A list of turns, also one written as JSON in a cell; None if it is something else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = jsonable(json.loads(value))
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None


def is_chat(value: object) -> bool:
    """Whether these can be turns: all of them objects or texts."""
    found = turns(value)
    return bool(found) and all(isinstance(turn, dict | str) for turn in found or ())


def is_dialogue(value: object) -> bool:
    """Whether these are turns beyond doubt: a list of objects that each name a speaker."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and _named(turn, SPEAKERS) for turn in value)
    )


def conversation(found: Sequence[object]) -> tuple[str, str]:
    """The first user turn and the next turn, unless that is by the user too; system turns apart.

    Raises:
        InputError: no turn is the user's.
    """
    said = _said(found)
    for who, words in said:
        if who in USERS:
            answerer, answer = next(said, ("", ""))
            return words, "" if answerer in USERS else answer
    raise InputError("a conversation without a user turn")


def reply(value: object) -> str:
    """An answer as text, of a list of turns the first that is not the user's; else nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    if is_dialogue(value) and isinstance(value, list):
        return next((words for who, words in _said(value) if who not in USERS), "")
    return ""


def _said(found: Sequence[object]) -> Iterator[tuple[str, str]]:
    """Who says what, systems left out; plain strings alternate, beginning with the user."""
    for place, turn in enumerate(found):
        if isinstance(turn, str):
            yield ("assistant" if place % 2 else "user"), turn
        elif isinstance(turn, dict) and (name := _named(turn, SPEAKERS)):
            who = str(turn[name]).strip().lower()
            if who not in SYSTEMS:
                yield who, _words(turn)
        elif isinstance(turn, dict):
            yield from ((str(who).lower(), _words(words)) for who, words in turn.items())


def _words(value: object) -> str:
    """Text, the text of an object, or the texts of a list of parts, one a line."""
    if isinstance(value, list):
        return "\n".join(words for part in value if (words := _words(part)))
    if isinstance(value, dict):
        name = _named(value, WORDS)
        return _words(value[name]) if name else ""
    return value if isinstance(value, str) else ""


def _named(turn: dict[str, object], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in turn), None)
