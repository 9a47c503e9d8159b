"""One record and the layout of its file → a row, or what is wrong with it."""

from __future__ import annotations

from localsel.errors import InputError
from localsel.stages.load.conversations import conversation, is_dialogue, reply, turns
from localsel.stages.load.paths import KIND, Columns, lookup
from localsel.stages.load.rows import BadRow, Layout, Record, Row

UNSEEN = {"alpaca": {"input": "input", "response": "output"}}
"""Where a role may still turn up in a later record when no record of the sample has it."""


def read(record: Record, layout: Layout) -> Row | BadRow:
    """A record is a row if it has an instruction that is text and not blank."""
    try:
        columns = _columns(record.value, layout.kind)
        instruction, answer = _instruction(columns, layout)
        given, response = _path(layout, "input"), _path(layout, "response")
        return Row(
            row=record.row,
            instruction=instruction,
            input=(_text(columns, given) or "") if given else "",
            response=reply(lookup(columns, response)) if response else answer,
            columns=columns,
        )
    except InputError as error:
        return BadRow(record.row, record.line, error.message)
    except RecursionError:
        return BadRow(record.row, record.line, "nested too deeply")


def _columns(value: object, kind: str) -> Columns:
    if isinstance(value, dict):
        return value
    if kind == "strings" and isinstance(value, str | int | float):
        return {"instruction": value}
    raise InputError(f"{KIND[type(value)]}, not an object")


def _instruction(columns: Columns, layout: Layout) -> tuple[str, str]:
    """What is asked, and what is answered if both stand in one conversation."""
    path = layout.columns["instruction"]
    found = lookup(columns, path)
    in_turns = layout.kind in ("sharegpt", "messages") or is_dialogue(found)
    said = turns(found) if in_turns else None
    asked, answer = (_text(columns, path), "") if said is None else conversation(said)
    if asked is None:
        raise InputError(f"{path} is missing")
    if not asked.strip():
        raise InputError(f"{path} is empty")
    return asked, answer


def _path(layout: Layout, role: str) -> str | None:
    """Where a role beside the instruction stands, if it has a place of its own."""
    path = layout.columns.get(role) or UNSEEN.get(layout.kind, {}).get(role)
    return None if path == layout.columns["instruction"] else path


def _text(columns: Columns, path: str) -> str | None:
    """Text as it is, a number or a truth value as text, nothing as None."""
    value = lookup(columns, path)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise InputError(f"{path} is {KIND[type(value)]}, not text")
