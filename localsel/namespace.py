"""A process → the same process in a network namespace of its own, where there is loopback only.

What the guard of `offline` refuses in Python, the kernel then refuses to everything: native code
and child processes too. On Linux, and where the kernel lets people without privileges do so.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

NEWUSER, NEWNET = 0x10000000, 0x40000000
GET_FLAGS, SET_FLAGS, IS_UP = 0x8913, 0x8914, 1
REQUEST = "16sh14x"
"""A `struct ifreq` with the flags of an interface."""

# TEST-NET-1 of RFC 5737: no machine has it.
DOCUMENTATION_ADDRESS = ("192.0.2.1", 80)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether this process is in a namespace of its own; if not, `why`."""

    held: bool
    why: str = ""


_standing = Standing(False, "localsel was called by another program, which stays where it is")


def standing() -> Standing:
    """How it is now."""
    return _standing


def enter() -> Standing:
    """Leaves the network for good, with all that this process will start.

    Before anything starts a thread: the kernel takes only a process that has one. What belongs to
    the user still does, inside and outside.
    """
    global _standing
    if not _standing.held:
        why = _entered()
        _standing = Standing(not why, why)
    return _standing


def stay_out(why: str) -> None:
    """Notes why this process needs the network of its host."""
    global _standing
    _standing = Standing(False, why)


def _entered() -> str:
    """Enters; or says why not, and leaves everything as it was."""
    if sys.platform != "linux":
        return "only Linux has network namespaces"
    try:
        if len(os.listdir("/proc/self/task")) > 1:
            return "the process had started threads"
        # A child goes first: where only a later step is refused, nobody may be stuck behind it.
        child = os.fork()
        if not child:
            _end_with(_step_in)
        _raise_if(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        _step_in()
        others = _others()
    except OSError as error:
        # What is full is the number of namespaces, not a disk.
        is_full = error.errno == errno.ENOSPC
        return f"the kernel refuses it: {'no more are allowed' if is_full else error.strerror}"
    return f"{', '.join(others)} can be reached from it" if others else ""


def _end_with(step: Callable[[], None]) -> NoReturn:
    """The end of a child; its code is the number of the error that a step raises, 0 for none."""
    # Whatever else is raised: nobody may go on as a second one of this process.
    number = errno.EIO
    try:
        step()
        number = 0
    except OSError as error:
        number = error.errno or errno.EIO
    finally:
        os._exit(number)


def _raise_if(number: int) -> None:
    if number:
        raise OSError(abs(number), os.strerror(abs(number)))


def _step_in() -> None:
    _unshare()
    _raise_loopback()


def _unshare() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    # Who may do this gives up nothing else; others need a user namespace around it.
    if not library.unshare(NEWNET):
        return
    waiting, entered = os.pipe()
    # Who stays outside may map more than who went in.
    helper = os.fork()
    if not helper:
        _end_with(partial(_map_when_entered, waiting, entered))
    os.close(waiting)
    refused = library.unshare(NEWUSER | NEWNET) and ctypes.get_errno()
    os.close(entered)
    mapped = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    _raise_if(refused or mapped)


def _map_when_entered(waiting: int, entered: int) -> None:
    """Waits until the parent closes its end of the pipe."""
    os.close(entered)
    os.read(waiting, 1)
    _map_names(Path(f"/proc/{os.getppid()}"))


def _map_names(process: Path) -> None:
    """Users are called in a process's new user namespace what they are called outside.

    Root maps all whom it knows, and so keeps its way to their files; others may map themselves.
    """
    for file, own in (("uid_map", os.geteuid()), ("gid_map", os.getegid())):
        if os.geteuid():
            (process / "setgroups").write_text("deny")
            names = f"{own} {own} 1"
        else:
            known = Path("/proc/self", file).read_text().split()
            pairs = zip(known[::3], known[2::3], strict=True)
            names = "\n".join(f"{first} {first} {count}" for first, count in pairs)
        (process / file).write_text(names)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = struct.pack(REQUEST, b"lo", _flags(asking, b"lo") | IS_UP)
        fcntl.ioctl(asking, SET_FLAGS, request)


def _flags(asking: socket.socket, name: bytes) -> int:
    answer = fcntl.ioctl(asking, GET_FLAGS, struct.pack(REQUEST, name, 0))
    flags: int = struct.unpack(REQUEST, answer)[1]
    return flags


def _others() -> list[str]:
    """Interfaces that are up, beside loopback: there are none in a namespace of one's own."""
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return [name for name in names if _flags(asking, name.encode()) & IS_UP]


def main() -> None:
    """`python namespace.py`: enters one and tries to leave it; one JSON object on stdout.

    Without a namespace nothing is tried.
    """
    entered = enter()
    seen = {"held": entered.held, "why": entered.why, "ended": attempt() if entered.held else None}
    print(json.dumps(seen))


def attempt() -> int:
    """The number of the error that one attempt to leave ends in; 0 if it was reached."""
    with socket.socket() as probe:
        probe.settimeout(1)
        try:
            probe.connect(DOCUMENTATION_ADDRESS)
        except TimeoutError:
            return errno.ETIMEDOUT
        except OSError as error:
            return error.errno or errno.EIO
    return 0


if __name__ == "__main__":
    main()
