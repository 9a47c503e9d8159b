"""Picks → a Markdown sheet to answer by hand; a filled sheet → the answers in it.

Comment lines mark where an answer begins and ends. They carry a code that depends on every text of
the sheet, so that neither an instruction nor an answer can hold such a line by design.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from localsel.errors import InputError
from localsel.stages.export.chosen import Chosen

TITLE = re.compile(r"\s*<!-- localsel sheet (\w+) run (\S+) -->\s*")
MARK = r"\s*<!-- localsel {code} (answer|end) (\d+) -->\s*"

# A terminal obeys these and an editor hides them; what turns text around is among them.
_SYMBOLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
_SYMBOLS |= dict.fromkeys(
    [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD
)


class Answer(NamedTuple):
    """One place of a sheet: the line it begins in, its row, and what stands there."""

    line: int
    row: int
    text: str


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    if not chosen:
        return
    code = _code(chosen)
    file.write(f"<!-- localsel sheet {code} run {chosen[0].why.get('run')} -->\n\n")
    file.write(f"# {len(chosen):,} instructions to answer\n\n")
    file.write(
        'Write each answer between its two comment lines, "answer" and "end", and leave those lines'
        "\nas they are. An answer may hold anything: headings, lists, fences. No answer: leave it"
        " empty.\n"
    )
    for each in chosen:
        file.write(_section(each, code))


def _code(chosen: Sequence[Chosen]) -> str:
    texts = [
        (each.instruction.text, each.why.get("run"), *([each.answer] if each.answer else []))
        for each in chosen
    ]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]


def _section(each: Chosen, code: str) -> str:
    row = each.why["row"]
    parts = [f"\n## {each.why.get('rank')}. Row {row}\n", _fenced(each.instruction.instruction)]
    if each.instruction.input:
        parts += ["Input:\n", _fenced(each.instruction.input)]
    parts += ["Answer:\n", f"<!-- localsel {code} answer {row} -->\n\n"]
    answer = f"{each.answer}\n" if each.answer else ""
    return "\n".join(parts) + f"{answer}\n<!-- localsel {code} end {row} -->\n"


def _fenced(text: str) -> str:
    """A fence longer than any inside, so that no text can close it."""
    shown = text.replace("\r\n", "\n").translate(_SYMBOLS)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}\n"


def run_of(text: str) -> str | None:
    """The run that this sheet was written for; None if the text is no sheet."""
    title = TITLE.match(text)
    return title[2] if title else None


def read(text: str) -> Iterator[Answer]:
    """Every answer, blank lines around it taken off; "" where nothing was written.

    Raises:
        InputError: a comment line is gone, so that nobody knows where an answer ends.
    """
    title = TITLE.match(text)
    mark = re.compile(MARK.format(code=title[1] if title else ""))
    opened: tuple[int, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if (found := mark.fullmatch(line)) is None:
            lines.append(line)
        elif found[1] == "answer":
            _check(opened is None, number, "answer", opened[1] if opened else "")
            opened, lines = (number, found[2]), []
        else:
            _check(opened is not None and opened[1] == found[2], number, "end", found[2])
            assert opened is not None
            yield Answer(opened[0], int(opened[1]), _trimmed(lines))
            opened = None
    _check(opened is None, number, "answer", opened[1] if opened else "")


def _check(sound: bool, line: int, word: str, row: str) -> None:
    if not sound:
        gone = "end" if word == "answer" else "answer"
        raise InputError(
            f"line {line}: the comment line `{gone} {row}` of row {row} is missing before it.",
            f"Put it back; it looks like those of the other rows, with `{gone} {row}`.",
        )


def _trimmed(lines: list[str]) -> str:
    filled = [place for place, line in enumerate(lines) if line.strip()]
    return "\n".join(lines[filled[0] : filled[-1] + 1]) if filled else ""
