"""A pool, and what the user says of its rows → who may be chosen, who must be, who is set aside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from localsel.errors import UsageError
from localsel.pipeline.course import Course, Steps
from localsel.pipeline.identity import Identity
from localsel.pipeline.naming import RowReader
from localsel.records import INCLUDED, Instruction
from localsel.settings import Settings
from localsel.stages.load import lookup
from localsel.wording import counted

GIVEN = "annotated already (--given)"
BANNED = "banned (--ban)"
ELSEWHERE = "not what --where asks for"

TOLD, LONGEST = 5, 30


@dataclass(frozen=True, slots=True)
class Admission:
    """What the user's word makes of a pool.

    Attributes:
        open: the instructions that a method chooses from, in file order.
        included: rows that are picked in any case.
        given: texts that are annotated, or will be: centres from the start.
        set_aside: row to the reason why it is not in `open`.
    """

    open: tuple[Instruction, ...]
    included: tuple[int, ...] = ()
    given: tuple[str, ...] = ()
    set_aside: Mapping[int, str] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many of `open` have a response."""
        return sum(bool(each.response.strip()) for each in self.open)


def admit(
    course: Course, identity: Identity, instructions: Sequence[Instruction]
) -> Steps[Admission]:
    """Applies --given, --include, --ban and --where.

    Raises:
        InputError: one of the files cannot be read, or names a row that the pool does not have.
        UsageError: they contradict each other, or leave fewer rows than the budget.
    """
    settings = course.settings
    if not (settings.given or settings.include or settings.ban or settings.where):
        return Admission(tuple(instructions))
    reader = RowReader(course, identity, instructions)
    given, annotated = reader.read("given", strict=False)
    include, _ = reader.read("include", strict=True)
    ban, _ = reader.read("ban", strict=False)
    _refuse_contradiction(include, {"--given": given, "--ban": ban})
    outside = _elsewhere(course, identity) if settings.where else set[int]()
    yield from reader.notes
    reasons = (
        dict.fromkeys(outside - include, ELSEWHERE)
        | dict.fromkeys(ban, BANNED)
        | dict.fromkeys(given, GIVEN)
        | dict.fromkeys(include, INCLUDED)
    )
    admitted = tuple(each for each in instructions if each.row not in reasons)
    _refuse_budget(settings, len(include), len(admitted))
    texts = {each.row: each.text for each in instructions}
    centres = (*annotated, *(texts[row] for row in sorted(include)))
    return Admission(admitted, tuple(sorted(include)), centres, dict(sorted(reasons.items())))


def _refuse_contradiction(include: set[int], out: Mapping[str, set[int]]) -> None:
    for flag, rows in out.items():
        if both := include & rows:
            raise UsageError(
                f"Row {min(both)} is in --include and in {flag}.", "Take it out of one of them."
            )


def _elsewhere(course: Course, identity: Identity) -> set[int]:
    """Rows of which no exact duplicate has the values in its columns that --where wants."""
    wanted, rows, inside = course.settings.where, set[int](), set[int]()
    never, seen = set(wanted), dict[str, dict[str, None]]()
    for row, columns in course.store.all_columns(identity.pool):
        found = {name: lookup(columns, name) for name in wanted}
        never -= {name for name, value in found.items() if value is not None or name in columns}
        for name, value in found.items():
            seen.setdefault(name, {})[plain_text(value)] = None
        rows.add(row)
        if all(plain_text(found[name]) == value for name, value in wanted.items()):
            inside.add(row)
    if never:
        raise UsageError(
            f"--where: no row of {course.settings.data} has a column {min(never)!r}.",
            f"Its columns: {', '.join(columns)}.",
        )
    for name, value in wanted.items():
        if value not in seen[name]:
            raise UsageError(
                f"--where: no row of {course.settings.data} has {name}={value}.",
                f"Values there: {_some(seen[name])}.",
            )
    return rows - inside


def _some(values: Iterable[str]) -> str:
    """A few short values, for a person."""
    first = [value[:LONGEST] for value in values if value][: TOLD + 1]
    return ", ".join(first[:TOLD]) + (" …" if len(first) > TOLD else "")


def plain_text(value: object) -> str:
    """How --where spells a value: 3, true, en; nothing for null."""
    if value is None or isinstance(value, str):
        return (value or "").strip()
    return json.dumps(value, ensure_ascii=False)


def _refuse_budget(settings: Settings, included: int, admitted: int) -> None:
    if included > settings.budget:
        raise UsageError(
            f"--include names {included:,} rows, more than the budget of {settings.budget:,}."
        )
    if settings.budget - included > admitted:
        used = [flag for flag in ("given", "where", "ban") if getattr(settings, flag)]
        leave = " and ".join(f"--{flag}" for flag in used)
        raise UsageError(
            f"A budget of {settings.budget:,} is more than the"
            f" {counted(included + admitted, 'instruction')} left by {leave or '--include'}.",
            "Choose a smaller --budget, or leave more rows.",
        )
