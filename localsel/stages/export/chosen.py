"""One pick as it leaves localsel, and what every writer is: picks and an open file → text in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from localsel.records import Instruction

PREFIX = "localsel_"
"""Of the names under which `_localsel` lies flat, where a tool shows columns."""

ANSWERS = ("output", "response", "answer", "completion")
"""Names of the column that may hold an answer when a file comes back, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One pick as it leaves localsel.

    Attributes:
        columns: all columns of the input record.
        why: what goes into `_localsel`: row, rank, cluster, query, label, position, …
        by: the name of the selector, or of the method where none was asked.
        answer: what a person wrote in review; it is the instruction's response, too.
    """

    instruction: Instruction
    columns: Mapping[str, object]
    why: Mapping[str, object]
    by: str = ""
    answer: str = ""

    def as_json(self) -> dict[str, object]:
        return {**self.columns, "_localsel": dict(self.why)}


Writer = Callable[[Sequence[Chosen], TextIO], None]


def column_among(seen: Iterable[str], wanted: Sequence[str] = ANSWERS) -> str | None:
    """The one column of a file that holds its answers, however it is spelled there."""
    names = {name.strip().lower(): name for name in reversed(list(seen))}
    return next((names[name] for name in wanted if name in names), None)


def reasons_among(chosen: Iterable[Chosen]) -> list[str]:
    """Every field that `_localsel` has in any of these picks."""
    return list(dict.fromkeys(name for each in chosen for name in each.why))


def flat(why: Mapping[str, object]) -> dict[str, object]:
    """`_localsel` as columns: `localsel_row`, `localsel_rank`, …"""
    return {f"{PREFIX}{name}": value for name, value in why.items()}


def storable(value: object) -> object:
    """The same without NUL characters, which end a text for spreadsheets and PostgreSQL."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, Mapping):
        return {str(storable(name)): storable(item) for name, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value
