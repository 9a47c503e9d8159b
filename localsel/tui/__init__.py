"""The workspace → screens in a terminal. Nothing is computed here: commands do it, as children."""

from __future__ import annotations

from pathlib import Path


def run(home: Path) -> int:
    """Shows the workspace until the user leaves; returns the exit code.

    Raises:
        LocalselError: the workspace cannot be used.
    """
    from localsel.tui.app import Localsel

    app = Localsel(home)
    app.run()
    return app.return_code or 0
