"""The workspace → screens in a terminal. Nothing is computed here: commands do it, as children."""

from __future__ import annotations

import signal
from pathlib import Path


def run(home: Path) -> int:
    """Shows the workspace until the user leaves; returns the exit code.

    Raises:
        LocalselError: the workspace cannot be used.
    """
    from localsel.tui.app import Localsel

    app = Localsel(home)
    # Of a line that dropped there is nothing to tidy up: everything that was done is stored.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    app.run()
    return app.return_code or 0
