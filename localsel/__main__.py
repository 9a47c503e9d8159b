"""`python -m localsel` and the command `localsel`: arguments → an exit code."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from localsel import offline
from localsel.errors import LocalselError
from localsel.wording import STOPPED


def main(arguments: list[str] | None = None) -> None:
    """Runs one command, that of the process by default; expected failures are one sentence."""
    signal.signal(signal.SIGTERM, _interrupt)
    # A line that drops ends a run in order; under nohup it goes on.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        # Also of the commands that run no model: a plug-in may be imported by any.
        with offline.guard():
            code = _run(sys.argv[1:] if arguments is None else arguments)
    except Exception as error:  # noqa: BLE001 - the outermost frame decides how each kind ends
        code = _explain(error)
    except KeyboardInterrupt:
        print(f"localsel: {STOPPED}", file=sys.stderr)
        code = 130
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if not arguments and sys.stdin.isatty() and sys.stdout.isatty():
        # Without the command line's own libraries: the first frame comes at once.
        from localsel.tui.opening import show

        return show()
    from localsel.cli import localsel

    # Where a command ends with click's `Exit`, its code comes back as a value.
    code: int | None = localsel(arguments, standalone_mode=False)
    return code or 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _explain(error: Exception) -> int:
    """The exit code of an expected failure; an unexpected one is a defect and is raised."""
    import click

    from localsel.printable import visible

    match error:
        case LocalselError():
            # A message may quote data: one line, and nothing that a terminal would obey.
            print(f"localsel: {visible(error)}", file=sys.stderr)
            return error.exit_code
        case click.Abort():
            # Of a question it is the answer no; of anything else it is ctrl+c.
            if isinstance(error.__cause__, KeyboardInterrupt):
                print(f"localsel: {STOPPED}", file=sys.stderr)
            return 130
        case click.ClickException():
            # It quotes what was typed, which may be the name of anybody's file.
            if not isinstance(error, click.exceptions.NoArgsIsHelpError):
                vars(error)["message"] = visible(error.message)
            error.show()
            return error.exit_code
        case _:
            raise error


if __name__ == "__main__":
    main()
