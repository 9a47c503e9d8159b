"""`localsel rm`: a run → nothing, after a question."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.detached import remove_logs
from localsel.errors import UsageError
from localsel.store import Store


@click.command("rm", epilog="RUN is an id, the beginning of one, or `last`.")
@click.argument("runs", metavar="RUN…", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_option
def command(runs: tuple[str, ...], yes: bool, workspace: Path | None) -> None:
    """Delete runs with their answers and picks. Exported files stay."""
    with closing(Store(home(workspace))) as store:
        found = {store.run(name)["run"]: store.run(name) for name in runs}
        for run in found.values():
            if store.state(run) == "running":
                raise UsageError(f"Run {run['run']} is running.", "Stop it first.")
        if not yes and not sys.stdin.isatty():
            raise UsageError("Nobody is here to say yes.", "Give --yes.")
        if not yes:
            click.confirm(f"Delete {', '.join(found)}?", abort=True, err=True)
        for name in found:
            with store.lock(name):
                store.remove_run(name)
                remove_logs(store.home, name)
            say(f"Deleted {name}.")
