"""The lines of a CSV or TSV file → the cells of each record and the line it begins in."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

DELIMITERS, BLANK = ",;\t", " \r\n"
LARGEST_CELL = 1 << 24


def delimiter(lines: Sequence[str]) -> str:
    """Whatever cuts the header into the most names; in doubt a comma."""
    return max(DELIMITERS, key=lambda mark: len(_header(lines, mark)))


def header(lines: Sequence[str]) -> list[str]:
    return _header(lines, delimiter(lines))


def _header(lines: Sequence[str], mark: str) -> list[str]:
    with _large_cells(), suppress(csv.Error):
        return next(csv.reader(lines, delimiter=mark), [])
    return []


class _Lines:
    """Lines that can be put back, because a stray quote may swallow good rows."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.coming = iter(lines)
        self.waiting: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else next(self.coming)
        self.taken.append(line)
        return line

    def put_back(self) -> None:
        """All but the first of the lines taken for this record."""
        self.waiting.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def cells_by_line(text: Iterable[str], mark: str) -> Iterator[tuple[int, list[str] | str]]:
    """First line and cells of every record that is not blank, or what is wrong with its quotes."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=mark, strict=True)
    at = 1
    while True:
        lines.taken.clear()
        try:
            with _large_cells():
                cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.put_back()
            cells = str(error)
        if cells and lines.taken[0].strip(BLANK):
            yield at, cells
        at += len(lines.taken)


@contextmanager
def _large_cells() -> Iterator[None]:
    """The limit belongs to the whole process, so it is ours only while a record is read."""
    limit = csv.field_size_limit(LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
