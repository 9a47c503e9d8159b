"""`localsel runs`: the workspace → its runs, newest first."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.store import Store


@click.command("runs")
@workspace_option
@json_option
def command(workspace: Path | None, as_json: bool) -> None:
    """List the runs of this workspace, newest first."""
    with closing(Store(home(workspace))) as store:
        rows = [_row(store, run) for run in store.runs()]
    if as_json:
        print_json(rows)
    elif rows:
        keys = ("id", "state", "started", "method", "selector", "budget", "data")
        print_table(list(keys), [[row[key] for key in keys] for row in rows], one_line=6)
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
