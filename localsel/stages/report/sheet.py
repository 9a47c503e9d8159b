"""A report → Markdown with GitHub's tables: the words and figures of the page, without drawings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from localsel.stages.report.blocks import (
    Block,
    Choice,
    Example,
    Facts,
    Figure,
    Report,
    Section,
    Table,
    Words,
)
from localsel.stages.report.figures import number

# Entities never begin a link, a tag, a cell or a span of code, in any dialect.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "\\": "&#92;"}
_ESCAPES = str.maketrans(_ENTITIES | {sign: f"\\{sign}" for sign in "*_[]~#!$"})
# What GitHub makes a link or a mention of although it is not written as one.
_LINKS = re.compile(r"(?i)(?<=[a-z]):(?=//|\S+@)|(?<=www)\.|@")
_STARTS = re.compile(r"^(?:[-+](?=[-\s]|$)|=(?==|$)|\d+[.)](?=\s|$))")

MISSING = "–"


def written(report: Report) -> str:
    lines = [f"# {escaped(report.title)}", escaped(report.under), *_facts(report.facts)]
    for section in report.sections:
        lines += _section(section)
    lines.append(f"{MISSING} stands where a figure cannot be said.")
    return "\n\n".join(line for line in lines if line) + "\n"


def escaped(text: str) -> str:
    """Text that reads the same once it is rendered, and is nothing but text."""
    safe = _LINKS.sub(lambda sign: f"&#{ord(sign[0])};", text.strip().translate(_ESCAPES))
    return _STARTS.sub(lambda start: f"{start[0][:-1]}\\{start[0][-1]}", safe)


def _section(section: Section) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Words):
        yield from _words(block)
    elif isinstance(block, Facts):
        yield from _facts(block)
    elif isinstance(block, Table):
        yield from _table(block, f"Table {block.number}")
    elif isinstance(block, Figure):
        yield from _figure(block)
    else:
        yield from _example(block)


def _words(block: Words) -> Iterator[str]:
    if block.points:
        yield "\n".join(f"- {escaped(text)}" for text in block.texts)
    else:
        yield from map(escaped, block.texts)


def _facts(block: Facts) -> Iterator[str]:
    if block.title:
        yield f"### {escaped(block.title)}"
    if block.pairs:
        yield _grid(["", ""], [False, False], [list(pair) for pair in block.pairs])


def _figure(block: Figure) -> Iterator[str]:
    if block.table is None:
        yield f"**Figure {block.number}.** {escaped(block.title)}"
        yield escaped(block.instead)
    else:
        yield from _table(block.table, f"Figure {block.number}", block.title)
    yield escaped(block.reading)


def _table(block: Table, name: str, title: str = "") -> Iterator[str]:
    shown = [at for at, column in enumerate(block.columns) if not column.drawn]
    heads = [_head(block.columns[at].group, block.columns[at].name) for at in shown]
    rows, head = [], ""
    for row in block.rows:
        head = row.head if row.span else head
        rows.append([head, *(_cell(row.cells[at].text, row.cells[at].small) for at in shown)])
    right = [block.columns[at].kind == "number" for at in shown]
    yield f"**{name}.** {escaped(title or block.title)}"
    yield _grid([block.head, *heads], [False, *right], rows)
    yield escaped(block.reading)


def _head(group: str, name: str) -> str:
    return f"{group}: {name}" if group else name


def _cell(text: str, small: str) -> str:
    return " ".join(filter(None, [text, small])) or MISSING


def _example(block: Example) -> Iterator[str]:
    yield f"### {escaped(block.title)}"
    heads = ["Row", "Candidate", *(name for _, name, _ in block.names)]
    rows = [
        [each.row, _cell(each.text, _others(each.others)), *map(_choice, each.choices)]
        for each in block.candidates
    ]
    yield _grid(heads, [True, False, *(True for _ in block.names)], rows)
    yield escaped(block.rest)


def _others(names: str) -> str:
    return f"(also picked by {names})" if names else ""


def _choice(made: Choice) -> str:
    """`✓` marks a pick, as on the page."""
    said = number(made.probability) if made.probability is not None else MISSING
    return f"✓ {said}" if made.picked else said


def _grid(heads: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str]]) -> str:
    """A table as GitHub draws it; no cell can end its row."""
    rule = ["---:" if aligned else "---" for aligned in right]
    lines = [[escaped(cell) for cell in line] for line in (heads, *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
