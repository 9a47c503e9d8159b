"""The folder of a bundle → its manifest, and everything that is wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .platforms import mismatches, this_platform

MANIFEST, SUM, UNFINISHED = "manifest.json", "manifest.sha256", "manifest.partial.json"
FORMAT = 1
BLOCK = 2**20


class Refused(Exception):  # noqa: N818 - the same word as in localsel's own errors
    """One sentence, what to do about it, and an exit code as in the README."""

    def __init__(self, message: str, hint: str = "", code: int = 1) -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message, self.hint, self.code = message, hint, code


class Finding(NamedTuple):
    """Something wrong with a bundle: of which kind, with which file, in words."""

    kind: str
    path: str
    said: str


def silent(stage: str, done: int, total: int) -> None:
    """For whoever wants no progress."""


def amount(size: float) -> str:
    """Bytes for people."""
    if size >= 2**30:
        return f"{size / 2**30:.2f} GiB"
    return f"{size / 2**20:.0f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def is_inside(path: str) -> bool:
    """Whether a manifest may name this path: within the bundle, and what any disk can write."""
    if not path.isprintable() or re.search(r'[<>:"|?*\\]', path):
        return False
    return all(part.strip(". ") and part[-1] not in ". " for part in path.split("/"))


def files_of(folder: Path) -> dict[str, bool]:
    """Path → whether it is a real file; links, pipes and the like are not."""

    def stop(error: OSError) -> None:
        raise error

    found = {}
    for place, folders, names in os.walk(folder, onerror=stop):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        empty = [] if folders or names or place == str(folder) else [""]
        for name in [*names, *links, *empty]:
            path = Path(place, name)
            found[path.relative_to(folder).as_posix()] = stat.S_ISREG(path.lstat().st_mode)
    return found


def sha256(path: Path, heard: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            heard(len(block))
    return digest.hexdigest()


def read_manifest(folder: Path) -> tuple[dict[str, Any], list[Finding]]:
    """The manifest, or what is wrong with it.

    Raises:
        Refused: nothing there is a bundle.
    """
    names = (MANIFEST, SUM, UNFINISHED)
    there = {name for name in names if os.path.lexists(folder / name)}
    if not there:
        raise Refused(f"{folder} is no bundle: it holds no {MANIFEST}.", "Check the path.", 2)
    if UNFINISHED in there:
        said = "the bundle is not finished; give the same `bundle create` again"
        return {}, [Finding("unfinished", UNFINISHED, said)]
    if missing := sorted({MANIFEST, SUM} - there):
        return {}, [Finding("missing", name, "missing") for name in missing]
    for name in (MANIFEST, SUM):
        if not stat.S_ISREG((folder / name).lstat().st_mode):
            return {}, [Finding("link", name, "not a real file")]
    try:
        content, line = ((folder / name).read_bytes() for name in (MANIFEST, SUM))
    except OSError as error:
        return {}, [_unreadable(MANIFEST, error)]
    if line != sum_line(content):
        said = f"does not agree with {SUM}: one of the two was changed"
        return {}, [Finding("changed", MANIFEST, said)]
    return _checked(content)


def sum_line(manifest: bytes) -> bytes:
    """The text of manifest.sha256, as sha256sum reads it."""
    return f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()


def _checked(content: bytes) -> tuple[dict[str, Any], list[Finding]]:
    """A manifest whose every entry may be relied on."""
    try:
        manifest = json.loads(content)
        if manifest["bundle"] != "localsel" or manifest["format"] != FORMAT:
            said = "of another kind; use the localsel that it was made with"
            return {}, [Finding("manifest", MANIFEST, said)]
        here, wanted = this_platform(), manifest["platform"]
        is_sound = all(type(wanted[key]) is type(here[key]) for key in here)
        is_sound = is_sound and all(map(_is_entry, manifest["files"]))
        paths = [each["path"] for each in manifest["files"]]
    except (ValueError, LookupError, TypeError, RecursionError):
        is_sound = False
    if not is_sound:
        return {}, [Finding("manifest", MANIFEST, "not a manifest of localsel")]
    odd = [path for path in paths if not is_inside(path) or paths.count(path) > 1]
    said = "not a path that a file of a bundle may have"
    return manifest, [Finding("manifest", path, said) for path in odd]


def _is_entry(each: dict[str, Any]) -> bool:
    words = all(isinstance(each[key], str) for key in ("path", "kind", "licence"))
    is_digest = re.fullmatch("[0-9a-f]{64}", each["sha256"])
    return words and bool(is_digest) and isinstance(each["size"], int)


def verify(folder: Path, tell: Callable[[str, int, int], None] = silent) -> list[Finding]:
    """Everything that is wrong with a bundle: changed, missing and extra files, links, platform.

    Raises:
        Refused: nothing there is a bundle.
    """
    manifest, findings = read_manifest(folder)
    if findings:
        return findings
    try:
        there = files_of(folder)
    except OSError as error:
        where = os.path.relpath(os.fsdecode(error.filename or folder), folder)
        return [_unreadable(Path(where).as_posix(), error)]
    wanted = {each["path"]: each for each in manifest["files"]}
    links = [
        path for path, is_real in there.items() if not is_real and (folder / path).is_symlink()
    ]
    findings += [Finding("link", path, "a link, where only real files may be") for path in links]
    # A folder that lost its files is not one file more.
    ours = {parent.as_posix() for path in wanted for parent in PurePosixPath(path).parents}
    extra = sorted(set(there) - set(wanted) - ours - {MANIFEST, SUM} - set(links))
    findings += [Finding("extra", path, "not part of the bundle") for path in extra]
    total, done = sum(each["size"] for each in manifest["files"]), 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        tell("verify", done, total)

    apart = mismatches(manifest["platform"], this_platform())
    for path, each in wanted.items():
        if path not in links:
            findings += _look(folder / path, each, count)
    return findings + [Finding("platform", *each) for each in apart]


def _look(path: Path, wanted: dict[str, Any], heard: Callable[[int], None]) -> list[Finding]:
    """What is wrong with one file."""
    name = wanted["path"]
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return [Finding("link", name, "not a real file")]
        if status.st_size != wanted["size"]:
            said = f"{status.st_size} bytes, where {wanted['size']} are right"
            return [Finding("size", name, said)]
        if sha256(path, heard) != wanted["sha256"]:
            return [Finding("changed", name, "its content was changed")]
    except (FileNotFoundError, NotADirectoryError):
        return [Finding("missing", name, "missing")]
    except OSError as error:
        return [_unreadable(name, error)]
    return []


def _unreadable(name: str, error: OSError) -> Finding:
    return Finding("unreadable", name, f"cannot be read: {error.strerror or error}")
