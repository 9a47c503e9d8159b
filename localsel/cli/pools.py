"""`localsel pools`: the workspace → what was read into it, and any of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.store import LARGEST, Store
from localsel.wording import counted

FACTS = ("pool", "path", "layout", "rows", "bad", "duplicates", "runs")


@click.group("pools", invoke_without_command=True)
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List what was read into this workspace, newest first."""
    if context.invoked_subcommand is not None:
        return
    with closing(Store(home(workspace))) as store:
        found = [_facts(each, store.duplicates(each["pool"])) for each in store.pools()]
    if as_json:
        print_json(found)
    elif found:
        head = ["pool", "rows", "bad", "duplicates", "runs", "path"]
        rows: list[list[object]] = [
            [each["pool"][:8], *(each[name] for name in head[1:])] for each in found
        ]
        print_table(head, rows, one_line=5)
    else:
        say(f"No pools yet in {home(workspace)}. A run reads its data into one.")


def _facts(pool: dict[str, Any], duplicates: int) -> dict[str, Any]:
    known = pool | {"duplicates": duplicates}
    return {name: known[name] for name in FACTS}


SHOW = """\b
Examples:
  localsel pools show last
  localsel pools show 3f2a --from 5000 --count 50
  localsel pools show 3f2a --find "tree frog" --json

POOL is an id, the beginning of one, or `last`.
"""


@command.command(epilog=SHOW)
@click.argument("pool")
@click.option(
    "--from", "start", type=click.IntRange(0, LARGEST), default=0, help="The first row, by number."
)
@click.option("--count", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--find", metavar="TEXT", help="Rows with this text in them, in whatever case.")
@workspace_option
@json_option
def show(
    pool: str, start: int, count: int, find: str | None, workspace: Path | None, as_json: bool
) -> None:
    """Show rows of POOL."""
    with closing(Store(home(workspace))) as store:
        facts = store.pool_named(pool)
        # One more than wanted tells where to go on.
        found = _rows(store, facts["pool"], start, count + 1, find)
    rows, following = found[:count], [each["row"] for each in found[count:]]
    if as_json:
        names = [name for name in FACTS if name != "duplicates"]
        head = {name: facts[name] for name in names} | {"from": start, "find": find}
        print_json({**head, "found": rows, "next": following[0] if following else None})
        return
    print_table(["row", "instruction", "input"], [_cells(row) for row in rows], one_line=1)
    more = f"; go on with --from {following[0]}" if following else ""
    which = f" with {find!r}" if find else ""
    say(f"{counted(len(rows), 'row')}{which} of {facts['rows']:,} in {facts['path']}{more}.")


def _rows(
    store: Store, pool: str, start: int, count: int, find: str | None
) -> list[dict[str, Any]]:
    if not find:
        return store.records(pool, start, count)
    found: Iterator[int] = (row for _, rows in store.search(pool, find, start) for row in rows)
    return [store.records(pool, row, 1)[0] for row in islice(found, count)]


def _cells(row: dict[str, Any]) -> list[object]:
    twin = row["duplicate_of"]
    text = row["instruction"] if twin is None else f"(as row {twin}) {row['instruction']}"
    return [row["row"], text, row["input"]]
