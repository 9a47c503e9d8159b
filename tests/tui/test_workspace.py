"""Screen 1: runs, pools and models, and what is done with runs from there."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from localsel.store import Store
from localsel.tui.app import Localsel
from localsel.tui.listing import model_sizes
from localsel.tui.screens.exporting import Exporting
from localsel.tui.screens.pool import PoolScreen
from localsel.tui.screens.workspace import WorkspacePage
from localsel.tui.widgets.asking import Asking
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.table import Table
from tests.tui.conftest import drive, screen_text, told, until

SELECTORS = ("nano-gemma2", "nano-llama")


def runs_of(home: Path) -> list[dict[str, Any]]:
    """Oldest first."""
    with closing(Store(home)) as store:
        return store.runs()[::-1]


def page_of(app: Localsel) -> WorkspacePage:
    page = app.page("workspace")
    assert isinstance(page, WorkspacePage)
    return page


async def filled(app: Localsel, pilot: Pilot[None]) -> Table:
    """The list of runs, once it is read."""
    table = page_of(app).query_one("#runs", Table)
    await until(pilot, lambda: len(table.source))
    await pilot.pause()
    return table


async def typed(pilot: Pilot[None], text: str) -> None:
    """Into the line that has the focus, in place of what is there."""
    line = pilot.app.screen.query_one(Input)
    line.focus()
    line.value = text
    await pilot.press("enter")


def test_a_comparison_is_one_line_with_its_runs_below(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        lines = screen_text(app).splitlines()
        first = next(place for place, line in enumerate(lines) if "compare " in line)
        assert "✓ finished" in lines[first] and "2 selectors" in lines[first]
        runs = runs_of(workspace)
        for place, run in enumerate(runs, start=1):
            branch = "└" if place == len(runs) else "├"
            assert f"{branch} {run['run']}" in lines[first + place]
        assert all(f"{name} " in "\n".join(lines[first:]) for name in SELECTORS)
        assert "40/40 pool.jsonl" in lines[first]
        assert app.focused is page_of(app).query_one("#runs")

    drive(scenario, workspace)


def test_other_screens_show_what_the_cursor_is_on(workspace: Path) -> None:
    names = [run["run"] for run in runs_of(workspace)]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await until(pilot, lambda: app.desk.subject.runs == tuple(names[:2]))
        await pilot.press("down", "down")
        await until(pilot, lambda: app.desk.subject.runs == (names[1],))

    drive(scenario, workspace)


def test_enter_opens_a_comparison_or_one_of_its_runs(workspace: Path) -> None:
    runs = runs_of(workspace)
    names = [run["run"] for run in runs]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.up is app.page("clusters"))
        assert app.desk.subject.runs == tuple(names[:2])
        await pilot.press("1", "j", "enter")
        await until(pilot, lambda: app.desk.subject.runs == (names[0],))
        assert app.up is app.page("clusters")
        # A baseline asks nothing: there are no queries to look at, but picks.
        await pilot.press("1", "G", "enter")
        await until(pilot, lambda: app.desk.subject.runs == (names[-1],))
        assert app.up is app.page("review")

    drive(scenario, workspace)


def test_a_run_that_goes_on_opens_where_it_is_watched(workspace: Path) -> None:
    name = runs_of(workspace)[0]["run"]
    with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
        database.execute("UPDATE runs SET state = 'running' WHERE run = ?", (name,))

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await until(pilot, lambda: "▶ running" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.up is app.page("run"))

    with closing(Store(workspace)) as store, store.lock(name):
        drive(scenario, workspace)


def test_a_run_that_was_cut_off_says_so(workspace: Path) -> None:
    with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
        database.execute("UPDATE runs SET state = 'running' WHERE plan IS NOT NULL")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        assert screen_text(app).count("□ interrupted") == 3

    drive(scenario, workspace)


def test_c_compares_what_is_marked(workspace: Path) -> None:
    names = [run["run"] for run in runs_of(workspace)]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("j", "c")
        await pilot.pause()
        assert "Mark the runs to compare" in told(app)
        assert app.up is page_of(app)
        await pilot.press("space", "j", "space", "c")
        await until(pilot, lambda: app.up is app.page("compare"))
        assert app.desk.subject.runs == (names[0], names[2])

    drive(scenario, workspace)


def test_c_on_a_comparison_compares_its_selectors(workspace: Path) -> None:
    names = [run["run"] for run in runs_of(workspace)]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("c")
        await until(pilot, lambda: app.up is app.page("compare"))
        assert app.desk.subject.runs == tuple(names[:2])

    drive(scenario, workspace)


def test_details_at_the_side_and_below(workspace: Path) -> None:
    name = runs_of(workspace)[0]["run"]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("j")
        if app.size.width < 100:
            assert f"Run {name}" not in screen_text(app)
            await pilot.press("v")
        await until(pilot, lambda: f"Run {name}" in screen_text(app))
        assert "40 of 40: 40 by vote" in screen_text(app)
        assert "nano-gemma2 (llamacpp)" in screen_text(app)
        if app.size.width < 100:
            await pilot.press("v")
            await until(pilot, lambda: f"Run {name}" not in screen_text(app))
        else:
            await pilot.press("k")
            await until(pilot, lambda: "Comparison of" in screen_text(app))
            await pilot.press("tab")
            await until(pilot, lambda: "layout" in screen_text(app))
            await pilot.press("tab")
            await until(pilot, lambda: "Model nano-gemma2" in screen_text(app))

    drive(scenario, workspace, (120, 40))
    drive(scenario, workspace)


def test_pools_and_models_open(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        assert "485" in screen_text(app)
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, PoolScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is page_of(app))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: app.up is app.page("models"))

    drive(scenario, workspace)


def test_n_opens_the_form(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        from localsel.tui.screens.start import StartScreen

        await filled(app, pilot)
        # Also once something was filtered: the next match is of no use in so short a list.
        await pilot.press("slash", *"nano", "enter", "n")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))

    drive(scenario, workspace)


def test_an_empty_workspace_says_which_key_to_press(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "No runs yet. Press n to start one" in screen_text(app))
        for key in ("x", "e", "w"):
            await pilot.press(key)
        await pilot.pause()
        assert "no run here to delete" in told(app)
        assert told(app).count("No run is open") == 2

    drive(scenario, tmp_path / "new")


def test_x_deletes_after_a_question(workspace: Path) -> None:
    names = [run["run"] for run in runs_of(workspace)]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("j", "x")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        assert names[0] in screen_text(app)
        await pilot.press("escape", "x")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.press("x")
        await until(pilot, lambda: "Deleted 1 run." in told(app))
        await until(pilot, lambda: names[0] not in screen_text(app))
        assert names[0] not in app.desk.subject.runs

    drive(scenario, workspace)
    assert [run["run"] for run in runs_of(workspace)] == names[1:]


def test_what_cannot_be_deleted_is_said(workspace: Path) -> None:
    name = runs_of(workspace)[0]["run"]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        with closing(Store(workspace)) as store, store.lock(name):
            await pilot.press("j", "x")
            await until(pilot, lambda: isinstance(app.screen, Dialog))
            await pilot.press("x")
            await until(pilot, lambda: "Another process is working" in screen_text(app))

    drive(scenario, workspace)
    assert name in [run["run"] for run in runs_of(workspace)]


def test_a_run_is_carried_to_another_workspace(workspace: Path, tmp_path: Path) -> None:
    name, file = runs_of(workspace)[0]["run"], tmp_path / "carried [bold].gz"

    async def carry(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("o")
        await pilot.pause()
        assert "One run is carried at a time" in told(app)
        await pilot.press("j", "o")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await typed(pilot, str(file))
        await until(pilot, lambda: f"Run {name} is in {file}" in told(app))

    async def take_up(app: Localsel, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "No runs yet" in screen_text(app))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await typed(pilot, str(tmp_path / "nothing.gz"))
        await until(pilot, lambda: "There is no file" in screen_text(app))
        await pilot.press("escape", "i")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await typed(pilot, str(file))
        await until(pilot, lambda: f"Imported run {name}" in told(app))
        await until(pilot, lambda: name in screen_text(app))

    drive(carry, workspace)
    drive(take_up, tmp_path / "elsewhere")


def test_picks_are_exported_in_every_format(workspace: Path, tmp_path: Path) -> None:
    name = runs_of(workspace)[0]["run"]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("j", "e")
        await until(pilot, lambda: isinstance(app.screen, Exporting))
        path = app.screen.query_one(Input)
        assert isinstance(app.focused, OptionList)
        await until(pilot, lambda: path.value == f"picks-{name}.jsonl")
        await pilot.press("down", "down", "down", "down")
        await until(pilot, lambda: path.value == f"picks-{name}.json")
        assert "label-studio" in screen_text(app)
        await pilot.press("enter")
        assert app.focused is path
        await typed(pilot, str(tmp_path / "none" / "tasks.json"))
        await until(pilot, lambda: "There is no folder" in screen_text(app))
        await typed(pilot, str(tmp_path / "tasks.json"))
        await until(pilot, lambda: "Wrote 40 picks" in told(app))
        assert app.screen is page_of(app)

    drive(scenario, workspace)
    assert len(json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))) == 40
    assert (tmp_path / "tasks.xml").exists()


def test_a_file_with_answers_is_replaced_only_by_force(workspace: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "picks.jsonl"

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("j", "e")
        await until(pilot, lambda: isinstance(app.screen, Exporting))
        await typed(pilot, str(sheet))
        await until(pilot, lambda: "Wrote 40 picks" in told(app))
        lines = sheet.read_text(encoding="utf-8").splitlines()
        filled_in = [json.loads(line) | {"response": "An answer."} for line in lines]
        sheet.write_text("\n".join(map(json.dumps, filled_in)), encoding="utf-8")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Exporting))
        await typed(pilot, str(sheet))
        await until(pilot, lambda: "Press ctrl+f to replace it." in screen_text(app))
        assert "An answer." in sheet.read_text(encoding="utf-8")
        await pilot.press("ctrl+f")
        await until(pilot, lambda: app.screen is page_of(app))

    drive(scenario, workspace)
    assert "An answer." not in sheet.read_text(encoding="utf-8")


def test_ctrl_s_writes_and_esc_does_not(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Exporting))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is page_of(app))
        assert not list(Path.cwd().glob("picks-*"))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Exporting))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Wrote 40 picks" in told(app))
        assert len(list(Path.cwd().glob("picks-*.jsonl"))) == 1

    drive(scenario, workspace)


def test_w_writes_the_report_of_a_comparison(workspace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        assert "Write the report of 2 runs" in screen_text(app)
        await typed(pilot, str(folder))
        await until(pilot, lambda: f"Written: {folder / 'report.html'}" in told(app))

    drive(scenario, workspace)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in SELECTORS)


def test_w_on_one_run_of_a_comparison_offers_the_whole(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        for keys, runs in ((("j",), "2 runs"), (("space",), "1 run")):
            await pilot.press(*keys, "w")
            await until(pilot, lambda: isinstance(app.screen, Asking))
            assert f"Write the report of {runs}" in screen_text(app)
            assert ("The whole comparison" in screen_text(app)) == (runs == "2 runs")
            await pilot.press("escape")

    drive(scenario, workspace)


def test_a_path_of_nobody_is_refused_in_words(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await filled(app, pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await typed(pilot, "~nobody-of-this-name/run.json.gz")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await until(pilot, lambda: "~nobody-of-this-name/run.json.gz" in screen_text(app))

    drive(scenario, workspace)


def test_models_removed_meanwhile_are_left_out(selector: Path, tmp_path: Path) -> None:
    assert model_sizes([tmp_path / "gone.gguf", selector]) == {selector: selector.stat().st_size}


def test_d_runs_the_demo(embedded: Path, tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "No runs yet" in screen_text(app))
        await pilot.press("d")
        await until(pilot, lambda: app.up is app.page("run"))
        await until(pilot, lambda: any(job.alive for job in app.desk.jobs.values()))
        await pilot.press("1")
        # First it reads and plans, and has no run.
        await until(pilot, lambda: "compare    ▶" in screen_text(app))
        await until(pilot, lambda: not any(job.alive for job in app.desk.jobs.values()), 240)
        await until(pilot, lambda: "2 selectors" in screen_text(app))

    home = Path(shutil.copytree(embedded, tmp_path / "demo"))
    drive(scenario, home)
    assert {name for run in runs_of(home) if (name := _selector(run))} == set(SELECTORS)


def _selector(run: dict[str, Any]) -> str:
    return str((run["facts"]["selector"] or {}).get("name", ""))
