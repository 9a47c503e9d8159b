"""`localsel tui`: the workspace → screens in this terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from localsel.cli.options import home, workspace_option
from localsel.errors import UsageError

EPILOG = """\b
Examples:
  localsel
  localsel tui --workspace project

Keys 1 to 8 open the screens, ? says what can be pressed, q leaves. What was started goes on.
"""


@click.command("tui", epilog=EPILOG)
@workspace_option
def command(workspace: Path | None) -> None:
    """Choose, watch, compare and review in this terminal. The same as `localsel` alone."""
    show(home(workspace))


def show(folder: Path) -> None:
    """Opens the screens.

    Raises:
        UsageError: this is no terminal that can show them.
    """
    # The screens are drawn on stderr.
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("The TUI needs a terminal.", "See `localsel --help` for the commands.")
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        raise UsageError(
            f"A terminal of TERM={os.environ.get('TERM', '')} cannot show the TUI.",
            "Use the commands: `localsel runs`, `localsel run --help`.",
        )
    from localsel.tui import run

    if code := run(folder):
        raise click.exceptions.Exit(code)
