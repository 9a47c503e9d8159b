"""The frame of the TUI: screens by number, help, palette, themes, leaving."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from localsel.tui.app import Localsel
from localsel.tui.screens import SCREENS
from localsel.tui.widgets.help import Help
from tests.tui.conftest import drive, screen_text, told, until

IN_PLACE = ("review", "models")


@pytest.mark.parametrize(("number", "name"), list(enumerate(SCREENS, start=1)))
def test_every_screen_has_its_number(number: int, name: str, workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press(str(number))
        await pilot.pause()
        assert app.up is app.page(name)
        assert f"▌{number} {name.capitalize()}▐" in screen_text(app)
        assert screen_text(app).splitlines()[-1].startswith(" ? help")

    drive(scenario, workspace)


@pytest.mark.parametrize("name", SCREENS)
def test_what_cannot_be_read_is_said_once(name: str, workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.desk.subject.runs)
        app.action_go(name)
        page = app.page(name)
        await until(pilot, lambda: app.up is page and page.is_mounted)
        await pilot.pause(0.2)
        app.desk.store.close()
        for _ in range(3):
            page.look_again()
            await pilot.pause()
        # Review says it in place of its picks, and selectors are no part of the workspace.
        assert app.is_running and told(app).count("cannot be read") == (name not in IN_PLACE)
        await until(pilot, lambda: name != "review" or "The workspace /" in screen_text(app))

    drive(scenario, workspace)


def test_help_names_the_keys_of_the_focused_widget(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help))
        assert "Table" in screen_text(app)
        assert "next theme" in screen_text(app)
        await pilot.press("escape")
        assert app.screen is app.page("workspace")

    drive(scenario, workspace, (80, 60))


def test_the_palette_knows_every_action(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"go to map")
        await until(pilot, lambda: "Go to map" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.up is app.page("map"))

    drive(scenario, workspace)


def test_themes_go_round(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        worn = [app.theme]
        for _ in range(4):
            await pilot.press("ctrl+t")
            worn.append(app.theme)
        assert worn == ["dark", "light", "high-contrast", "ansi-dark", "dark"]

    drive(scenario, workspace)


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
def test_leaving_asks_nothing_while_nothing_would_be_lost(key: str, workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await until(pilot, lambda: not app.is_running)

    drive(scenario, workspace)
