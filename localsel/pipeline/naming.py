"""A file that names rows of a pool, by number or by the instruction itself → those rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from localsel.errors import InputError
from localsel.events import Event
from localsel.pipeline.course import Course
from localsel.pipeline.identity import Identity
from localsel.records import Instruction, text_digest
from localsel.stages.export import restored
from localsel.stages.load import BadRow, Layout, open_rows
from localsel.store import Store
from localsel.wording import counted

ROW_NUMBERS = re.compile(r"[0-9\s,]*[0-9][0-9\s,]*")
LARGEST = 10**18


class RowReader:
    """Reads such files, of one pool; `notes` tells what was in them."""

    def __init__(
        self, course: Course, identity: Identity, instructions: Sequence[Instruction]
    ) -> None:
        self.course, self.identity = course, identity
        self.texts = {each.row: each.text for each in instructions}
        self.notes: list[Event] = []

    @cached_property
    def row_of(self) -> dict[bytes, int]:
        return {text_digest(text): row for row, text in self.texts.items()}

    def read(self, name: str, strict: bool) -> tuple[set[int], list[str]]:
        """The rows that the files of a flag name, and the texts that they hold, in their order.

        A text that the pool does not have is refused where `strict`, and else only told.

        Raises:
            InputError: the file cannot be read, or changed since the run was named after it.
        """
        rows, texts = set[int](), dict[str, None]()
        for path, digest in zip(self._files(name), self.identity.said.get(name, []), strict=True):
            found, held = self._read(name, path, digest, strict)
            rows |= found
            texts |= dict.fromkeys(held)
        return rows, list(texts)

    def _files(self, name: str) -> Sequence[Path]:
        files: Sequence[Path] = getattr(self.course.settings, name)
        return files

    def _read(self, name: str, path: Path, digest: str, strict: bool) -> tuple[set[int], list[str]]:
        if (numbers := row_numbers(path)) is not None:
            named = dict.fromkeys(self._distinct(path, number) for number in numbers)
            rows, texts = set(named), [self.texts[row] for row in named]
        else:
            rows, texts = self._matched(name, path, strict)
        if self.course.store.cached_digest(path) != digest:
            raise InputError(f"{path} was written to while it was read.", "Give the command again.")
        return rows, texts

    def _matched(self, name: str, path: Path, strict: bool) -> tuple[set[int], list[str]]:
        rows, texts, strangers = set[int](), list[str](), 0
        settings = self.course.settings
        for place, text in read_texts(path, settings.map, settings.encoding):
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
        pool = self.identity.pool
        row = self.course.store.distinct_row(pool, number) if number < LARGEST else None
        if row is None:
            raise InputError(
                f"{path}: there is no row {str(number)[:20]} in {self.course.settings.data}.",
                "Rows count from 0.",
            )
        return row


def row_numbers(path: Path) -> list[int] | None:
    """The numbers in a text file that holds nothing else; None for any other file."""
    with path.open("rb") as file:
        start = file.read(4096)
        if not start.strip():
            return []
        if not ROW_NUMBERS.fullmatch(start.decode("utf-8-sig", "replace")):
            return None
        text = (start + file.read()).decode("utf-8-sig", "replace")
    if not ROW_NUMBERS.fullmatch(text):
        return None
    # What is longer than any row number is no row, and need not be counted out.
    return [int(digits[:20]) for digits in re.findall("[0-9]+", text)]


def read_texts(
    path: Path, columns: Mapping[str, str], encoding: str | None
) -> Iterator[tuple[int, str]]:
    """Row and text of every instruction in a file of any layout that a pool may have.

    The file is read as the pool is, with its columns and encoding, or else as its content suggests.
    """
    ways = [(own, code) for code in (None, encoding) for own in (columns, {})]
    for last, (own, code) in enumerate(ways, start=1):
        try:
            layout, rows = open_rows(path, columns=own, encoding=code)
            break
        except InputError as error:
            if last == len(ways):
                raise InputError(
                    str(error), "Name rows by number, or by a file whose layout is known."
                ) from error
    for row in rows:
        if isinstance(row, BadRow):
            raise InputError(f"{path}, row {row.row}: {row.reason}", "Mend the row or delete it.")
        yield row.row, _text(layout, row.instruction, row.input)


def _text(layout: Layout, instruction: str, input_: str) -> str:
    """The text of a row; from a spreadsheet without the quotes that our own export put in front."""
    cells = {"instruction": instruction, "input": input_}
    if layout.format in ("csv", "tsv"):
        cells = {name: str(value) for name, value in restored(cells).items()}
    return Instruction(0, **cells).text


def rows_in(path: Path, store: Store, run: Mapping[str, Any]) -> list[int]:
    """The rows of a run's pool that a file names, by number or by the instruction itself.

    Raises:
        InputError: it cannot be read, or names what the pool does not have.
    """
    pool, settings = run["pool"], run["settings"]
    rows = {text_digest(each.text): each.row for each in store.instructions(pool)}
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")
    numbers = row_numbers(path)
    if numbers is not None:
        named = [str(number)[:20] for number in numbers]
        found = [store.distinct_row(pool, min(number, LARGEST)) for number in numbers]
    else:
        texts = list(read_texts(path, settings["map"], settings["encoding"]))
        named = [str(place) for place, _ in texts]
        found = [rows.get(text_digest(text)) for _, text in texts]
    if None in found:
        unknown = named[found.index(None)]
        problem = f"{path}: row {unknown} is not in {settings['data']}."
        raise InputError(problem, "Rows count from 0.")
    return list(dict.fromkeys(row for row in found if row is not None))
