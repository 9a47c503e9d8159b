"""`localsel neighbours`: a run and a row → the rows that are nearest to it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table
from localsel.neighbours import neighbours
from localsel.store import Store

EPILOG = """\b
Examples:
  localsel neighbours last 17
  localsel neighbours last 17 --count 50 --json

RUN is an id, the beginning of one, or `last`. Near is what has a large cosine: 1 is the same.
"""


@click.command("neighbours", epilog=EPILOG)
@click.argument("run")
@click.argument("row", type=int)
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True)
@workspace_option
@json_option
def command(run: str, row: int, count: int, workspace: Path | None, as_json: bool) -> None:
    """List the rows nearest to ROW among those that RUN could choose from."""
    with closing(Store(home(workspace))) as store:
        found = neighbours(store, store.run(run), row, count)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        rows: list[list[object]] = [
            [each.row, each.cosine, each.cluster, "✓" if each.picked else "", each.text]
            for each in found
        ]
        print_table(["row", "cosine", "cluster", "picked", "instruction"], rows, one_line=4)
