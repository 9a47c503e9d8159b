"""`localsel stop`: a running run → a stopped one; what it has done is kept."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import closing, suppress
from pathlib import Path

import click

from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.errors import LocalselError, UsageError
from localsel.store import Store

PATIENCE = 60.0


@click.command("stop", epilog="RUN is an id, the beginning of one, or `last`.")
@click.argument("run")
@workspace_option
def command(run: str, workspace: Path | None) -> None:
    """Stop a run that is going on, detached or in another terminal."""
    with closing(Store(home(workspace))) as store:
        name = store.run(run)["run"]
        owner = store.owner(name)
        if owner is None:
            say(f"Run {name} is not running: it is {store.state(store.run(name))}.")
            return
        if owner["host"] != socket.gethostname():
            raise UsageError(f"Run {name} is running on {owner['host']}.", "Stop it there.")
        with suppress(ProcessLookupError):
            os.kill(owner["pid"], signal.SIGTERM)
        _wait(store, name)
        state = store.state(store.run(name))
    if state == "interrupted":
        say(f"Stopped run {name}; what it did is kept. The same command goes on.")
    else:
        say(f"Run {name} came to its end before: it is {state}.")


def _wait(store: Store, name: str) -> None:
    """Until the lock is free: the query that is being answered is finished first."""
    ends = time.monotonic() + PATIENCE
    while store.owner(name) is not None:
        if time.monotonic() > ends:
            raise LocalselError(
                f"Run {name} has been told to stop, but is still busy with a query.", "Wait for it."
            )
        time.sleep(0.1)
