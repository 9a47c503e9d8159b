"""`localsel run`: a file of instructions and a budget → the picks."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from shlex import quote

import click

from localsel import offline
from localsel.cli.display import open_display, watch
from localsel.cli.options import Sectioned, settings_from, settings_options, typed, typed_names
from localsel.cli.output import print_json, say
from localsel.errors import UsageError
from localsel.selectors import is_served
from localsel.settings import Settings

OVER_LIMIT = 4

EPILOG = """\b
Examples:
  localsel run data.jsonl --budget 300 --model gemma.gguf --out picks.jsonl
  localsel run data.csv --budget 50 --model gemma.gguf --map instruction=question
  localsel run data.jsonl --budget 300 --method random --out baseline.jsonl
  localsel run answered.jsonl --budget 300 --method ifd --model gemma.gguf
  localsel run data.jsonl --budget 300 --model gemma.gguf --dry-run
  localsel run data.jsonl --budget 200 --model gemma.gguf --given annotated.json --ban no.txt

--given, --include and --ban take any file of instructions, in any layout that data may
have, or a text file of row numbers.

Run the same command again after an interruption: it goes on where it stopped.
"""


@click.command("run", cls=Sectioned, epilog=EPILOG)
@click.argument("data", type=click.Path(path_type=Path))
@settings_options()
@click.option("--dry-run", is_flag=True, help="Only say what would be asked, and for how long.")
@click.option("--detach", is_flag=True, help="Go on without this terminal; see attach and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as JSON at the end.")
def command(
    data: Path,
    config: Path | None,
    dry_run: bool,
    detach: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Choose BUDGET instructions of DATA that are worth annotating."""
    settings = settings_from(data, config, flags)
    if dry_run and detach:
        raise UsageError("--dry-run and --detach do not go together.", "Give one of them.")
    if as_json and settings.display == "json":
        raise UsageError("--json and --display json both write to stdout.", "Give one of them.")
    if detach:
        go_on_alone(data, config, flags, settings, as_json)
        return
    offline.seal(is_served(settings.model, settings.backend))
    # Not before: it brings libraries that start threads.
    from localsel.pipeline.early import fitting

    settings = fitting(settings, typed_names(flags))
    if dry_run:
        rehearse(settings, as_json)
        return
    record = follow(settings)
    if as_json:
        print_json(record)
    if record["state"] == "over-limit":
        raise click.exceptions.Exit(OVER_LIMIT)


def rehearse(settings: Settings, as_json: bool) -> None:
    """Prints the plan of a run, on stdout."""
    from localsel.cli.estimate import print_estimate
    from localsel.pipeline.rehearsal import rehearse

    with closing(rehearse(settings)) as events:
        estimate = watch(events, open_display(settings.display))["plan"]
    if as_json:
        print_json(estimate)
    elif settings.display != "json":
        print_estimate(estimate)


def go_on_alone(
    data: Path, config: Path | None, flags: dict[str, object], settings: Settings, as_json: bool
) -> None:
    """Starts the run in the background; its id on stdout is for scripts."""
    from localsel.detached import launch

    line = typed({**flags, "config": config, "display": "json"})
    event = launch(["run", *line, "--", str(data)], settings.home)
    if as_json:
        print_json({"run": event.run, "state": event.details["state"]})
    else:
        click.echo(event.run)
    if event.details["state"] == "finished" and not settings.reason:
        say(f"Run {event.run} did this before; --resume never would do it again.")
        return
    there = f" --workspace {quote(str(settings.workspace))}" if settings.workspace else ""
    say(f"Run {event.run} goes on in the background, whatever happens to this terminal.")
    say(f"Follow it: localsel attach {event.run}{there}")
    say(f"Stop it:   localsel stop {event.run}{there}")


def follow(settings: Settings) -> dict[str, object]:
    """Drives one run to its end on the chosen display; returns its record."""
    from localsel.pipeline import run

    display = open_display(settings.display)
    with closing(run(settings)) as events:
        record: dict[str, object] = watch(events, display)["record"]
    display.summarise(record, settings.out)
    return record
