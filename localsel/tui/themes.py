"""The four looks: name → Textual theme."""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="dark",
    primary="#7fb4ca",
    secondary="#b0a4e3",
    accent="#e6b450",
    warning="#e6b450",
    error="#f07178",
    success="#98bb6c",
    foreground="#d8dee4",
    background="#14181d",
    surface="#1b2027",
    panel="#262d36",
    dark=True,
)
LIGHT = Theme(
    name="light",
    primary="#1f6f8b",
    secondary="#6a4fb3",
    accent="#9a5b00",
    warning="#9a5b00",
    error="#b3261e",
    success="#2f6b2f",
    foreground="#1d2329",
    background="#fbfaf7",
    surface="#f1efe9",
    panel="#e2dfd6",
    dark=False,
)
CONTRAST = Theme(
    name="high-contrast",
    primary="#00ffff",
    secondary="#ff8cff",
    accent="#ffff00",
    warning="#ffff00",
    error="#ff6060",
    success="#00ff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#202020",
    dark=True,
)
ANSI = "ansi-dark"
THEMES = (DARK, LIGHT, CONTRAST)
NAMES = {"dark": "dark", "light": "light", "high-contrast": "high-contrast", "ansi": ANSI}
assert ANSI in BUILTIN_THEMES
