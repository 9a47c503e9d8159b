"""Rendered lines → what may be written to this terminal.

Texts are made printable where they are shown. This is the second lock on that door, and the one
place that knows about terminals without UTF-8.
"""

from __future__ import annotations

import os
from functools import lru_cache
from unicodedata import category, normalize

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from localsel.printable import SYMBOLS

ALIKE = {
    "-": "─━╌═–—▔▬",
    "|": "│┃║▏▎▍▌▐▕",
    "+": "┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝⚬",
    "_": "▁▂▃",
    "=": "▄▅▆▀≈",
    "#": "▇█▉▊▋■▓",
    ".": "·░",
    ":": "▒",
    "*": "•●★◉",
    "@": "◆",
    "o": "○◇□◎☆",
    "~": "…",
    "x": "×✗✘",
    "'": "‘’",
    '"': "“”",
    "^": "▲▴↑",
    "v": "▼▾↓✓✔",
    ">": "▶▸→↳≥❯",
    "<": "◀◂←≤⏎",
    "!": "⚠≠",
    "/": "✎",
    "%": "≡",
}
SIGNS = {ord(sign): plain for plain, signs in ALIKE.items() for sign in signs}


def speaks_unicode() -> bool:
    """Whether the terminal's locale is UTF-8. Python itself takes it for granted."""
    named = {name: os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")}
    # Where there is no locale Python sets this one for itself (PEP 538).
    if named["LANG"] in ("", "C", "POSIX") and named["LC_CTYPE"] == "C.UTF-8":
        named["LC_CTYPE"] = ""
    said = next(filter(None, named.values()), "")
    return "utf8" in said.lower().replace("-", "")


class Harmless(LineFilter):
    """Control characters and what hides in text become symbols, whoever let them through."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.control or segment.text.isprintable() else _cleaned(segment)
            for segment in segments
        ]


def _cleaned(segment: Segment) -> Segment:
    """As wide as the layout took it to be."""
    wide = cell_len(segment.text)
    text = segment.text.translate(SYMBOLS)
    if cell_len(text) > wide:
        text = "".join("" if category(each)[0] == "C" else each for each in segment.text)
    return Segment(text + " " * (wide - cell_len(text)), segment.style)


class Ascii(LineFilter):
    """Every sign as ASCII, in as many cells."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment("".join(map(_ascii, segment.text)), segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def _ascii(sign: str) -> str:
    if sign.isascii():
        return sign
    wide = cell_len(sign)
    known = sign.translate(SIGNS)
    if not known.isascii() and 0x2800 <= ord(sign) < 0x2900:
        known = ".:o#"[(ord(sign) - 0x2800).bit_count() // 3] if ord(sign) > 0x2800 else " "
    if not known.isascii():
        known = normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return (known or "?" * wide)[:wide].ljust(wide)
