"""A size → a small disk, or a folder that cannot be written, and commands that run on it.

Where the system lets us, a file system of its own in a namespace of its own: it is gone with its
holder. Elsewhere a limit on the size of files, or file rights that bind root too; both are real.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Command

BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root without the right to pass over file rights."""


class Elsewhere(Command):
    """`localsel`, started by something that puts it in its place."""

    def __init__(self, command: Command, *prefix: object) -> None:
        self.folder, self.environment = command.folder, command.environment
        self.prefix = prefix

    def _line(self, arguments: tuple[object, ...]) -> list[str]:  # type: ignore[override]
        return [*map(str, self.prefix), *super()._line(arguments)]


class Namespace:
    """A mount namespace that is there as long as its holder lives."""

    def __init__(self) -> None:
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    @property
    def prefix(self) -> tuple[object, ...]:
        target = ("--target", self.holder.pid)
        return ("nsenter", *target, "--user", "--mount", "--preserve-credentials")

    def can(self, command: str) -> bool:
        """Whether a shell command works in there."""
        assert self.holder.stdin and self.holder.stdout
        try:
            self.holder.stdin.write(f"{command} >&2 && echo yes || echo no\n")
            self.holder.stdin.flush()
        except BrokenPipeError:
            return False
        return self.holder.stdout.readline() == "yes\n"

    def path(self, path: Path) -> Path:
        """The same place as it is seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root{path}")

    def close(self) -> None:
        self.holder.communicate()


class Disk:
    """A folder on a disk of which somebody says how much is left.

    Where no file system can be mounted, it is no single file that can grow beyond that.
    """

    def __init__(self, command: Command, folder: Path, seed: Path | None) -> None:
        self.namespace, self.command, self.limit = Namespace(), command, 0
        self.folder = folder
        folder.mkdir()
        self.mounted = self.namespace.can(f"mount -t tmpfs tmpfs {shlex.quote(str(folder))}")
        self.outside = self.namespace.path(folder) if self.mounted else folder
        if seed:
            shutil.copytree(seed, self.outside / "workspace")

    @property
    def localsel(self) -> Elsewhere:
        limit = ("prlimit", f"--fsize={self.limit}") if self.limit else ()
        return Elsewhere(self.command, *(self.namespace.prefix if self.mounted else limit))

    def leave(self, size: int) -> None:
        """From now on, so many bytes can be written."""
        if self.mounted:
            state = os.statvfs(self.outside)
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            there = shlex.quote(str(self.folder))
            assert self.namespace.can(f"mount -o remount,size={used + size} {there}")
        self.limit = size

    def copy(self, to: Path) -> Path:
        """The workspace where this process can open it: SQLite does not go through /proc."""
        return Path(shutil.copytree(self.outside / "workspace", to))

    def grow(self) -> None:
        self.leave(1 << 30)


@contextmanager
def disk(command: Command, folder: Path, seed: Path | None = None) -> Iterator[Disk]:
    """A disk at `folder`, with a copy of the workspace `seed`."""
    made = Disk(command, folder, seed)
    try:
        yield made
    finally:
        made.namespace.close()


@contextmanager
def read_only(command: Command, folder: Path, mounted: bool) -> Iterator[Elsewhere]:
    """Commands for which nothing in `folder` can be written: not at all, or not with its rights."""
    namespace, quoted = Namespace(), shlex.quote(str(folder))
    bind = f"mount --bind {quoted} {quoted} && mount -o remount,bind,ro {quoted}"
    try:
        if mounted and namespace.can(bind):
            yield Elsewhere(command, *namespace.prefix)
        else:
            subprocess.run(["chmod", "-R", "a-w", folder], check=True)
            yield Elsewhere(command, *(BOUND if os.geteuid() == 0 else ()))
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        namespace.close()
