"""A pool, and what the user says of its rows → who may be chosen, who must be, who is set aside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from localsel.errors import InputError, UsageError
from localsel.events import Event
from localsel.pipeline.course import Course, Steps
from localsel.pipeline.identity import Identity, text_digest
from localsel.records import Instruction
from localsel.stages.load import BadRow, lookup, open_rows
from localsel.wording import counted

ROW_NUMBERS = re.compile(r"[\d\s,]*\d[\d\s,]*")
GIVEN = "annotated already (--given)"
BANNED = "banned (--ban)"
ELSEWHERE = "not what --where asks for"
INCLUDED = "picked by --include"


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
    given, annotated = reader.read("given", settings.given, strict=False)
    include, _ = reader.read("include", settings.include, strict=True)
    ban, _ = reader.read("ban", settings.ban, strict=False)
    _refuse_contradiction({"--given": given, "--include": include, "--ban": ban})
    outside = _elsewhere(course, identity, instructions) if settings.where else set[int]()
    yield from reader.notes
    reasons = (
        dict.fromkeys(outside - include, ELSEWHERE)
        | dict.fromkeys(ban, BANNED)
        | dict.fromkeys(given, GIVEN)
        | dict.fromkeys(include, INCLUDED)
    )
    admitted = tuple(each for each in instructions if each.row not in reasons)
    _refuse_budget(course, len(include), len(admitted))
    texts = {each.row: each.text for each in instructions}
    centres = (*annotated, *(texts[row] for row in sorted(include)))
    return Admission(admitted, tuple(sorted(include)), centres, dict(sorted(reasons.items())))


class RowReader:
    """Reads files that name rows of one pool: by number, or by the instruction itself."""

    def __init__(
        self, course: Course, identity: Identity, instructions: Sequence[Instruction]
    ) -> None:
        self.course, self.identity = course, identity
        self.texts = {each.row: each.text for each in instructions}
        self.notes: list[Event] = []

    @cached_property
    def row_of(self) -> dict[bytes, int]:
        return {text_digest(text): row for row, text in self.texts.items()}

    def read(self, name: str, path: Path | None, strict: bool) -> tuple[set[int], list[str]]:
        """The rows that a file names, and the texts that it holds, in its own order.

        A text that the pool does not have is refused where `strict`, and else only told.
        """
        if path is None:
            return set(), []
        if (numbers := row_numbers(path)) is not None:
            numbered = dict.fromkeys(self._distinct(path, number) for number in numbers)
            return set(numbered), [self.texts[row] for row in numbered]
        rows, texts, strangers = set[int](), list[str](), 0
        for place, text in read_texts(self.course, path):
            row = self.row_of.get(text_digest(text))
            if row is not None:
                rows.add(row)
            elif strict:
                raise InputError(
                    f"{path}, row {place}: this instruction is not in {self.course.settings.data}.",
                    f"Everything in --{name} has to be a row of the pool.",
                )
            texts.append(text)
            strangers += row is None
        note = f"--{name}: {counted(len(rows), 'row')} of the pool"
        note += f", and {counted(strangers, 'instruction')} from elsewhere." if strangers else "."
        self.notes.append(self.course.event("note", text=note))
        return rows, list(dict.fromkeys(texts))

    def _distinct(self, path: Path, number: int) -> int:
        """The row that stands for `number`: itself, or the first of its exact duplicates."""
        row = self.course.store.distinct_row(self.identity.pool, number)
        if row is None:
            raise InputError(
                f"{path}: there is no row {number} in {self.course.settings.data}.",
                "Rows count from 0.",
            )
        return row


def row_numbers(path: Path) -> list[int] | None:
    """The numbers in a text file that holds nothing else; None for any other file."""
    with path.open("rb") as file:
        start = file.read(4096)
    if start and not ROW_NUMBERS.fullmatch(start.decode("ascii", "replace")):
        return None
    text = path.read_text(encoding="ascii", errors="replace")
    return [int(number) for number in re.findall(r"\d+", text)] if start else []


def read_texts(course: Course, path: Path) -> Iterator[tuple[int, str]]:
    """Row and text of every instruction in a file of any layout that a pool may have.

    The file is read as the pool is, or else as its content suggests.
    """
    settings = course.settings
    ways = [(settings.map, None), ({}, None), (settings.map, settings.encoding)]
    for last, (columns, encoding) in enumerate(ways, start=1):
        try:
            _, rows = open_rows(path, columns=columns, encoding=encoding)
            break
        except InputError:
            if last == len(ways):
                raise
    for row in rows:
        if isinstance(row, BadRow):
            raise InputError(f"{path}, row {row.row}: {row.reason}", "Mend the row or delete it.")
        yield row.row, Instruction(row.row, row.instruction, row.input).text


def _refuse_contradiction(named: Mapping[str, set[int]]) -> None:
    flags = list(named)
    for place, one in enumerate(flags):
        for other in flags[place + 1 :]:
            if both := named[one] & named[other]:
                raise UsageError(
                    f"Row {min(both)} is in {one} and in {other}.", "Take it out of one of them."
                )


def _elsewhere(course: Course, identity: Identity, instructions: Sequence[Instruction]) -> set[int]:
    """Rows whose columns do not have the values that --where wants."""
    wanted, outside = course.settings.where, set[int]()
    never = set(wanted)
    for row, columns in course.store.all_columns(identity.pool):
        found = {name: lookup(columns, name) for name in wanted}
        never -= {name for name, value in found.items() if value is not None}
        if any(plain_text(found[name]) != value for name, value in wanted.items()):
            outside.add(row)
    if never:
        known = ", ".join(columns) if instructions else ""
        raise UsageError(
            f"--where: no row of {course.settings.data} has a column {min(never)!r}.",
            f"Its columns: {known}.",
        )
    return outside


def plain_text(value: object) -> str:
    """How --where spells a value: 3, true, en; nothing for null."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _refuse_budget(course: Course, included: int, admitted: int) -> None:
    budget = course.settings.budget
    if included > budget:
        raise UsageError(f"--include names {included:,} rows, more than the budget of {budget:,}.")
    if budget - included > admitted:
        raise UsageError(
            f"A budget of {budget:,} is more than the {counted(included + admitted, 'instruction')}"
            " that --given, --where and --ban leave.",
            "Choose a smaller --budget.",
        )
