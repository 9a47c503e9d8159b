"""Every screen as a picture: at two sizes, in colour and without. `make snapshots` keeps them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from localsel.tui.app import Localsel
from tests.conftest import CHECKOUT
from tests.tui.conftest import drive, until
from tests.tui.snapshots import compare

SCENES: dict[str, tuple[str, ...]] = {
    "workspace": (),
    "new-run": ("n",),
    "run": ("enter", "2"),
    "clusters": ("enter",),
    "cluster": ("enter", "enter"),
    "compare": ("enter", "4"),
    "map": ("enter", "5"),
    "review": ("enter", "6"),
    "models": ("7",),
    "prompt": ("enter", "8"),
    "help": ("question_mark",),
}
"""What is pressed, one after the other, before each picture."""

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same time of day everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("look", ["dark", "no-colour"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scene", SCENES)
def test_screen(
    scene: str,
    size: str,
    look: str,
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    # Models are shown by their place from here on, wherever the checkout lies.
    monkeypatch.chdir(CHECKOUT)
    if look == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    write = request.config.getoption("--write-snapshots")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await settled(app, pilot)
        for key in SCENES[scene]:
            await pilot.press(key)
            await settled(app, pilot)
        compare(app, f"{scene}-{size}-{look}", write)

    drive(scenario, Path(shutil.copytree(drawn, tmp_path / "workspace")), SIZES[size])


async def settled(app: Localsel, pilot: Pilot[None]) -> None:
    """Until all that was asked for has come."""
    await pilot.pause(0.3)
    await until(
        pilot,
        lambda: all(each.group == "follow" or each.is_finished for each in app.workers),
        120,
    )
    for field in app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause(0.2)
