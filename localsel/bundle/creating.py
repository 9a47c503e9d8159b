"""What somebody wants to carry → a bundle with all of it, and its manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from localsel.bundle.contents import Item, Wanted, items
from localsel.bundle.installer.checking import FORMAT, amount, silent
from localsel.bundle.installer.platforms import this_platform
from localsel.bundle.pins import Missing, Pin, pins
from localsel.bundle.wheels import refuse_without_pip
from localsel.bundle.writing import Entry, Tell, Writing
from localsel.errors import LocalselError

PACKED = 0.5
"""The wheel's share of an installed package, and a little more: 0.3 to 0.4 are usual."""

FAT = 4 * 2**30
"""From so many bytes on, FAT32 cannot hold a file."""


def create(
    folder: Path,
    wanted: Wanted,
    tell: Tell = silent,
    say: Callable[[str], None] = lambda text: None,
    packages: tuple[list[Pin], list[Missing]] | None = None,
) -> Entry:
    """Makes a bundle, or goes on making it; its manifest.

    Args:
        folder: empty, new, or a bundle already.
        tell: hears how far it is: stage, done, total.
        say: hears a sentence now and then.
        packages: other ones than localsel needs here.

    Raises:
        LocalselError: what is in the way, in a sentence.
    """
    refuse_without_pip()
    chosen, missing = packages or pins(wanted.extras)
    files = items(wanted)
    try:
        writing = Writing(folder, tell)
        _refuse_little_space(writing, chosen, files, say)
        entries = _wheels(writing, chosen, wanted.portable, say)
        writing.total = sum(item.size for item in files)
        entries += [writing.copy(item) for item in files]
        manifest = _manifest(entries, wanted.extras, missing)
        writing.finish(manifest)
    except OSError as error:
        said = f"{error.filename or folder} cannot be used: {error.strerror or error}."
        raise LocalselError(said, "What was done is kept; give the same command again.") from error
    return manifest


def _wheels(
    writing: Writing, chosen: list[Pin], portable: bool, say: Callable[[str], None]
) -> list[Entry]:
    entries = []
    for place, pin in enumerate(chosen):
        writing.tell("wheels", place, len(chosen))
        if pin.may_be_built_here and not writing.has_wheel(pin):
            say(f"{pin.name} {pin.version}: pip may have to build it, which takes minutes.")
        entries.append(writing.wheel(pin, portable))
    writing.tell("wheels", len(chosen), len(chosen))
    return entries


def _manifest(entries: list[Entry], extras: tuple[str, ...], missing: list[Missing]) -> Entry:
    used = {feature for each in entries for feature in each.get("cpu", ())}
    return {
        "bundle": "localsel",
        "format": FORMAT,
        "localsel": version("localsel"),
        # Only what is compiled here asks for more than any processor of this kind has.
        "platform": this_platform() | {"cpu": sorted(used)},
        "extras": list(extras),
        "left_out": [asdict(each) for each in missing],
        "size": sum(each["size"] for each in entries),
        "files": sorted(entries, key=lambda each: str(each["path"])),
    }


def _refuse_little_space(
    writing: Writing, chosen: list[Pin], files: list[Item], say: Callable[[str], None]
) -> None:
    """Says how much it will be, before it is begun."""
    packages = sum(pin.size for pin in chosen if not writing.has_wheel(pin)) * PACKED
    needed = packages + sum(item.size for item in files if not writing.has(item.path))
    free = shutil.disk_usage(writing.folder).free
    what = f"{len(chosen)} packages and {len(files)} files"
    say(f"At most {amount(needed)} will be written: {what}.")
    for item in files:
        if item.size >= FAT:
            say(f"FAT32 cannot hold {item.path}, which has 4 GiB or more; exFAT can.")
    if free < needed:
        said = f"{writing.folder} has {amount(free)} free"
        raise LocalselError(f"{said}, where about {amount(needed)} are needed.", "Make room.")
