"""One attempt to leave this machine inside each guard → what stopped it.

The address is set aside for documentation. Where a guard is not up, nothing is attempted.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys

from localsel import namespace, offline
from localsel.health.finding import Finding

HOST = namespace.DOCUMENTATION_ADDRESS[0]
SECONDS = 20
REPORT = "Do not rely on it, and report this."
ALONE = (
    "The guard stands alone: native code is not held. Let users make namespaces"
    " (sysctl user.max_user_namespaces, AppArmor), or run `localsel` under `unshare -rn`."
)


def guard() -> Finding:
    """The attempt raises before any system call."""
    with offline.guard() as counter, socket.socket() as probe:
        if not offline.told(counter)["offline"]["guard"]:
            return Finding("guard", "failure", "it did not go up; nothing was attempted", REPORT)
        try:
            probe.connect(namespace.DOCUMENTATION_ADDRESS)
        except offline.NetworkRefused:
            seen = f"{counter.attempts} of 1 attempts on {HOST} refused before any system call"
            return Finding("guard", "ok", seen)
        except OSError as error:
            return Finding("guard", "failure", f"it let a connection pass: {error}", REPORT)
    return Finding("guard", "failure", "it let a connection pass", REPORT)


def namespaces() -> Finding:
    """The attempt is a child's, without the guard and from inside: it has no route."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", namespace.__file__],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Finding("namespace", "warning", f"it cannot be tried: {error}"[:200], ALONE)
    if not found["held"]:
        return Finding("namespace", "warning", f"none: {found['why']}", ALONE)
    return judged(found["ended"])


def judged(number: int) -> Finding:
    """By the error that the attempt ended in.

    Nobody answers at that address: a packet that leaves ends in silence, and one that somebody on
    the way refuses has left too. Only where there is no route has nothing been sent.
    """
    if number == errno.ENETUNREACH:
        seen = f"1 of 1 attempts on {HOST} stopped: {os.strerror(number)}"
        return Finding("namespace", "ok", seen)
    how = os.strerror(number) if number else "it was reached"
    return Finding("namespace", "failure", f"an attempt on {HOST} had a way out: {how}", REPORT)
