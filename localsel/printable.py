"""Any text → one line that is safe and honest on a terminal."""

from __future__ import annotations

# C0 and C1 controls, and what turns text around or hides in it, are shown as symbols: data must
# not move the cursor, change colours or read differently from what it is.
_CONTROLS = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_HIDDEN = [*range(0x80, 0xA0), 0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F)]
_HIDDEN += [*range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC)]
_HIDDEN += [*range(0xD800, 0xE000), *range(0xE0000, 0xE0200)]
SYMBOLS: dict[int, int | None] = {**_CONTROLS, **dict.fromkeys(_HIDDEN, 0xFFFD)}
# What only picks the look of the character before it, and has no width that terminals agree on.
SYMBOLS |= dict.fromkeys([*range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400)])
# Nor have flags: the two letters of a country instead.
SYMBOLS |= {0x1F1E6 + place: ord("A") + place for place in range(26)}


def visible(text: object, width: int | None = None) -> str:
    """One line of printable text, cut to `width` characters."""
    shown = str(text).replace("\r\n", " ⏎ ").replace("\n", " ⏎ ").translate(SYMBOLS)
    if width is not None and len(shown) > width:
        return shown[: max(width - 1, 0)] + "…"
    return shown


def visible_lines(text: object) -> str:
    """The same with its line breaks, and tabs as four spaces."""
    lines = str(text).replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join(line.translate(SYMBOLS) for line in lines)
