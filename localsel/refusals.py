"""Attempts to reach the network → how many there were, where they went, and who made them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from threading import Lock
from types import FrameType
from typing import Any

NAMED = 20
"""So many different attempts are named; all are counted."""
LONGEST = 200
OWN = ("localsel.offline", __name__)


class NetworkRefused(OSError):  # noqa: N818 - an OSError, so that libraries handle it as one
    """Somebody tried to leave this machine."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Where somebody wanted to go: `to` a host or host and port, `by` a module, `how` they did."""

    to: str
    by: str
    how: str


@dataclass
class Counter:
    """What tried to reach the network since the guard went up.

    Attributes:
        allowed: hosts that may be reached, and the addresses that they turned out to have.
        attempts: how often anything else was tried; all of them were refused.
    """

    allowed: Collection[str] = ()
    attempts: int = 0
    _refused: dict[Attempt, int] = field(default_factory=dict)
    _passed: dict[Attempt, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, compare=False, repr=False)

    @property
    def refused(self) -> Listed:
        """The first different attempts that were refused, each with how many `times`."""
        return _listed(self._refused)

    @property
    def passed(self) -> Listed:
        """The same of those that were let through."""
        return _listed(self._passed)

    def lets(self, host: object) -> bool:
        """Whether this host may be reached."""
        return _text(host).lower() in self.allowed

    def resolved(self, host: object, addresses: Collection[str]) -> None:
        """A host that may be reached has these addresses."""
        if self.lets(host):
            self.allowed = {*self.allowed, *addresses}

    def note_refused(self, host: object, port: str, how: str) -> None:
        with self._lock:
            self.attempts += 1
            _note(self._refused, host, port, how)

    def note_passed(self, host: object, port: str, how: str) -> None:
        with self._lock:
            _note(self._passed, host, port, how)


Listed = list[dict[str, Any]]


def joined(several: Iterable[Iterable[Mapping[str, Any]]]) -> Listed:
    """The attempts of several lists as one."""
    found: dict[Attempt, int] = {}
    for each in chain.from_iterable(several):
        attempt = Attempt(each["to"], each["by"], each["how"])
        found[attempt] = found.get(attempt, 0) + each["times"]
    return _listed(found)[:NAMED]


def _listed(attempts: Mapping[Attempt, int]) -> Listed:
    return [asdict(attempt) | {"times": times} for attempt, times in attempts.items()]


def _note(attempts: dict[Attempt, int], host: object, port: str, how: str) -> None:
    attempt = Attempt(_place(_text(host)[:LONGEST], port), who(), how)
    if attempt in attempts or len(attempts) < NAMED:
        attempts[attempt] = attempts.get(attempt, 0) + 1


def _place(host: str, port: str) -> str:
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


def who() -> str:
    """The module that wants to leave: the one that localsel called, or whoever began the thread.

    A library that fetches for a plug-in stands between; the plug-in is named.
    """
    frame: FrameType | None = sys._getframe(1)
    found = ""
    while frame:
        name = str(frame.f_globals.get("__name__", ""))
        package = name.partition(".")[0]
        if package == "localsel" and name not in OWN:
            return found or name
        if name not in OWN and package not in sys.stdlib_module_names:
            found = name[:LONGEST]
        frame = frame.f_back
    return found or "python"
