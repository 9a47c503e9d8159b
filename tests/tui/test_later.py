"""Slow work of a screen → nothing, where the screen was left; else its failure is heard."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.app import ComposeResult
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import WorkerFailed

from localsel.tui.app import Localsel
from localsel.tui.later import later, was_left
from tests.tui.conftest import drive, until


class Part(Static):
    """A widget that tells when it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def on_unmount(self) -> None:
        self.gone.set()


class Slow(Screen[None]):
    """Its work goes on when its widget has gone, just before the screen, and misses it."""

    has_missed = False

    def compose(self) -> ComposeResult:
        yield Part()

    def on_mount(self) -> None:
        later(self, self._look)

    async def _look(self) -> None:
        await self.query_one(Part).gone.wait()
        try:
            self.query_one(Part)
        except NoMatches:
            self.has_missed = True
            raise


def test_work_of_a_screen_that_was_left_fails_in_silence(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        slow = Slow()
        await app.push_screen(slow)
        assert not was_left(slow)
        await app.pop_screen()
        await until(pilot, lambda: slow.has_missed)
        assert was_left(slow) and app.is_running

    drive(scenario, tmp_path / "empty")


def test_work_that_the_end_of_the_app_overtakes_fails_in_silence(tmp_path: Path) -> None:
    left: list[Slow] = []

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        left.append(Slow())
        await app.push_screen(left[0])

    drive(scenario, tmp_path / "empty")
    assert left[0].has_missed


@pytest.mark.parametrize("up", ["workspace", "models"])
def test_work_of_a_page_that_is_there_fails_aloud(up: str, tmp_path: Path) -> None:
    """Also of one that is not on show: keys come back to it."""

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = app.page("workspace")

        async def look() -> None:
            page.query_one("#nothing")

        app.action_go(up)
        await until(pilot, lambda: app.up is app.page(up))
        assert not was_left(page)
        later(page, look)
        await until(pilot, lambda: not app.is_running)

    with pytest.raises(WorkerFailed, match="nothing"):
        drive(scenario, tmp_path / "empty")
