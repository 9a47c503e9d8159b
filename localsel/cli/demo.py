"""`localsel demo`: the bundled pool and the bundled nano selector → a selection to look at."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from shlex import quote

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
    """Choose 40 of 485 example instructions with each nano selector. No network, no arguments."""
    models = sorted(resource("models").glob("nano-*/*.gguf"))
    if not models:
        raise BackendError("The nano selectors are missing from this installation.")
    folder = home(workspace)
    there = f" --workspace {quote(str(workspace))}" if workspace else ""
    say("The bundled pool, and toy selectors that are here to show how it works.")
    chosen: dict[str, list[Chosen]] = {}
    names: dict[str, str] = {}
    for model in models:
        say(f"── {model.stem}")
        record = follow(settings_of(model, folder))
        with closing(Store(folder)) as store:
            run = store.run(str(record["id"]))
            names[model.stem] = run["run"]
            chosen[model.stem] = chosen_rows(store, run)
            marked = [
                str(store.columns(run["pool"], instruction.row)["quality"])
                for instruction in store.instructions(run["pool"])
            ]
    first = models[0].stem
    say(f"── what {first} chose first")
    print_picks(chosen[first][:SHOWN])
    compare(chosen, marked)
    say(f"Look closer: localsel show {names[first]}{there}")


def settings_of(model: Path, folder: Path) -> Settings:
    """The demo's run with one selector."""
    return Settings(
        data=resource("examples") / "pool.jsonl",
        budget=BUDGET,
        model=str(model),
        workspace=None if folder == default_workspace() else folder,
        resume="never",
    )


def compare(chosen: dict[str, list[Chosen]], marked: list[str]) -> None:
    """How many poor rows each chose, and how many picks are everybody's.

    The example pool says which of its rows are poor, which a real pool does not.
    """
    share = marked.count("poor") / len(marked)
    for name, picks in chosen.items():
        poor = sum(each.columns["quality"] == "poor" for each in picks)
        say(f"{name}: {poor} of {len(picks)} picks are poor rows; {share:.0%} of the pool are.")
    if len(chosen) > 1:
        rows = [{each.instruction.row for each in picks} for picks in chosen.values()]
        say(f"{len(set.intersection(*rows))} of {BUDGET} picks are the same.")
