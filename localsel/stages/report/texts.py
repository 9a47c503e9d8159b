"""Any text of data, however hostile → one line that shows what it is and does nothing else.

Controls, what turns text around and what hides in it become symbols. The joiners U+200C and U+200D
stay: Persian, the scripts of India and many emoji are written with them.
"""

from __future__ import annotations

import re

_SYMBOLS: dict[int, int] = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_HIDDEN = [*range(0x80, 0xA0), 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F)]
_HIDDEN += [*range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)]
_NO_CHARACTERS = [*range(0xD800, 0xE000), *range(0xFDD0, 0xFDF0)]
_NO_CHARACTERS += [plane * 0x10000 + last for plane in range(17) for last in (0xFFFE, 0xFFFF)]
_SYMBOLS |= dict.fromkeys([*_HIDDEN, *_NO_CHARACTERS], 0xFFFD)

_BREAKS = re.compile("\r\n|[\n\x85\u2028\u2029]")
# Letters wear one or two marks, rarely four; dozens of them climb over the neighbouring lines.
_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)

LONGEST = 600


def visible(value: object, width: int = LONGEST) -> str:
    """One line of printable text, cut to `width` characters."""
    text = str(value)
    shown = _BREAKS.sub(" ⏎ ", text[: 2 * width]).translate(_SYMBOLS)
    shown = _MARKS.sub(r"\1", shown)
    if len(shown) > width or len(text) > 2 * width:
        return shown[: max(width - 1, 0)].rstrip() + "…"
    return shown
