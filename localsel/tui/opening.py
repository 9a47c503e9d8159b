"""A terminal and a workspace → the TUI in it, or a sentence that says why not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from localsel.errors import UsageError
from localsel.settings import home

HINT = "Use the commands: `localsel runs`, `localsel run --help`."


def show(workspace: Path | None = None) -> int:
    """Opens the screens until the user leaves; returns the exit code.

    Raises:
        UsageError: this is no terminal that can show them.
    """
    # The screens are drawn on stderr.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("The TUI needs a terminal.", HINT)
    kind = os.environ.get("TERM", "dumb")
    if kind in ("dumb", "unknown", ""):
        raise UsageError(f"A terminal of TERM={kind} cannot show the TUI.", HINT)
    from localsel.tui import run

    return run(home(workspace))
