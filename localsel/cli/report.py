"""`localsel report`: finished runs → one HTML page, and the same in Markdown."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from localsel.cli.comparing import check_folder, write_report
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, say

EPILOG = """\b
Examples:
  localsel report last
  localsel report 1a2b3c4d 5e6f7a8b --out cmp

RUN is an id, the beginning of one, or `last`. Of several runs over one plan the page compares the
selectors. It needs nothing but itself: no network, no script.
"""


@click.command("report", epilog=EPILOG)
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@click.option("--out", default="report", type=click.Path(path_type=Path), show_default=True)
@workspace_option
@json_option
def command(runs: tuple[str, ...], out: Path, workspace: Path | None, as_json: bool) -> None:
    """Write what RUN… chose, and how they differ, into a folder."""
    from localsel.comparison import compare_runs, entries_of
    from localsel.store import Store

    with closing(Store(home(workspace))) as store:
        entries = entries_of(store, runs)
        check_folder(out)
        found = compare_runs(store, entries)
    write_report(found, out)
    if as_json:
        print_json(found)
    say(f"Written: {out / 'report.html'}, report.md, comparison.json.")
