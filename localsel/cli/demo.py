"""`localsel demo`: the bundled pool and the bundled nano selectors → selections, compared."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from shlex import quote

import click

from localsel.cli.comparing import print_comparison, show
from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.cli.show import print_picks
from localsel.errors import BackendError
from localsel.pipeline.comparing import run_all
from localsel.pipeline.contest import Contest
from localsel.runs import chosen_rows
from localsel.settings import Settings, default_workspace, resource
from localsel.stages.export import Chosen
from localsel.store import Store

BUDGET = 40
SHOWN = 12


@click.command("demo")
@workspace_option
def command(workspace: Path | None) -> None:
    """Choose 40 of 485 example instructions with each nano selector, and compare. No network."""
    models = sorted(resource("models").glob("nano-*/*.gguf"))
    if not models:
        raise BackendError("The nano selectors are missing from this installation.")
    folder = home(workspace)
    there = f" --workspace {quote(str(workspace))}" if workspace else ""
    say("The bundled pool, and toy selectors that are here to show how it works.")
    contest = Contest(tuple(map(str, models)))
    with closing(run_all(settings_of(folder), contest)) as events:
        found = show(events, "auto")
    runs = {each["name"]: each["run"] for each in found["selectors"]}
    with closing(Store(folder)) as store:
        chosen = {name: chosen_rows(store, store.run(run)) for name, run in runs.items()}
        pool = store.run(next(iter(runs.values())))["pool"]
        marked = [str(columns["quality"]) for _, columns in store.all_columns(pool)]
    first = next(iter(runs))
    say(f"── what {first} chose first")
    print_picks(chosen[first][:SHOWN])
    say("── how they compare")
    print_comparison(found)
    count_poor(chosen, marked)
    say(f"Look closer: localsel show {runs[first]}{there}")
    say(f"The whole comparison as a page: localsel report {' '.join(runs.values())}{there}")


def settings_of(folder: Path) -> Settings:
    """The demo's settings."""
    return Settings(
        data=resource("examples") / "pool.jsonl",
        budget=BUDGET,
        workspace=None if folder == default_workspace() else folder,
        resume="never",
    )


def count_poor(chosen: dict[str, list[Chosen]], marked: list[str]) -> None:
    """How many poor rows each chose.

    The example pool says which of its rows are poor, which a real pool does not.
    """
    share = marked.count("poor") / len(marked)
    for name, picks in chosen.items():
        poor = sum(each.columns["quality"] == "poor" for each in picks)
        say(f"{name}: {poor} of {len(picks)} picks are poor rows; {share:.0%} of the pool are.")
