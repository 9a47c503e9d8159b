"""A share → a bar of so many cells, in eighths."""

from __future__ import annotations

EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """`share` of `width` cells, filled up with spaces; never empty for more than nothing."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    eighths = max(eighths, int(share > 0))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(width)
