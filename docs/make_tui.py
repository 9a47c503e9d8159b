"""The real program on the example pool → the pictures in docs/screens, and the keys in docs/tui.md.

python docs/make_tui.py           both
python docs/make_tui.py --keys    the table of keys alone
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from textual.binding import Binding
from textual.pilot import Pilot

from localsel.tui.app import Localsel
from localsel.tui.page import Page
from localsel.tui.screens import SCREENS
from localsel.tui.widgets.table import Table

HERE = Path(__file__).parent
POOL = HERE.parent / "examples" / "pool.jsonl"
SIZE = (120, 34)
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
START, END = "<!-- keys -->", "<!-- end of keys -->"

SHOTS: dict[str, tuple[str, ...]] = {
    "workspace": (),
    "cluster": ("enter", "down", "enter"),
    "compare": ("enter", "4"),
    "map": ("enter", "5"),
    "review": ("enter", "6"),
    "prompt": ("enter", "8"),
}
"""What is pressed before each picture."""


def keys() -> str:
    """A Markdown table of every key of the app, its screens and their tables."""
    lines = ["| where | key | does |", "|---|---|---|"]
    places = [("everywhere", Localsel, Localsel), ("in every table", Table, Table)]
    places += [("on screens 2–6", Page, Page)] if Page.__dict__.get("BINDINGS") else []
    for number, (name, row) in enumerate(SCREENS.items(), start=1):
        module, _, cls = row.partition(":")
        page = getattr(import_module(module), cls)
        places.append((f"{number} {name.capitalize()}", page, page))
    for where, cls, _ in places:
        lines += [f"| {where} | {key} | {says} |" for key, says in _held(cls)]
    return "\n".join(lines)


def _held(cls: type) -> Iterator[tuple[str, str]]:
    """Keys and description of the bindings that a class itself declares."""
    found: dict[str, tuple[list[str], str]] = {}
    for binding in Binding.make_bindings(cls.__dict__.get("BINDINGS", [])):
        if binding.description:
            found.setdefault(binding.action, ([], binding.description))[0].append(_shown(binding))
    for pressed, says in found.values():
        yield " ".join(f"`{key}`" for key in pressed), says


def _shown(binding: Binding) -> str:
    names = {"question_mark": "?", "slash": "/", "plus": "+", "minus": "-"}
    return binding.key_display or names.get(binding.key, binding.key)


def write_keys(page: Path) -> None:
    """Puts the table where the page has room for it."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{START}\n{keys()}\n{END}{after}", encoding="utf-8")


async def shoot(home: Path) -> None:
    """Presses keys in the real program and keeps what it shows."""
    for name, pressed in SHOTS.items():
        app = Localsel(home)
        async with app.run_test(size=SIZE) as pilot:
            await _settled(app, pilot)
            for key in pressed:
                await pilot.press(key)
                await _settled(app, pilot)
            svg = FONTS.sub("", app.export_screenshot(title="localsel"))
            target = HERE / "screens" / f"{name}.svg"
            target.parent.mkdir(exist_ok=True)
            target.write_text("\n".join(map(str.rstrip, svg.splitlines())) + "\n", encoding="utf-8")
            print(target.relative_to(HERE.parent))


async def _settled(app: Localsel, pilot: Pilot[None]) -> None:
    """Until everything that was asked for has come."""
    ends = time.monotonic() + 60
    await pilot.pause(0.3)
    while time.monotonic() < ends and any(
        worker.group != "follow" and not worker.is_finished for worker in app.workers
    ):
        await pilot.pause(0.1)
    await pilot.pause(0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", action="store_true", help="The table of keys alone.")
    only_keys = parser.parse_args().keys
    write_keys(HERE / "tui.md")
    if only_keys:
        return
    with tempfile.TemporaryDirectory() as folder:
        home, pool = Path(folder) / "workspace", Path(tempfile.gettempdir()) / POOL.name
        # Its path is in the pictures: one that says nothing of this machine.
        shutil.copy(POOL, pool)
        os.environ |= {"LOCALSEL_WORKSPACE": str(home), "TERM": "xterm-256color"}
        os.environ.pop("NO_COLOR", None)
        models = ("--model", "nano-gemma2", "--model", "nano-llama", "--baseline", "length")
        line = ("compare", str(pool), "--budget", "40", *models, "--display", "plain")
        subprocess.run([sys.executable, "-m", "localsel", *line], check=True, stdout=sys.stderr)
        asyncio.run(shoot(home))


if __name__ == "__main__":
    main()
