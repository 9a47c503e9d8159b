"""A command line → the one JSON document it prints, from a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from localsel.errors import LocalselError


class RefusedError(LocalselError):
    """A command that failed: its last words, and all that it said, as `log`."""

    def __init__(self, message: str, log: str, exit_code: int) -> None:
        super().__init__(message)
        self.log, self.exit_code = log, exit_code


async def document(line: Sequence[str], home: Path) -> Any:
    """Runs a read command with `--json` and returns what it printed.

    Whoever stops waiting stops the command.

    Raises:
        RefusedError: it failed.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "localsel", *line, "--json"),
        env=os.environ | {"LOCALSEL_WORKSPACE": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, said = await child.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            child.terminate()
        raise
    if child.returncode and not out.strip():
        raise refused(said.decode("utf-8", "replace"), child.returncode)
    return json.loads(out)


def refused(said: str, exit_code: int) -> RefusedError:
    """What a command's stderr says of its failure."""
    lines = said.strip().splitlines()
    last = lines[-1].removeprefix("localsel: ") if lines else f"It ended with code {exit_code}."
    return RefusedError(last, said, exit_code)


async def talk(line: Sequence[str], home: Path) -> str:
    """Runs a command and returns the last thing it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "localsel", *line),
        env=os.environ | {"LOCALSEL_WORKSPACE": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    _, said = await child.communicate()
    return str(refused(said.decode("utf-8", "replace"), child.returncode or 0))
