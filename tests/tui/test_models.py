"""The Models screen: selectors are listed, checked in a child, added, and used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from localsel.selectors import weights
from localsel.tui.app import Localsel
from localsel.tui.cards import Checked, card_text, failed
from localsel.tui.child import RefusedError
from localsel.tui.screens.models import MACHINE, Models, ModelsPage
from localsel.tui.screens.start import StartScreen
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.picking import Picker
from localsel.tui.widgets.table import Table
from tests.tui.conftest import drive, screen_text, until

HOSTILE = "[bold red]x\x1b[31m[link=x]"


async def opened(app: Localsel, pilot: Pilot[None]) -> ModelsPage:
    await pilot.press("7")
    page = app.page("models")
    assert isinstance(page, ModelsPage)
    await until(pilot, lambda: app.up is page and len(page.table.source))
    return page


def nano(home: Path, name: str) -> Path:
    return next(path for path in weights(home) if path.stem == name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that is looked through."""
    made = tmp_path / "others"
    made.mkdir()
    monkeypatch.setenv("LOCALSEL_MODELS", str(made))
    return made


def test_the_selectors_that_can_be_named(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        names = [path.stem for path in weights(workspace)]
        assert names == ["nano-gemma2", "nano-llama"]
        lines = page.table.source.lines(0, 10)
        assert [line.cells[0] for line in lines] == [*names, MACHINE]
        assert "Press c to check it, n to start a run with it." in screen_text(app)

    drive(scenario, workspace)


@pytest.mark.parametrize("key", ["c", "enter"])
def test_a_check_makes_a_card(key: str, workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press(key)
        assert "… checking" in screen_text(app)
        await until(pilot, lambda: "✓ can be used" in screen_text(app))
        card = await app.desk.ask("models", "check", "nano-gemma2")
        for fact in ("gemma2", "F16", "8,192 tokens", "no system message", card["sha256"]):
            assert fact in screen_text(app)
        assert f"{card['parameters']:,} parameters" in screen_text(app)
        assert "canary" in screen_text(app) and "template    yes" in screen_text(app)
        kept = dict(page._checked)
        await pilot.press(key)
        assert page._checked == kept, "it is not asked again"
        path = nano(workspace, "nano-gemma2")
        assert list(kept) == [(path, path.stat().st_mtime_ns)]

    drive(scenario, workspace, (100, 40))


def test_broken_files_end_their_checks_alone(workspace: Path, folder: Path) -> None:
    (folder / f"{HOSTILE}.gguf").write_bytes(b"GGUF\x03\x00\x00\x00garbage")
    whole = nano(workspace, "nano-llama").read_bytes()
    (folder / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    (folder / "text.gguf").write_text("no weights")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        assert "[bold red]x␛[31m[link=x]" in screen_text(app)
        await pilot.press("C")
        await until(
            pilot, lambda: all(each.state != "checking" for each in page._checked.values()), 120
        )
        assert screen_text(app).count("✓ can be used") == 2
        assert screen_text(app).count("× cannot") == 3
        for path in weights(workspace):
            page.table.go_to(path)
            await pilot.pause()
            broken = path.parent == folder
            assert ("× It cannot be used." in screen_text(app)) is broken
            assert ("canary" in screen_text(app)) is not broken
        assert "\x1b" not in screen_text(app)

    drive(scenario, workspace, (120, 40))


def test_a_file_that_changed_is_not_checked_any_more(workspace: Path, folder: Path) -> None:
    path = folder / "text.gguf"
    path.write_text("no weights")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        page.table.go_to(path)
        await pilot.press("c")
        await until(pilot, lambda: "× It cannot be used." in screen_text(app))
        assert "is not a GGUF file" in screen_text(app)
        os.utime(path, ns=(1, 1))
        page.show()
        await pilot.pause()
        assert "Press c to check it" in screen_text(app)
        path.unlink()
        page.show()
        assert path not in {line.key for line in page.table.source.lines(0, 10)}

    drive(scenario, workspace)


def test_this_machine_and_its_embedder(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("m")
        await until(pilot, lambda: "✓ embedder     sentence-transformers" in screen_text(app))
        assert "✓ guard" in screen_text(app)
        assert "Looked for models in" in screen_text(app)
        await pilot.press("g", "G", "enter")
        assert "Looking at this machine…" in screen_text(app)
        await until(pilot, lambda: "✓ embedder" in screen_text(app))

    drive(scenario, workspace, (120, 40))


def test_a_file_is_added_by_the_picker(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.gguf").write_bytes(nano(workspace, "nano-llama").read_bytes())
    (elsewhere / "broken.gguf").write_text("no weights")
    monkeypatch.chdir(elsewhere)

    async def take(app: Localsel, pilot: Pilot[None], name: str) -> None:
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        table = app.screen.query_one(Table)
        await until(pilot, lambda: len(table.source) == 2)
        table.go_to(elsewhere / name)
        await pilot.press("enter")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await take(app, pilot, "mine.gguf")
        added = workspace / "models" / "mine.gguf"
        await until(pilot, lambda: page.table.key == added)
        assert added.resolve() == elsewhere / "mine.gguf"
        await take(app, pilot, "broken.gguf")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        says = "broken.gguf is not a GGUF file"
        await until(pilot, lambda: says in screen_text(app).replace("\n", " "))
        assert not (workspace / "models" / "broken.gguf").exists()
        await pilot.press("escape", "a")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press("escape")
        assert app.screen is page

    drive(scenario, workspace, (120, 40))


def test_a_folder_is_added_by_its_safetensors(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "mine.5"
    shutil.copytree(nano(workspace, "nano-llama").parent, own)
    monkeypatch.chdir(own)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        table = app.screen.query_one(Table)
        await until(pilot, lambda: len(table.source))
        table.go_to(own / "model.safetensors")
        await pilot.press("enter")
        added = workspace / "models" / "mine.5"
        await until(pilot, lambda: page.table.key == added)
        assert added.resolve() == own

    drive(scenario, workspace, (120, 40))


def test_a_run_with_the_model_under_the_cursor(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("j", "n")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        assert isinstance(app.screen, StartScreen)
        assert list(map(str, app.screen.marked)) == [str(nano(workspace, "nano-llama"))]

    drive(scenario, workspace)


def test_a_list_keeps_its_place_while_others_are_checked(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("c", "j")
        await until(pilot, lambda: "✓ can be used" in screen_text(app))
        assert page.table.key == nano(workspace, "nano-llama")
        assert app.focused is app.screen.query_one(Models)

    drive(scenario, workspace)


def test_a_killed_check_says_so() -> None:
    checked = failed(RefusedError("It ended with code -11.", "", -11))
    text = str(card_text(Path("/m/[b]x.gguf"), 2**20, checked))
    assert text.startswith("[b]x\n/m/[b]x.gguf\n")
    assert "× It cannot be used.\nChecking it ended with signal 11: the file breaks it." in text
    assert "Press c to check it" in str(card_text(Path("/m/x.gguf"), 2**20, Checked()))
