"""`localsel attach`: a detached run → its progress on this terminal, until it ends or you leave."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import get_args

import click

from localsel.cli.display import open_display, watch
from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.cli.run import OVER_LIMIT
from localsel.detached import find_log, follow, last_words
from localsel.errors import LocalselError, UsageError
from localsel.runs import ENDED, run_record
from localsel.settings import Display
from localsel.store import Store

STOPPED = 130


@click.command("attach", epilog="RUN is an id, the beginning of one, or `last`.")
@click.argument("run")
@click.option("--display", type=click.Choice(get_args(Display)), default="auto", show_default=True)
@workspace_option
def command(run: str, display: Display, workspace: Path | None) -> None:
    """Follow a run that was started with --detach. ctrl+c leaves it running."""
    folder = home(workspace)
    with closing(Store(folder)) as store:
        found = store.run(run)
        name, state = found["run"], store.state(found)
        log = find_log(folder, name)
        if log is None and state == "running":
            raise UsageError(f"Run {name} was not started with --detach: its terminal shows it.")
        if log is None:
            say(f"Run {name} is {state}; see `localsel show {name}`.")
            return
        shown = open_display(display)
        try:
            # The lock, not the state: a run is over when it has said so.
            told = follow(log, lambda: store.is_locked(name))
            # The log of a comparison tells of other runs, too.
            ended = watch((each for each in told if each.run in ("", name)), shown)
        except KeyboardInterrupt:
            say(f"Run {name} goes on. Stop it with `localsel stop {name}`.")
            raise click.exceptions.Exit(STOPPED) from None
        record = ended.get("record")
        state = store.state(store.run(name))
        if record is None and state in ENDED:
            # Another process finished it, which has no log.
            record = run_record(store, name)
    if record is None:
        _explain(name, state, last_words(log))
        return
    shown.summarise(record, Path(out) if (out := record["settings"]["out"]) else None)
    if record["state"] == "over-limit":
        raise click.exceptions.Exit(OVER_LIMIT)


def _explain(name: str, state: str, words: str) -> None:
    """How a run ended that has no result."""
    if state == "interrupted":
        say(f"Run {name} was stopped; the same command goes on from there.")
        raise click.exceptions.Exit(STOPPED)
    raise LocalselError(words or f"Run {name} {state}.")
