"""A wheel, a GGUF file or a model's folder → the licence that it states."""

from __future__ import annotations

import re
import struct
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import BinaryIO

NOT_STATED = "not stated"
LONGEST = 80
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each kind of number in a GGUF header."""

TEXT = 8
CARD_LINE = re.compile(r"^licen[sc]e(?:_name)?:[ \t]*[\"']?([^\"'\n]+)", re.MULTILINE)


def of_wheel(path: Path) -> str:
    """What its metadata say."""
    with zipfile.ZipFile(path) as wheel:
        name = next(each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        return of_metadata(wheel.read(name).decode("utf-8", "replace"))


def of_metadata(text: str) -> str:
    """The expression, else the free text where it is short, else the classifiers."""
    said = HeaderParser().parsestr(text)
    if expression := str(said.get("License-Expression") or "").strip():
        return expression
    words = str(said.get("License") or "").strip()
    if words and words.upper() != "UNKNOWN" and len(words) <= LONGEST and "\n" not in words:
        return words
    rows = map(str, said.get_all("Classifier", []))
    names = [row.rpartition("::")[2].strip() for row in rows if row.startswith("License ::")]
    # Some only say which of their files it is.
    files = ", ".join(map(str, said.get_all("License-File", [])))
    return ", ".join(names) or (f"in its {files}" if files else NOT_STATED)


def of_folder(folder: Path) -> str:
    """What the card of a model says at its top."""
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return NOT_STATED
    head = card.split("\n---", 1)[0] if card.startswith("---") else ""
    found = CARD_LINE.search(head)
    return found[1].strip()[:LONGEST] if found else NOT_STATED


def of_gguf(path: Path) -> str:
    """`general.license`, which stands among the first entries of the header."""
    try:
        with path.open("rb") as file:
            return next(
                (text for key, text in _texts(file) if key == "general.license"), NOT_STATED
            )
    except (OSError, ValueError, LookupError, struct.error):
        return NOT_STATED


def _texts(file: BinaryIO) -> list[tuple[str, str]]:
    """The texts of a GGUF header, up to its first list: those that say what the file is."""
    file.seek(16)
    found = []
    for _ in range(struct.unpack("<Q", file.read(8))[0]):
        key = _text(file)
        (kind,) = struct.unpack("<I", file.read(4))
        if kind == TEXT:
            found.append((key, _text(file)))
        elif kind in SIZES:
            file.read(SIZES[kind])
        elif key.startswith("general."):
            _skip_list(file)
        else:
            break
    return found


def _skip_list(file: BinaryIO) -> None:
    kind, count = struct.unpack("<IQ", file.read(12))
    for _ in range(min(count, 10_000)):
        if kind == TEXT:
            _text(file)
        else:
            file.read(SIZES[kind])


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > 2**20:
        raise ValueError("no header has so long a text")
    return file.read(length).decode("utf-8", "replace")
