"""`localsel tui`: the workspace → screens in this terminal."""

from __future__ import annotations

from pathlib import Path

import click

from localsel.cli.options import workspace_option
from localsel.tui.opening import show

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
    if code := show(workspace):
        raise click.exceptions.Exit(code)
