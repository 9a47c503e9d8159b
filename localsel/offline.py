"""A process → the same process, unable to reach the network, with every attempt counted and named.

The guard sits at the level of Python: it refuses connections, datagrams and name look-ups that
leave the machine, through any library that uses `socket`. Below it, `namespace` has the kernel
refuse them to everything.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from localsel import namespace
from localsel.refusals import Counter, NetworkRefused, joined

__all__ = ["TOLD", "VARIABLES", "Counter", "NetworkRefused", "guard", "is_local", "seal"]
__all__ += ["set_variables", "told", "told_of_all"]

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

SERVED = "the server that it asks is outside"


def set_variables() -> None:
    """Tells every library that honours it to stay offline. Call before importing any of them."""
    os.environ.update(VARIABLES)


def seal(served: bool = False) -> None:
    """The first statement of a process that runs a model: it leaves the network, if it can.

    A model that is `served` is on this machine, but in its own namespace: there the guard stands
    alone.
    """
    set_variables()
    if served:
        namespace.stay_out(SERVED)
    else:
        namespace.enter()


TOLD = ("connections_attempted", "connections_refused", "offline")
"""What a record says of the network."""


def told(counter: Counter) -> dict[str, Any]:
    """What was attempted since a guard went up, and what holds this process.

    Of `offline`: the guard; the namespace, or `why` there is none; and who was let through.
    """
    held = namespace.standing()
    is_up = any(each is counter for each in _counters) and _stands()
    holds = {"guard": is_up, "namespace": held.held, "why": held.why, "allowed": counter.passed}
    return dict(zip(TOLD, (counter.attempts, counter.refused, holds), strict=True))


def told_of_all(several: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The same of several processes or records; what one of them does not know, nobody does."""
    known = [each for each in several if each]
    attempts = sum(each.get("connections_attempted") or 0 for each in known)
    refused = joined(each.get("connections_refused") or () for each in known)
    held = [each.get("offline") for each in known]
    return dict(zip(TOLD, (attempts, refused, _joint(held)), strict=True))


def _joint(several: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    held = [each for each in several if each]
    if len(held) < len(several) or not held:
        return None
    return {
        "guard": all(each["guard"] for each in held),
        "namespace": all(each["namespace"] for each in held),
        "why": next((each["why"] for each in held if each["why"]), ""),
        "allowed": joined(each["allowed"] for each in held),
    }


# Where each method of a socket takes the address: connect first, sendto last, after the data and
# perhaps flags.
CALLS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}
LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo")
# Who kept one of these functions from before the guard went up is met at the next step, inside
# Python's own socket module. It comes too late for a name given to `connect`, which is looked up
# before.
ADDRESSED = {"socket.connect": "connect", "socket.sendto": "sendto", "socket.sendmsg": "sendmsg"}
LOOKED_UP = {f"socket.{name}": name for name in LOOKUPS}
# Sockets of these families end in this machine, whatever they are connected to.
INTERNAL = {getattr(socket, name, None) for name in ("AF_UNIX", "AF_NETLINK", "AF_ALG")}

_counters: list[Counter] = []
_restore: list[Callable[[], None]] = []
_wrappers: dict[str, Callable[..., Any]] = {}
_watched = False


@contextmanager
def guard(allowed: Collection[str] = ()) -> Iterator[Counter]:
    """Refuses and counts, while it is up, every connection that is not to this machine.

    Of several guards that are up at once, each counts; they may come down in any order. The hosts
    that one of them has `allowed` pass, and are named.
    """
    counter = Counter(allowed)
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
    global _watched
    if not _watched:
        # Nothing takes this one away; without a counter it looks at nothing.
        sys.addaudithook(_audit)
        _watched = True
    for name, place in CALLS.items():
        _wrappers[name] = _checked(getattr(socket.socket, name), name, place)
        setattr(socket.socket, name, _wrappers[name])
        yield partial(delattr, socket.socket, name)
    for name in LOOKUPS:
        original = getattr(socket, name)
        setattr(socket, name, _looked_up(original, name))
        yield partial(setattr, socket, name, original)


def _stands() -> bool:
    """Whether the guard is where it was put: a library may have put something else there."""
    return all(vars(socket.socket).get(name) is _wrappers.get(name) for name in CALLS)


def _checked(original: Callable[..., Any], how: str, place: int) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        _check_address(self.family, next(iter(arguments[place:]), None), how)
        return original(self, *arguments)

    return call


def _looked_up(original: Callable[..., Any], how: str) -> Callable[..., Any]:
    def call(host: Any, *arguments: Any, **options: Any) -> Any:
        _check_name(host, how)
        found = original(host, *arguments, **options)
        if how == "getaddrinfo":
            for counter in _counters:
                counter.resolved(host, {each[4][0] for each in found})
        return found

    return call


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """The last step: what passes here is on its way."""
    if not _counters:
        return
    if event in ADDRESSED:
        _check_address(arguments[0].family, arguments[1], ADDRESSED[event], is_leaving=True)
    elif event in LOOKED_UP:
        _check_name(arguments[0], LOOKED_UP[event], is_leaving=True)


def _check_address(family: int, address: object, how: str, is_leaving: bool = False) -> None:
    # None: the socket is connected, and was looked at then.
    if address is None or family in INTERNAL:
        return
    if family not in (socket.AF_INET, socket.AF_INET6):
        _refuse(str(address), "", how)
    elif isinstance(address, tuple):
        _check(address[0], str(address[1]) if len(address) > 1 else "", how, is_leaving)


def _check_name(host: Any, how: str, is_leaving: bool = False) -> None:
    if how == "getnameinfo":
        host = host[0] if isinstance(host, tuple) and host else ""
    if host is not None:
        _check(host, "", how, is_leaving)


def _check(host: object, port: str, how: str, is_leaving: bool) -> None:
    if is_local(host):
        return
    if not any(counter.lets(host) for counter in _counters):
        _refuse(host, port, how)
    elif is_leaving:
        for counter in _counters:
            counter.note_passed(host, port, how)


def _refuse(host: object, port: str, how: str) -> None:
    for counter in _counters:
        counter.note_refused(host, port, how)
    raise NetworkRefused(f"localsel is offline: a connection to {host} was refused")


def is_local(host: object) -> bool:
    """Whether `host` names this machine: loopback, `localhost`, or the empty (any) address."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
