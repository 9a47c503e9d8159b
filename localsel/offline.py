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

    def refuse(self, target: object) -> None:
        self.attempts += 1
        raise NetworkRefused(f"localsel is offline: a connection to {target} was refused")


def set_variables() -> None:
    """Tells every library that honours it to stay offline. Call before importing any of them."""
    os.environ.update(VARIABLES)


@contextmanager
def guard() -> Iterator[Counter]:
    """Refuses and counts, while it is up, every connection that is not to this machine."""
    counter = Counter()
    originals = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    lookups = {name: getattr(socket, name) for name in ("getaddrinfo", "gethostbyname")}

    def checked(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, *arguments: Any) -> Any:
            # sendto takes the address last, after the data and perhaps flags.
            if self.family in (socket.AF_INET, socket.AF_INET6):
                address = arguments[-1] if arguments else None
                if isinstance(address, tuple) and not is_local(address[0]):
                    counter.refuse(address[0])
            return original(self, *arguments)

        return call

    def looked_up(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(host: Any, *arguments: Any, **options: Any) -> Any:
            if host is not None and not is_local(host):
                counter.refuse(host)
            return original(host, *arguments, **options)

        return call

    for name, original in originals.items():
        setattr(socket.socket, name, checked(original))
    for name, original in lookups.items():
        setattr(socket, name, looked_up(original))
    try:
        yield counter
    finally:
        for name in originals:
            delattr(socket.socket, name)
        for name, original in lookups.items():
            setattr(socket, name, original)


def is_local(host: object) -> bool:
    """Whether `host` names this machine: loopback, `localhost`, or the empty (any) address."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
