"""Numbers and nouns → words for people."""

from __future__ import annotations

STOPPED = "stopped; what was done is kept; the same command goes on from there."
"""The last words of a command that somebody has told to end."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 row`, `1,200 rows`, `2 queries`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {plural or noun + 's'}"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
