"""Annotations and the picks of a run → one answer per pick, and what did not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.export.annotation import Annotation

Keep = Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class Joined:
    """How annotations and picks came together; rows in the order of the picks.

    Attributes:
        answers: by row.
        missing: rows that no annotation speaks of; `empty`: that have one, with nothing in it.
        repeated: rows with more than one answer, alike or not.
        unknown: annotations of nothing that was picked.
    """

    answers: Mapping[int, str]
    missing: tuple[int, ...]
    empty: tuple[int, ...]
    repeated: tuple[int, ...]
    unknown: tuple[Annotation, ...]


def join(
    annotations: Iterable[Annotation], picks: Sequence[Instruction], keep: Keep | None = None
) -> Joined:
    """Joins by row, or by the text of instruction and input where there is no row.

    Raises:
        InputError: two answers to one row differ and `keep` does not say which one counts.
    """
    rows = [pick.row for pick in picks]
    by_text = {(pick.instruction, pick.input): pick.row for pick in picks}
    given: dict[int, list[Annotation]] = {row: [] for row in rows}
    unknown = []
    for each in annotations:
        row = by_text.get(each.asked) if each.row is None and each.asked else each.row
        if row in given:
            given[row].append(each)
        else:
            unknown.append(each)
    filled = {row: [each for each in found if each.answer] for row, found in given.items()}
    if keep is None:
        _refuse_conflicts(filled)
    last = -1 if keep == "last" else 0
    return Joined(
        answers={row: found[last].answer for row, found in filled.items() if found},
        missing=tuple(row for row in rows if not given[row]),
        empty=tuple(row for row in rows if given[row] and not filled[row]),
        repeated=tuple(row for row in rows if len(filled[row]) > 1),
        unknown=tuple(unknown),
    )


def _refuse_conflicts(filled: Mapping[int, Sequence[Annotation]]) -> None:
    conflicts = [
        (row, found) for row, found in filled.items() if len({each.answer for each in found}) > 1
    ]
    if conflicts:
        row, found = conflicts[0]
        other = next(each for each in found if each.answer != found[0].answer)
        more = f", and {len(conflicts) - 1:,} more" if len(conflicts) > 1 else ""
        raise InputError(
            f"Row {row} has different answers ({found[0].where}; {other.where}){more}.",
            "Remove all but one, or give --keep first or --keep last.",
        )
