"""A screen → the picture that is kept of it, and how far it is from what is shown now."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from localsel.tui.app import Localsel
from tests.tui.conftest import screen_text

FOLDER = Path(__file__).parent / "snapshots"
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def picture(app: Localsel) -> str:
    """The screen as SVG, without the fonts that would be fetched."""
    svg = FONTS.sub("", app.export_screenshot())
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def compare(app: Localsel, name: str, write: bool) -> None:
    """Fails, showing what changed, unless the screen is as its picture; or keeps a new one."""
    kept, shown = FOLDER / f"{name}.svg", picture(app)
    if write:
        FOLDER.mkdir(exist_ok=True)
        kept.write_text(shown, encoding="utf-8")
        return
    assert kept.exists(), f"There is no picture {kept.name}: make snapshots"
    before = kept.read_text(encoding="utf-8")
    if before != shown:
        changed = difflib.unified_diff(_words(before), _words(shown), "kept", "now", lineterm="")
        raise AssertionError("\n".join([f"{kept.name}:", *changed, "", screen_text(app)]))


def _words(svg: str) -> list[str]:
    """What a picture says, piece by piece; colours and places count in the picture alone."""
    return re.findall(r">([^<>\n]+)</text>", svg)
