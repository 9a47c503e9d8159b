"""`localsel runs`: the workspace → its runs, newest first."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

import click

from localsel.carrying import load_run, save_run
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.errors import InputError
from localsel.stages.export import check_writable
from localsel.store import Store


@click.group("runs", invoke_without_command=True)
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List the runs of this workspace, newest first, or carry one to another machine."""
    if context.invoked_subcommand is not None:
        return
    with closing(Store(home(workspace))) as store:
        rows = [_row(store, run) for run in store.runs()]
    if as_json:
        print_json(rows)
    elif rows:
        keys = ("id", "state", "started", "method", "selector", "budget", "data")
        # Without the year there is room for the file's name in a narrow terminal.
        shown = [row | {"started": row["started"][5:]} for row in rows]
        print_table(list(keys), [[row[key] for key in keys] for row in shown], one_line=6)
    else:
        say(f"No runs yet in {home(workspace)}. Try `localsel demo`.")


def _row(store: Store, run: dict[str, Any]) -> dict[str, Any]:
    selector = run["facts"].get("selector") or {}
    return {
        "id": run["run"],
        "state": store.state(run),
        "started": datetime.fromtimestamp(run["created"]).isoformat(" ", "minutes"),
        "method": run["settings"]["method"],
        "selector": selector.get("name"),
        "budget": run["settings"]["budget"],
        "data": Path(run["settings"]["data"]).name,
        "fingerprint": run["fingerprint"],
    }


@command.command("export", epilog="RUN is an id, the beginning of one, or `last`.")
@click.argument("run")
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
def export_run(run: str, file: Path, workspace: Path | None) -> None:
    """Write RUN to FILE, with its rows, queries, answers and picks."""
    check_writable(file)
    with closing(Store(home(workspace))) as store:
        name = store.run(run)["run"]
        save_run(store, name, file)
    say(f"Run {name} is in {file}, with the rows of its pool. There: localsel runs import {file}")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
def import_run(file: Path, workspace: Path | None) -> None:
    """Take the run in FILE up into this workspace."""
    if not file.is_file():
        raise InputError(f"There is no file {file}.", "Check the path.")
    with closing(Store(home(workspace))) as store:
        name = load_run(store, file)
    click.echo(name)
    there = f" --workspace {quote(str(workspace))}" if workspace else ""
    say(f"Look at it: localsel show {name}{there}")
