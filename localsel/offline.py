"""A process → the same process, unable to reach the network, with every attempt counted.

The guard sits at the level of Python: it refuses connections, datagrams and name look-ups that
leave the machine, through any library that uses `socket`.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    # Not about the network: idle threads of llama.cpp would otherwise spin and starve the others,
    # and tokenizers would warn about every child process.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}


class NetworkRefused(OSError):  # noqa: N818 - an OSError, so that libraries handle it as one
    """Somebody tried to leave this machine."""


@dataclass
class Counter:
    """How often something tried to reach the network since the guard went up."""

    attempts: int = 0


def set_variables() -> None:
    """Tells every library that honours it to stay offline. Call before importing any of them."""
    os.environ.update(VARIABLES)


# Where each method of a socket takes the address: connect first, sendto last, after the data and
# perhaps flags.
CALLS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}
LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")

_counters: list[Counter] = []
_restore: list[Callable[[], None]] = []


@contextmanager
def guard() -> Iterator[Counter]:
    """Refuses and counts, while it is up, every connection that is not to this machine.

    Of several guards that are up at once, each counts; they may come down in any order.
    """
    counter = Counter()
    if not _counters:
        _restore.extend(_install())
    _counters.append(counter)
    try:
        yield counter
    finally:
        # By identity: counters with equal counts are equal.
        _counters[:] = [other for other in _counters if other is not counter]
        while _restore and not _counters:
            _restore.pop()()


def _install() -> Iterator[Callable[[], None]]:
    """Puts the guard before everything that leaves the machine; yields what takes it away."""
    for name, place in CALLS.items():
        setattr(socket.socket, name, _checked(getattr(socket.socket, name), place))
        yield partial(delattr, socket.socket, name)
    for name in LOOKUPS:
        original = getattr(socket, name)
        setattr(socket, name, _looked_up(original))
        yield partial(setattr, socket, name, original)


def _checked(original: Callable[..., Any], place: int) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            address = next(iter(arguments[place:]), None)
            if isinstance(address, tuple) and not is_local(address[0]):
                _refuse(address[0])
        return original(self, *arguments)

    return call


def _looked_up(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(host: Any, *arguments: Any, **options: Any) -> Any:
        if host is not None and not is_local(host):
            _refuse(host)
        return original(host, *arguments, **options)

    return call


def _refuse(target: object) -> None:
    for counter in _counters:
        counter.attempts += 1
    raise NetworkRefused(f"localsel is offline: a connection to {target} was refused")


def is_local(host: object) -> bool:
    """Whether `host` names this machine: loopback, `localhost`, or the empty (any) address."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
