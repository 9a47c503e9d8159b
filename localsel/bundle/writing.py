"""Wheels and files, one after the other → a folder in which whatever has its final name is whole.

A file is named in the unfinished manifest before it gets its name, so that the same command, given
again, goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localsel.bundle import licences
from localsel.bundle.contents import Item
from localsel.bundle.installer.checking import (
    BLOCK,
    MANIFEST,
    SUM,
    UNFINISHED,
    Refused,
    files_of,
    is_inside,
    read_manifest,
    sha256,
    sum_line,
)
from localsel.bundle.installer.platforms import cpu_features
from localsel.bundle.pins import Pin
from localsel.bundle.wheels import PORTABLE, fetch, is_built_here
from localsel.errors import UsageError

Entry = dict[str, Any]
Tell = Callable[[str, int, int], None]

STAGING = ".partial"
OTHER = "Choose another DIR."


class Writing:
    """A bundle while it is made."""

    def __init__(self, folder: Path, tell: Tell) -> None:
        self.folder, self.tell = folder, tell
        self.staging = folder / STAGING
        self.done = self.total = 0
        self._known = self._taken_up()
        self._kept: dict[str, Entry] = dict(self._known)
        if self.staging.is_dir():
            shutil.rmtree(self.staging)
        self.staging.mkdir(parents=True)
        self._remember()
        for name in (MANIFEST, SUM):
            (folder / name).unlink(missing_ok=True)

    def _taken_up(self) -> dict[str, Entry]:
        """The entries of the bundle that is there; a folder of something else is refused."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is not a folder.", "Choose another DIR.")
        # A start that was killed before it could remember anything leaves no more than that.
        if not self.folder.exists() or set(os.listdir(self.folder)) <= {STAGING}:
            return {}
        entries = self._entries()
        for path, is_real in files_of(self.folder).items():
            is_ours = path in {*entries, MANIFEST, SUM, UNFINISHED} and is_real
            is_empty = not is_real and not (self.folder / path).is_symlink()
            if not (is_ours or is_empty or path.partition("/")[0] == STAGING):
                raise UsageError(
                    f"{self.folder} holds {path}, which is no part of a bundle.", OTHER
                )
        return entries

    def _entries(self) -> dict[str, Entry]:
        """What the manifest in the folder names, finished or not."""
        unfinished = self.folder / UNFINISHED
        try:
            if unfinished.is_file():
                manifest = json.loads(unfinished.read_bytes())
            else:
                manifest, findings = read_manifest(self.folder)
                if findings:
                    raise UsageError(f"The bundle in {self.folder} is damaged.", OTHER)
            entries = {str(each["path"]): each for each in manifest["files"]}
            if not all(map(is_inside, entries)):
                raise ValueError("a path leads out of the bundle")
            return entries
        except Refused as error:
            raise UsageError(f"{self.folder} is not empty, and is no bundle.", OTHER) from error
        except (ValueError, LookupError, TypeError) as error:
            raise UsageError(f"{unfinished} cannot be read.", OTHER) from error

    def has(self, path: str) -> bool:
        """Whether an earlier start has written it."""
        return path in self._known

    def has_wheel(self, pin: Pin) -> bool:
        return any(each.get("package") == [pin.name, pin.version] for each in self._known.values())

    def wheel(self, pin: Pin, portable: bool) -> Entry:
        """The wheel of one package; one of this version that is whole stays."""
        cpu = _features(portable)
        for entry in self._known.values():
            same = entry.get("package") == [pin.name, pin.version]
            # One from an index does whatever is asked for.
            same = same and entry.get("cpu") in ([], cpu)
            # localsel itself may have changed without another number.
            if same and pin.name != "localsel" and self._is_whole(entry):
                return entry
        made = fetch(pin, self.staging / "wheels", portable)
        entry = {
            "path": f"wheels/{made.name}",
            "kind": "wheel",
            "size": made.stat().st_size,
            "sha256": sha256(made, lambda size: None),
            "licence": licences.of_wheel(made),
            "package": [pin.name, pin.version],
            "tags": "-".join(made.stem.split("-")[-3:]),
            "cpu": cpu if is_built_here(made) else [],
        }
        self._place(made, entry)
        return entry

    def copy(self, item: Item) -> Entry:
        """One file, as a real one wherever it comes from; one that is the same already stays."""
        known = self._known.get(item.path)
        if known and known["size"] == item.size and self._is_whole(known):
            entry = _entry(item, known["size"], _digest(item.source))
            if entry["sha256"] == known["sha256"]:
                self._count(item.size)
                self._kept[item.path] = entry
                return entry
        partial = self.staging / "file"
        digest, size = hashlib.sha256(), 0
        with partial.open("wb") as out:
            for block in _blocks(item.source):
                out.write(block)
                digest.update(block)
                size += len(block)
                self._count(len(block))
        entry = _entry(item, size, digest.hexdigest())
        self._place(partial, entry)
        return entry

    def _count(self, size: int) -> None:
        self.done += size
        self.tell("copy", self.done, self.total)

    def _is_whole(self, entry: Entry) -> bool:
        path = self.folder / str(entry["path"])
        try:
            has_size = bool(path.stat().st_size == entry["size"])
            return has_size and sha256(path, lambda size: None) == entry["sha256"]
        except OSError:
            return False

    def _place(self, made: Path, entry: Entry) -> None:
        """Names it in the unfinished manifest, then gives it its own name."""
        self._kept[entry["path"]] = entry
        self._remember()
        # A stick may be pulled out once it is said to be done.
        with made.open("rb") as file:
            os.fsync(file.fileno())
        final = self.folder / entry["path"]
        final.parent.mkdir(parents=True, exist_ok=True)
        made.replace(final)

    def _remember(self) -> None:
        self._write(UNFINISHED, {"files": list(self._kept.values())})

    def _write(self, name: str, document: Entry) -> bytes:
        content = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
        self._write_bytes(name, content)
        return content

    def _write_bytes(self, name: str, content: bytes) -> None:
        partial = self.staging / "text"
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.folder / name)

    def finish(self, manifest: Entry) -> None:
        """Takes away what an earlier bundle held besides, and vouches for the rest."""
        wanted = {each["path"] for each in manifest["files"]}
        for path in set(self._kept) - wanted:
            gone = self.folder / path
            gone.unlink(missing_ok=True)
            for parent in gone.parents:
                if parent == self.folder or not parent.is_dir() or os.listdir(parent):
                    break
                parent.rmdir()
        content = self._write(MANIFEST, manifest)
        self._write_bytes(SUM, sum_line(content))
        shutil.rmtree(self.staging)
        (self.folder / UNFINISHED).unlink()


def _features(portable: bool) -> list[str]:
    """What a wheel that is compiled here will use of the processor."""
    here = cpu_features()
    return [name for name in here if name in PORTABLE] if portable else here


def _entry(item: Item, size: int, digest: str) -> Entry:
    return {
        "path": item.path,
        "kind": item.kind,
        "size": size,
        "sha256": digest,
        "licence": item.licence,
    }


def _blocks(source: Path | str) -> Iterator[bytes]:
    if isinstance(source, str):
        yield source.encode()
        return
    with source.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _digest(source: Path | str) -> str:
    digest = hashlib.sha256()
    for block in _blocks(source):
        digest.update(block)
    return digest.hexdigest()
