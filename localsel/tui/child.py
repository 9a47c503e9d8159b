"""A command line → what it prints and says, from a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localsel.errors import LocalselError

PATIENCE = 5.0
"""Seconds that a child which is told to end may take."""


class RefusedError(LocalselError):
    """A command that failed: its last words, and all that it said, as `log`."""

    def __init__(self, message: str, log: str, exit_code: int) -> None:
        super().__init__(message)
        self.log, self.exit_code = log, exit_code


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: `out` is what it printed, `said` what it said on stderr."""

    code: int
    out: str
    said: str

    @property
    def words(self) -> str:
        """What it said last, without the program's name."""
        return str(refused(self.said, self.code))


def refused(said: str, exit_code: int) -> RefusedError:
    """What a command's stderr says of its failure."""
    lines = said.strip().splitlines()
    last = lines[-1].removeprefix("localsel: ") if lines else f"It ended with code {exit_code}."
    return RefusedError(last, said, exit_code)


async def command(line: Sequence[str], home: Path) -> Ended:
    """Runs a command to its end. Whoever stops waiting stops the command."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "localsel", *line),
        env=os.environ | {"LOCALSEL_WORKSPACE": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, said = (text.decode("utf-8", "replace") for text in await child.communicate())
    except BaseException:
        await put_down(child)
        raise
    return Ended(child.returncode or 0, out, said)


async def put_down(child: asyncio.subprocess.Process) -> None:
    """Ends a child that nobody listens to any more, and waits for its end whatever happens."""
    with suppress(ProcessLookupError):
        child.terminate()
    ends = time.monotonic() + PATIENCE
    while child.returncode is None:
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(child.wait(), max(ends - time.monotonic(), 0.1))
        if child.returncode is None and time.monotonic() > ends:
            # Busy in a library that hears no signals.
            with suppress(ProcessLookupError):
                child.kill()


async def document(line: Sequence[str], home: Path) -> Any:
    """Runs a read command with `--json` and returns what it printed.

    Raises:
        RefusedError: it failed.
    """
    ended = await command([*line, "--json"], home)
    try:
        return json.loads(ended.out)
    except ValueError as error:
        # It failed, or was killed while it printed.
        raise refused(ended.said, ended.code) from error


async def talk(line: Sequence[str], home: Path) -> str:
    """Runs a command and returns the last thing it said."""
    return (await command(line, home)).words
