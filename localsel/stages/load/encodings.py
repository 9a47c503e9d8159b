"""Bytes that are not UTF-8 → the name of the encoding they look like."""

from __future__ import annotations

import codecs
import re

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; UTF-32's begins with that of UTF-16, so it comes first."""

KANA, HANGUL = "[\u3040-\u30ff]", "[\uac00-\ud7a3]"
HAN = "[\u4e00-\u9fff\u3000-\u303f\uff00-\uff65]"
CYRILLIC = "[\u0430-\u044f]"
TRIALS = (
    ("euc_jp", KANA, 0.2),
    ("cp932", KANA, 0.2),
    ("euc_kr", HANGUL, 0.8),
    ("big5", HAN, 0.8),
    ("gb18030", HAN, 0.8),
    ("cp1251", CYRILLIC, 0.6),
    ("koi8_r", CYRILLIC, 0.6),
)
"""Encodings whose letters come in runs, in the order of trial: the strictest decoders first,
and the share of all non-ASCII characters that has to be of the expected kind."""

CONTROLS = re.compile("[\0-\x08\x0e-\x1f]")
"""What no text has; a file full of NUL bytes is UTF-16 only if it has none of them."""

SAMPLE = 1 << 16


def marked_encoding(start: bytes) -> str:
    """The encoding that a byte order mark names; without one UTF-8."""
    return next((name for mark, name in MARKS if start.startswith(mark)), "utf-8")


def probable_encoding(data: bytes) -> str:
    """A guess by trial, for an error message; `data` has to begin with a whole character."""
    data = data[:SAMPLE]
    if data.count(0) > len(data) // 4:
        wide = "utf-16-le" if data[1::2].count(0) > data[0::2].count(0) else "utf-16-be"
        text = _decoded(data, wide)
        if text and not CONTROLS.search(text):
            return wide
    if _in_runs(data):
        for name, expected, share in TRIALS:
            if _share(data, name, expected) >= share:
                return name
    return "cp1252" if _decoded(data, "cp1252") else "latin-1"


def _in_runs(data: bytes) -> bool:
    """Whether most bytes above 127 stand together, unlike the accents of western languages."""
    alone = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])", data))
    return alone * 2 < len(re.findall(rb"[\x80-\xff]", data))


def _share(data: bytes, name: str, expected: str) -> float:
    text = re.sub(r"[\x00-\x7f]", "", _decoded(data, name))
    return len(re.findall(expected, text)) / len(text) if text else 0.0


def _decoded(data: bytes, name: str) -> str:
    """The text, or nothing if it cannot be one; a character cut off at the end does not count."""
    try:
        return codecs.getincrementaldecoder(name)().decode(data)
    except UnicodeDecodeError:
        return ""
