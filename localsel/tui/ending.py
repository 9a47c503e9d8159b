"""How a command ended → the one sentence that says so, and what can be done."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from localsel.tui.standing import answered
from localsel.tui.watching import name_of
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.store import Store
    from localsel.tui.following import Job

AGAIN = "Press r to go on."


def sentence(job: Job, kept: str = "") -> str:
    """What happened to a command that is not alive, what is kept of it, and which key helps."""
    if not job.broken:
        if job.told and all(each.reused for each in job.told.values() if each.run):
            return f"{name_of(job)} had finished before: nothing was chosen again{_but(job)}."
        return f"{name_of(job)} is done{_but(job)}."
    if job.stopped:
        said = f"{name_of(job)} was stopped."
    elif job.words:
        said = f"{name_of(job)}: {job.words}"
    else:
        said = f"{name_of(job)} {_unsaid(job.code)}"
    return " ".join(filter(None, (said, kept, AGAIN)))


def _but(job: Job) -> str:
    failed = len((job.comparison or {}).get("failed", ()))
    return f", but {counted(failed, 'selector')} failed" if failed else ""


def _unsaid(code: int | None) -> str:
    """Of a process that said nothing."""
    if code is None:
        return "was ended from outside: nothing was said."
    if code >= 0:
        return f"ended with exit code {code}: nothing was said."
    name = _signal(-code)
    if name == "SIGKILL":
        return "was killed (SIGKILL), as it happens when memory runs out."
    if name in ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE"):
        return f"crashed ({name}) in a library, as it happens with a broken model file."
    return f"was ended from outside by {name}."


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def kept(store: Store, run: str) -> str:
    """How much of a run is there: `17 of 52 queries are kept.`"""
    found = store.known(run)
    if not found:
        return ""
    done, total = answered(found, store.progress(run))
    verb = "is" if 1 in (done, total) else "are"
    return f"{done:,} of {counted(total, 'query', 'queries')} {verb} kept." if total else ""
