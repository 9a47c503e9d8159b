"""`localsel demo`: the bundled pool and the bundled nano selector → a selection to look at."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.cli.run import follow
from localsel.cli.show import print_picks
from localsel.errors import BackendError
from localsel.runs import chosen_rows
from localsel.settings import Settings, default_workspace, resource
from localsel.stages.export import Chosen
from localsel.store import Store

BUDGET = 40
SHOWN = 12


@click.command("demo")
@workspace_option
def command(workspace: Path | None) -> None:
    """Choose 40 of 485 example instructions with a nano selector. No network, no arguments."""
    model = next(iter(sorted(resource("models").glob("nano*/*.gguf"))), None)
    if model is None:
        raise BackendError("The nano selector is missing from this installation.")
    folder = home(workspace)
    settings = Settings(
        data=resource("examples") / "pool.jsonl",
        budget=BUDGET,
        model=str(model),
        workspace=None if folder == default_workspace() else folder,
        resume="never",
    )
    say("The bundled pool, and a toy selector that is here to show how it works.")
    record = follow(settings)
    with closing(Store(settings.home)) as store:
        run = store.run(str(record["id"]))
        chosen = chosen_rows(store, run)
        marked = [
            str(store.columns(run["pool"], instruction.row)["quality"])
            for instruction in store.instructions(run["pool"])
        ]
    print_picks(chosen[:SHOWN])
    _compare_with_the_pool(chosen, marked)
    there = f" --workspace {workspace}" if workspace else ""
    say(f"Look closer: localsel show {record['id']}{there}")


def _compare_with_the_pool(chosen: list[Chosen], marked: list[str]) -> None:
    """The example pool says which of its rows are poor, which a real pool does not."""
    poor = sum(each.columns["quality"] == "poor" for each in chosen)
    share = marked.count("poor") / len(marked)
    say(f"Poor rows: {poor} of {len(chosen)} picks; {share:.0%} of the pool.")
