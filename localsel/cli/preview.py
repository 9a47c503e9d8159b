"""`localsel preview`: the beginning of a file → how it will be read, and its first rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from localsel.cli.options import json_option
from localsel.cli.output import print_json, print_table, say
from localsel.settings import Sourced, check, describe, gather, hints
from localsel.stages.load import Glance, Row, glance
from localsel.wording import counted

ROLES = ("instruction", "input", "response")
MOST = 1000

EPILOG = """\b
Examples:
  localsel preview data.jsonl
  localsel preview data.csv --map instruction=question,response=answer
  localsel preview old.csv --encoding cp1252 --rows 5 --json

Only the beginning of the file is read: what is broken further on is found by a run. Where no
layout is recognised, the first records are shown as they are, with the reason; that is no error.
"""


@click.command("preview", epilog=EPILOG)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--map", "columns", metavar="ROLE=COL,…", help=describe("map"))
@click.option("--encoding", metavar="NAME", help=describe("encoding"))
@click.option("--rows", "count", type=click.IntRange(1, MOST), default=20, show_default=True)
@json_option
def command(
    data: Path, columns: str | None, encoding: str | None, count: int, as_json: bool
) -> None:
    """Show how DATA will be read, and its first rows."""
    path = _checked("data", Sourced(str(data), "DATA"))
    given = gather({"map": columns, "encoding": encoding}, path)
    asked = {name: _checked(name, given[name]) for name in ("map", "encoding") if name in given}
    seen = glance(path, columns=asked.get("map"), encoding=asked.get("encoding"), count=count)
    if as_json:
        print_json(_as_json(path, seen))
    else:
        _print(path, seen)


def _checked(name: str, given: Sourced) -> Any:
    return check(name, given, hints()[name])


def _as_json(path: Path, seen: Glance) -> dict[str, Any]:
    layout = seen.layout
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "format": seen.format,
        "encoding": seen.encoding,
        "layout": layout.describe() if layout else None,
        "map": {role: layout.columns.get(role) for role in ROLES} if layout else None,
        "columns": seen.columns,
        "rows": [_row(row, bool(layout)) for row in seen.rows],
        "bad": [asdict(row) for row in seen.bad],
        "problem": seen.problem,
    }


def _row(row: Row, is_known: bool) -> dict[str, Any]:
    """Without a layout nobody knows which column is the instruction."""
    return asdict(row) if is_known else {**asdict(row), **dict.fromkeys(ROLES)}


def _print(path: Path, seen: Glance) -> None:
    used = [role for role in ROLES if any(getattr(row, role) for row in seen.rows)]
    if seen.layout:
        cells: list[list[object]] = [[getattr(row, role) for role in used] for row in seen.rows]
    else:
        used = list(seen.columns)
        cells = [[row.columns.get(name) for name in used] for row in seen.rows]
    rows = [[row.row, *each] for row, each in zip(seen.rows, cells, strict=True)]
    print_table(["row", *used], rows, one_line=1)
    for bad in seen.bad:
        say(f"row {bad.row}{f', line {bad.line}' if bad.line else ''}: {bad.reason}")
    if seen.layout:
        broken = f"; {counted(len(seen.bad), 'broken row')} among them" if seen.bad else ""
        say(f"{path}: {seen.layout.describe()}. The first {counted(len(rows), 'row')}{broken}.")
    else:
        say(str(seen.problem))
