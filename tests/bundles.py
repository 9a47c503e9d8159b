"""A small bundle that is real, and ways to damage one."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from localsel.bundle.contents import Wanted
from localsel.bundle.creating import create
from localsel.bundle.installer.checking import MANIFEST, SUM, Finding, sum_line, verify
from localsel.bundle.pins import Missing, Pin
from localsel.bundle.wheels import repack

Packages: TypeAlias = tuple[list[Pin], list[Missing]]

FEW: Packages = ([Pin("localsel", version("localsel")), Pin("click", version("click"))], [])
"""What `localsel --version` needs."""


FEWER: Packages = ([Pin("click", version("click")), Pin("iniconfig", version("iniconfig"))], [])
"""Nothing that has to be built, to be quick."""


def make(
    folder: Path, wanted: Wanted | None = None, packages: Packages = FEWER, **more: Any
) -> Path:
    """A bundle of a few packages, made as any other."""
    with no_index():
        create(folder, wanted or Wanted(), packages=packages, **more)
    return folder


@contextmanager
def no_index() -> Iterator[None]:
    """pip finds what is installed here, packed as wheels again, and builds with it."""
    with tempfile.TemporaryDirectory() as wheels, pytest.MonkeyPatch.context() as patch:
        for name in ("click", "iniconfig"):
            repack(name, Path(wheels))
        patch.setenv("PIP_FIND_LINKS", wheels)
        patch.setenv("PIP_NO_INDEX", "1")
        # Of an option that says no, pip takes 0 for yes: without isolation.
        patch.setenv("PIP_NO_BUILD_ISOLATION", "0")
        yield


def manifest_of(bundle: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def sign(bundle: Path, manifest: dict[str, Any]) -> None:
    """Puts another manifest there, with the sum that it should have."""
    content = json.dumps(manifest).encode()
    (bundle / MANIFEST).write_bytes(content)
    (bundle / SUM).write_bytes(sum_line(content))


class Damage:
    """One fault at a time at a place that a seed chooses, and mended again."""

    KINDS = ("flip", "cut", "delete", "add")

    def __init__(self, bundle: Path, seed: int) -> None:
        self.bundle, self.random = bundle, random.Random(seed)
        self.files = sorted(path for path in bundle.rglob("*") if path.is_file())

    def found(self, kind: str) -> tuple[Path, list[Finding]]:
        """Does it, and takes it back: what it was done to, and what `verify` found."""
        path = self.place(kind)
        path.parent.mkdir(exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        try:
            self.do(kind, path, content)
            return path, verify(self.bundle)
        finally:
            path.unlink(missing_ok=True)
            if kind != "add":
                path.write_bytes(content)
            elif path.parent.name == "new":
                path.parent.rmdir()

    def place(self, kind: str) -> Path:
        """A file where that can be done: a new one, one that has content, or any."""
        while True:
            path = self.random.choice(self.files)
            names = [".hidden", path.name + "~", "new/one", path.name.upper()]
            new = path.parent / self.random.choice(names)
            if kind == "add" and not new.exists():
                return new
            if kind == "delete" or (kind in ("flip", "cut") and path.stat().st_size):
                return path

    def do(self, kind: str, path: Path, content: bytes) -> None:
        if kind == "flip":
            changed, place = bytearray(content), self.random.randrange(len(content))
            changed[place] ^= self.random.randrange(1, 256)
            path.write_bytes(changed)
        elif kind == "cut":
            path.write_bytes(content[: self.random.randrange(len(content))])
        elif kind == "delete":
            path.unlink()
        else:
            path.write_bytes(self.random.randbytes(self.random.randrange(9)))


def copy_of(bundle: Path, folder: Path) -> Path:
    """One that may be damaged."""
    return Path(shutil.copytree(bundle, folder / "copy"))
