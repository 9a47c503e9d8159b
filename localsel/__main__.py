"""`python -m localsel` and the command `localsel`: arguments → an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from localsel.errors import LocalselError


def main() -> None:
    """Runs one command; every expected failure is one sentence on stderr."""
    from localsel.cli import localsel

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        localsel(standalone_mode=False)
        code = 0
    except Exception as error:  # noqa: BLE001 - the outermost frame decides how each kind ends
        code = _explain(error)
    except KeyboardInterrupt:
        print("\nlocalsel: stopped; what was done is kept.", file=sys.stderr)
        code = 130
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _explain(error: Exception) -> int:
    """The exit code of an expected failure; an unexpected one is a defect and is raised."""
    import click

    match error:
        case LocalselError():
            print(f"localsel: {error}", file=sys.stderr)
            return error.exit_code
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort():
            return 130
        case click.ClickException():
            error.show()
            return error.exit_code
        case BrokenPipeError():
            # Whoever read our output has seen enough; nothing may be flushed into it any more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case _:
            raise error


if __name__ == "__main__":
    main()
