"""`localsel map`: a run → its pool as points on a plane, and a file of them for other tools."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, say
from localsel.projection import Projection, points_of, projection
from localsel.review import review_of
from localsel.stages.export.files import check_writable, replace_all
from localsel.store import Store

EPILOG = """\b
Examples:
  localsel map last
  localsel map last --out map.csv
  localsel map last --json

RUN is an id, the beginning of one, or `last`. x and y are the two directions in which the vectors
of the pool differ most. The points are made once and kept in the workspace as a NumPy array of
row, x and y.
"""


@click.command("map", epilog=EPILOG)
@click.argument("run")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A CSV of row, x, y, cluster and picked."
)
@workspace_option
@json_option
def command(run: str, out: Path | None, workspace: Path | None, as_json: bool) -> None:
    """Lay the pool of RUN out on a plane."""
    if out:
        check_writable(out)
    with closing(Store(home(workspace))) as store:
        known = store.run(run)
        made = projection(store, known)
        if out:
            _write(store, known, made, out)
    if as_json:
        print_json(asdict(made))
        return
    across, down = made.explained
    say(
        f"{made.rows:,} rows in {made.seconds:.1f} s; left to right shows {across:.1%} of what"
        f" tells them apart, top to bottom {down:.1%}."
    )
    click.echo(out or made.file)


def _write(store: Store, run: Mapping[str, Any], made: Projection, out: Path) -> None:
    clusters = {row: cluster for row, cluster, _ in store.memberships(run["plan"] or "")}
    picked = {pick.row for pick in review_of(store, run).picks}

    def write(file: TextIO) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "x", "y", "cluster", "picked"])
        for row, x, y in points_of(made).tolist():
            writer.writerow([row, f"{x:.6g}", f"{y:.6g}", clusters.get(row), int(row in picked)])

    replace_all({out: write})
