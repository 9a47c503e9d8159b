"""A command → the same command where the network is, or where no namespace can be had.

`python -I tests/confining.py inside COMMAND…` is `unshare -rn` with loopback up; `refused` lets the
command run where the kernel refuses it any namespace. Either ends with `IMPOSSIBLE` where the
kernel lets nobody make a user namespace.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

NEWUSER, NEWNET = 0x10000000, 0x40000000
SET_FLAGS, IS_UP = 0x8914, 1
IMPOSSIBLE = 77
LIMITS = ("max_net_namespaces", "max_user_namespaces")


def confined(how: str) -> list[str]:
    """What to put before a command."""
    return [sys.executable, "-I", __file__, how]


def can_confine() -> bool:
    """Whether the kernel lets this user make namespaces."""
    true = [sys.executable, "-I", "-c", ""]
    return subprocess.run([*confined("inside"), *true], check=False).returncode == 0


def main() -> None:
    how, *command = sys.argv[1:]
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None).unshare(NEWUSER | (NEWNET if how == "inside" else 0)):
        sys.exit(IMPOSSIBLE)
    own = Path("/proc/self")
    try:
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"{0 if how == 'inside' else user} {user} 1")
        (own / "gid_map").write_text(f"{0 if how == 'inside' else group} {group} 1")
    except PermissionError:
        sys.exit(IMPOSSIBLE)
    if how == "inside":
        with socket.socket() as asking:
            fcntl.ioctl(asking, SET_FLAGS, struct.pack("16sh14x", b"lo", IS_UP))
    else:
        # Of this user namespace, and of none outside it.
        for limit in LIMITS:
            Path("/proc/sys/user", limit).write_text("0")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
