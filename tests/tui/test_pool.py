"""The rows of a pool on a screen: scrolled, searched, read whole; broken ones apart."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from textual.pilot import Pilot

from localsel.records import Instruction, text_digest
from localsel.store import Store
from localsel.tui.app import Localsel
from localsel.tui.screens.pool import PoolScreen
from localsel.tui.widgets.filtering import Filtering
from localsel.tui.widgets.rows import RowsTable
from tests.tui.conftest import drive, screen_text, told, until

ROWS, TWIN, BROKEN = 50_000, 7, 20_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a pool of 50,000 rows: one broken, one the duplicate of another."""
    home = tmp_path_factory.mktemp("large") / "workspace"
    with closing(Store(home)) as store, store.add_pool("p", home / "large.jsonl", "", "") as pool:
        for row in range(ROWS):
            if row == BROKEN:
                pool.add_bad(row, row + 1, "no column [b]instruction[/b] in it")
                continue
            text = "Text number 7." if row == 9 else f"Text number {row}."
            columns = {"instruction": text, "note": f"\x1b[31m note {row}", "long": "x" * 50_000}
            each = Instruction(row, text, "[red]in[/red]", "Ünüsual" if row % 10_000 == 5 else "")
            pool.add(each, text_digest(text), columns if row < 20 else {"instruction": text})
    return home


@pytest.fixture
def large(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "large"))


async def opened(app: Localsel, pilot: Pilot[None]) -> RowsTable:
    await until(pilot, lambda: "49,999" in screen_text(app))
    await pilot.press("tab", "enter")
    await until(pilot, lambda: isinstance(app.screen, PoolScreen))
    await until(pilot, lambda: "Text number 0." in screen_text(app))
    return app.screen.query_one(RowsTable)


def first_row(app: Localsel) -> str:
    return screen_text(app).splitlines()[2]


def test_a_pool_that_is_gone_is_said(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        screen = PoolScreen(app.desk, "none")
        await app.push_screen(screen)
        await until(pilot, lambda: app.screen is app.page("workspace"))
        assert "This pool was removed meanwhile." in told(app)

    drive(scenario, tmp_path / "new")


def test_every_row_is_reached(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        assert "large.jsonl: 49,999 rows, 1 broken" in screen_text(app)
        assert len(table.source) == ROWS - 1
        await pilot.press("G")
        await until(pilot, lambda: "Text number 49999." in screen_text(app))
        assert table.key == ROWS - 1
        await pilot.press("g", "pagedown")
        await until(pilot, lambda: table.key == table.size.height - 2)
        # The number of a broken row is nobody's.
        table.cursor = BROKEN - 1
        await pilot.press("down")
        await until(pilot, lambda: table.key == BROKEN + 1)
        assert f"Text number {BROKEN + 1}." in screen_text(app)

    drive(scenario, large)


def test_the_table_reads_what_the_file_says(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        for place in (0, 5, 127, 128, BROKEN - 1, BROKEN, ROWS - 2):
            line = table.line(place)
            row = place if place < BROKEN else place + 1
            assert line and line.key == row
            assert line.cells[1] == f"Text number {7 if row == 9 else row}."

    drive(scenario, large)


def test_a_duplicate_has_a_sign_and_says_of_what(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        assert "= 9 Text number 7." in screen_text(app)
        await pilot.press(*["down"] * 9, "enter")
        await until(pilot, lambda: "the same text as row 7" in screen_text(app))

    drive(scenario, large)


def test_a_search_finds_all_and_n_goes_on(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await pilot.press("slash", *"üNÜ", "enter")
        await until(pilot, lambda: "5 rows with 'üNÜ' of 49,999" in screen_text(app))
        assert [line.key for line in table.source.lines(0, 9)] == [5, 10005, 20005, 30005, 40005]
        await until(pilot, lambda: table.key == 5)
        await pilot.press("n")
        await until(pilot, lambda: table.key == 10005)
        # Once all are there again the next one is found where it stands.
        await pilot.press("escape")
        await until(pilot, lambda: len(table.source) == ROWS - 1)
        assert table.key == 10005
        await pilot.press("n")
        await until(pilot, lambda: table.key == 20005)
        await pilot.press("N", "N", "N")
        await until(pilot, lambda: table.key == 5)
        assert "No other row has" in told(app)

    drive(scenario, large)


def test_a_search_that_is_given_up_leaves_all_rows(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await pilot.press("slash", *"nowhere")
        await pilot.press("escape")
        await until(pilot, lambda: not app.screen.query(Filtering))
        await pilot.pause(0.6)
        assert len(table.source) == ROWS - 1
        assert "large.jsonl: 49,999 rows" in screen_text(app)
        assert app.focused is table
        await pilot.press("slash", *"nowhere", "enter")
        await until(pilot, lambda: "0 rows with 'nowhere'" in screen_text(app))
        assert "Press esc for all rows." in screen_text(app)

    drive(scenario, large)


def test_a_row_is_read_whole_as_data(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        assert "[red]in[/red]" in screen_text(app)
        if app.size.width < 120:
            assert "note 0" not in screen_text(app)
            await pilot.press("enter")
        await until(pilot, lambda: "␛[31m note 0" in screen_text(app))
        assert "\x1b" not in screen_text(app)
        await pilot.press("down")
        await until(pilot, lambda: "note 1" in screen_text(app))
        if app.size.width < 120:
            await pilot.press("escape")
            await until(pilot, lambda: "note 1" not in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.page("workspace"))

    drive(scenario, large)
    drive(scenario, large, (120, 40))


def test_f_shows_broken_rows_only(large: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        table = await opened(app, pilot)
        await pilot.press("f")
        await until(pilot, lambda: "no column [b]instruction[/b] in it" in first_row(app))
        assert (len(table.source), table.key) == (1, BROKEN)
        await pilot.press("enter")
        await until(pilot, lambda: "Row 20,000 was skipped" in screen_text(app))
        await pilot.press("escape", "slash", *"zzz", "enter")
        await until(pilot, lambda: not len(table.source))
        await pilot.press("f")
        await until(pilot, lambda: "Text number 0." in first_row(app))
        assert len(table.source) == ROWS - 1

    drive(scenario, large)


def test_a_real_pool_that_was_read_from_a_file(workspace: Path, example_pool: Path) -> None:
    rows = [json.loads(line) for line in example_pool.read_text(encoding="utf-8").splitlines()]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "485" in screen_text(app))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, PoolScreen))
        table = app.screen.query_one(RowsTable)
        assert [line.cells[1] for line in table.source.lines(0, 485)] == [
            row["instruction"][:600] for row in rows
        ]
        await pilot.press("f")
        await until(pilot, lambda: "No row of this pool is broken." in screen_text(app))

    drive(scenario, workspace)
