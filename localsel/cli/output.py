"""Records and texts → what a terminal or a pipe may safely be sent."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from localsel.printable import visible

# JSON leaves DEL and the C1 controls as they are; a terminal obeys some of them. What stands for
# the odd bytes of a file's name is not UTF-8.
ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), *range(0xD800, 0xE000))}

SMALL = 0.0005
"""A number that three decimals would make nothing of."""


def json_text(document: Any, indent: int | None = None) -> str:
    """JSON that is harmless on a terminal too."""
    return json.dumps(document, ensure_ascii=False, indent=indent, default=str).translate(ESCAPES)


def print_json(document: Any) -> None:
    """Exactly one document on stdout."""
    sys.stdout.write(json_text(document, indent=2) + "\n")


def print_table(head: list[str], rows: list[list[object]], one_line: int | None = None) -> None:
    """Aligned columns. The column at index `one_line` is cut to what the terminal leaves."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    in_terminal = sys.stdout.isatty()
    fill = in_terminal and one_line is not None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=fill)
    for place, name in enumerate(head):
        numbers = all(isinstance(row[place], int | float) for row in rows)
        table.add_column(
            name,
            justify="right" if numbers else "left",
            ratio=1 if fill and place == one_line else None,
            no_wrap=one_line is not None,
            overflow="ellipsis" if place == one_line else "fold",
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if in_terminal:
        Console(highlight=False).print(table)
        return
    # A pipe has no width: nothing is cut there, and nothing is padded.
    console = Console(highlight=False, width=100_000)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if 0 < abs(value) < SMALL else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else visible("" if value is None else value)


def say(text: str) -> None:
    """Talk goes to stderr; it may quote data, and nothing in it moves the cursor."""
    click.echo("\n".join(map(visible, text.split("\n"))), err=True)
