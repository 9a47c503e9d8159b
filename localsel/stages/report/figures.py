"""Numbers of a comparison → how a paper prints them. What cannot be said is an empty text."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from localsel.stages.report.texts import visible

_UPPER = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def sound(value: object) -> bool:
    """A number that can be printed or drawn."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """`0.312`, `−0.012`, `1,200`; never a negative nothing."""
    if value is None or not sound(value):
        return ""
    places = 0 if isinstance(value, int) else digits
    rounded = round(value, places)
    text = f"{rounded + 0.0 if places else int(rounded):{'+' if sign else ''},.{places}f}"
    if rounded == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def count(value: float | None) -> str:
    """Counts are whole; a mean of counts shows its fraction."""
    if value is None or not sound(value):
        return ""
    return number(int(value)) if float(value).is_integer() else number(float(value), 1)


def share(value: float | None, digits: int = 1) -> str:
    text = number(None if value is None or not sound(value) else 100.0 * value, digits)
    return f"{text}\u00a0%" if text else ""


def interval(value: object) -> str:
    """`[8.1, 24.3] %`."""
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(sound, value)):
        return ""
    low, high = (number(100.0 * end, 1) for end in value)
    return f"[{low}, {high}]\u00a0%"


def p_value(value: float | None) -> str:
    """Three digits down to 0.001; powers of ten below; 0 is only too small for this computer."""
    if value is None or not sound(value):
        return ""
    if value <= 0:
        return "<\u200910⁻¹⁵"
    if value >= 0.0005:
        return f"{value:.3f}"
    digits, power = f"{value:.1e}".split("e")
    return f"{digits}\u00a0×\u00a010{str(int(power)).translate(_UPPER)}"


def duration(seconds: float | None) -> str:
    """`13.5 s`, `4 min 10 s`, `2 h 05 min`."""
    if seconds is None or not sound(seconds):
        return ""
    if seconds < 100:
        return f"{seconds:.1f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes}\u00a0min {rest:02d}\u00a0s"
    return f"{minutes // 60:,}\u00a0h {minutes % 60:02d}\u00a0min"


def size(bytes_used: float | None) -> str:
    if bytes_used is None or not sound(bytes_used):
        return ""
    for unit, name in _SIZES:
        if bytes_used >= unit:
            return f"{bytes_used / unit:.{0 if bytes_used >= 10 * unit else 1}f}\u00a0{name}"
    return f"{bytes_used:.0f}\u00a0B"


def moment(seconds: object) -> str:
    """Unix seconds → `2026-11-20 19:12 UTC`."""
    if not isinstance(seconds, int | float) or not sound(seconds):
        return ""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return ""


def plain(value: object) -> str:
    """Any single value of settings or facts, as words; whole numbers may be names, so no commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−") if sound(value) else ""
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(plain, value)))
    return visible(value)
