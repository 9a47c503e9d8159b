"""A job on stdin → its events on stdout, in a process of its own.

What a model takes of memory goes back with the process, and a file that breaks llama.cpp breaks
nothing else. The worker ends when its stdin does, which is when its parent does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import msgspec

from localsel.errors import LocalselError
from localsel.events import Event
from localsel.selectors import is_served
from localsel.settings import Settings
from localsel.sharing import Sharing

# It leaves the network before anything is imported that might start a thread.
START = """
from localsel import offline
offline.seal(served={served})
from localsel.pipeline.worker import main
main()
"""
# How long an interrupted worker may take to write down where it stands.
PATIENCE = 20.0


def work(job: str, settings: Settings, sharing: Sharing) -> Generator[Event, None, None]:
    """Has a worker do one job; yields its events as they come.

    Raises:
        LocalselError: what the worker failed with; its own words and exit code.
    """
    order = {"job": job, "settings": asdict(settings), "sharing": sharing.as_json()}
    asked = [settings.model, *sharing.narrow]
    is_outside = any(is_served(model, settings.backend) for model in asked)
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", START.format(served=is_outside)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        # Where llama.cpp aborts, its reason is the last thing said, and no debugger is called.
        env=os.environ | {"GGML_NO_BACKTRACE": "1"},
        # ctrl+c reaches the parent alone, which ends its worker in order.
        start_new_session=True,
    )
    assert child.stdin and child.stdout and child.stderr
    said: list[str] = []
    listener = threading.Thread(target=lambda: said.extend(child.stderr or ()), daemon=True)
    listener.start()
    failure: dict[str, Any] | None = None
    try:
        with suppress(BrokenPipeError):
            child.stdin.write(json.dumps(order, default=str) + "\n")
            child.stdin.flush()
        for line in child.stdout:
            if not line.endswith("\n"):
                break  # It died over this line.
            known = json.loads(line)
            if known["event"] == "failed":
                failure = known
            else:
                yield Event.from_json(known)
    finally:
        with suppress(BrokenPipeError):
            child.stdin.close()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        listener.join()
        child.stdout.close()
        child.stderr.close()
    if child.returncode == STOPPED:
        # Somebody told this run to stop, and means all that follow from it.
        raise KeyboardInterrupt
    if failure or child.returncode:
        raise _failed(failure, child.returncode, said)


def _failed(failure: Mapping[str, Any] | None, code: int, said: list[str]) -> LocalselError:
    """What the worker said; or how it died without a word, as of a broken file it may."""
    if failure is None:
        last = said[-1].strip() if said else ""
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        failed = LocalselError(f"Its process {how}{': ' + last if last else '.'}")
        # What Python could not say, a library ended; what it said is a defect of ours.
        failed.exit_code = BROKEN if code < 0 else LocalselError.exit_code
        return failed
    failed = LocalselError(failure["message"], failure["hint"])
    failed.exit_code = failure["exit_code"]
    return failed


BROKEN, STOPPED = 3, 130


def main() -> None:
    """Does the job on stdin."""
    # `localsel stop` ends a run in order, whichever process does it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Whoever starts a comparison in the background may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What a library prints goes where complaints go, not among the events.
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(line: Mapping[str, object]) -> None:
        events.write(json.dumps(line, default=str) + "\n")
        events.flush()

    code = 0
    try:
        settings = msgspec.convert(order["settings"], Settings, strict=False, dec_hook=_path)
        for event in _events(order["job"], settings, Sharing.from_json(order["sharing"])):
            tell(event.as_json())
    except LocalselError as error:
        failure = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
        tell({"event": "failed", **failure})
    except (KeyboardInterrupt, BrokenPipeError):
        code = STOPPED
    # The thread that waits for the parent holds stdin: nothing may tidy that up.
    os._exit(code)


def _events(job: str, settings: Settings, sharing: Sharing) -> Iterator[Event]:
    from localsel.pipeline import checking, preparing, rehearsal, run

    match job:
        case "plan":
            return preparing.prepare(settings, sharing)
        case "measure":
            return preparing.measure(settings, sharing)
        case "check":
            return checking.check(settings)
        case "rehearse":
            return rehearsal.rehearse(settings, sharing)
        case _:
            return run(settings, sharing)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    # Nobody is left who would end what does not end by itself.
    time.sleep(PATIENCE)
    os._exit(STOPPED)


def _path(kind: type, value: object) -> object:
    return kind(value)
