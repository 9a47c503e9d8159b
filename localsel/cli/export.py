"""`localsel export`: a run → a file of the chosen instructions."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.errors import UsageError
from localsel.runs import chosen_rows
from localsel.stages.export import EXPORTERS, check_writable, export, format_of
from localsel.store import Store


@click.command("export", epilog="RUN is an id, the beginning of one, or `last`.")
@click.argument("run")
@click.option("--to", "form", type=click.Choice(list(EXPORTERS)), help="[default: by the ending]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@workspace_option
def command(run: str, form: str | None, out: Path, workspace: Path | None) -> None:
    """Write the instructions that RUN chose, best first."""
    check_writable(out)
    form = form or format_of(out)
    with closing(Store(home(workspace))) as store:
        found = store.run(run)
        chosen = chosen_rows(store, found)
        if not chosen:
            raise UsageError(
                f"Run {found['run']} is {store.state(found)} and has no picks yet.",
                "Give its command again to finish it.",
            )
    export(chosen, form, out)
    say(f"Wrote {len(chosen):,} picks to {out} ({form}).")
