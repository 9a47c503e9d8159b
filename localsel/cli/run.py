"""`localsel run`: a file of instructions and a budget → the picks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import click

from localsel.cli.display import open_display
from localsel.cli.options import settings_from, settings_options
from localsel.cli.output import print_json
from localsel.errors import UsageError
from localsel.events import Event
from localsel.settings import Settings

OVER_LIMIT = 4

EPILOG = """\b
Examples:
  localsel run data.jsonl --budget 300 --model gemma.gguf --out picks.jsonl
  localsel run data.csv --budget 50 --model gemma.gguf --map instruction=question
  localsel run data.jsonl --budget 300 --method random --out baseline.jsonl

Run the same command again after an interruption: it goes on where it stopped.
"""


@click.command("run", epilog=EPILOG)
@click.argument("data", type=click.Path(path_type=Path))
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="Print the run's record as JSON at the end.")
def command(data: Path, config: Path | None, as_json: bool, **flags: object) -> None:
    """Choose BUDGET instructions of DATA that are worth annotating."""
    settings = settings_from(data, config, flags)
    if as_json and settings.display == "json":
        raise UsageError("--json and --display json both write to stdout.", "Give one of them.")
    record = follow(settings)
    if as_json:
        print_json(record)
    if record["state"] == "over-limit":
        raise click.exceptions.Exit(OVER_LIMIT)


def follow(settings: Settings) -> dict[str, object]:
    """Drives one run to its end on the chosen display; returns its record."""
    from localsel.pipeline import run

    return watch(run(settings), settings)


def watch(events: Generator[Event, None, None], settings: Settings) -> dict[str, object]:
    """Shows every event; the record is in the last."""
    record: dict[str, object] = {}
    display = open_display(settings.display)
    with display, closing(events):
        for event in events:
            display.show(event)
            if event.event == "done":
                record = dict(event.details["record"])  # type: ignore[call-overload]
    display.summarise(record, settings.out)
    return record
