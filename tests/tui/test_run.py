"""The Run page over real runs: watched to the end, killed, stopped, taken up again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from textual.pilot import Pilot

from localsel.store import Store
from localsel.tui.app import Interrupted, Localsel
from localsel.tui.ending import kept
from localsel.tui.messages import Look, Start
from localsel.tui.screens.run import RunPage
from localsel.tui.subject import Subject
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.table import Table
from tests.conftest import Command
from tests.tui.conftest import drive, open_app, screen_text, told, until

SHORT = ("--query-size=14", "--threads=1")
# Enough questions for some tens of seconds.
LONG = ("--query-size=3", "--orders=20", "--threads=1")


@pytest.fixture
def home(embedded: Path, tmp_path: Path) -> Iterator[Path]:
    """A workspace with vectors and no runs; nothing that was started in it outlives the test."""
    folder = Path(shutil.copytree(embedded, tmp_path / "fresh"))
    yield folder
    for log in (folder / "logs").glob("*.jsonl"):
        for line in map(json.loads, log.read_text().splitlines()):
            if line["event"] == "process":
                with suppress(ProcessLookupError):
                    os.kill(line["pid"], signal.SIGKILL)


def line_of(pool: Path, selector: Path, *options: str) -> tuple[str, ...]:
    return ("run", "--budget=20", f"--model={selector}", *options, "--", str(pool))


async def begin(app: Localsel, pilot: Pilot[None], line: tuple[str, ...], count: int = 1) -> str:
    """Starts a command and waits for so many answers; the name of its run."""
    app.post_message(Start(line))
    await until(pilot, lambda: app.up is app.page("run"))
    await until(pilot, lambda: app.desk.subject.run)
    run = app.desk.subject.run
    await until(pilot, lambda: app.desk.store.progress(run)["answered"] >= count)
    return run


def pid_of(home: Path, run: str) -> int:
    with closing(Store(home)) as store:
        owner = store.owner(run)
    assert owner
    return int(owner["pid"])


def stored(home: Path, run: str) -> tuple[str, int]:
    """State, and answers."""
    with closing(Store(home)) as store:
        return store.state(store.run(run)), store.progress(run)["answered"]


def answers(app: Localsel) -> Table:
    return app.screen.query_one("#answers", Table)


def listed(app: Localsel) -> int:
    """Answers in the table; none where another screen is up."""
    return sum(len(table.source) for table in app.screen.query("#answers").results(Table))


def shown(app: Localsel) -> str:
    """The run under the cursor."""
    page = app.page("run")
    assert isinstance(page, RunPage) and page.standing
    return page.standing.run


def test_a_run_is_watched_to_its_end(home: Path, example_pool: Path, selector: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        run = await begin(app, pilot, line_of(example_pool, selector, *SHORT))
        await until(pilot, lambda: f"Run {run} is done." in told(app))
        await until(pilot, lambda: "✓ finished" in screen_text(app))
        await until(pilot, lambda: "Chose 20 of 485 instructions" in screen_text(app))
        assert app.desk.subject.runs == (run,)
        assert listed(app) == stored(home, run)[1]
        assert "Query" in screen_text(app) and "✓ █" in screen_text(app)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        assert "485 instructions." in screen_text(app)
        await pilot.press("y")
        await until(pilot, lambda: "Copied the log." in told(app))
        assert "485 instructions." in app.clipboard

    drive(scenario, home)


def test_a_killed_run_says_so_and_goes_on(home: Path, example_pool: Path, selector: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        run = await begin(app, pilot, line_of(example_pool, selector, *LONG), 5)
        shows = screen_text(app)
        assert "▶ choose" in shows and "spent" in shows
        os.kill(pid_of(home, run), signal.SIGKILL)
        says = f"Run {run} was killed (SIGKILL), as it happens when memory runs out."
        await until(pilot, lambda: says in told(app))
        state, kept = stored(home, run)
        assert state == "interrupted" and kept >= 5
        assert f" {kept:,} of " in told(app) and "Press r to go on." in told(app)
        await until(pilot, lambda: "was killed (SIGKILL)" in screen_text(app))
        assert "r resume" in screen_text(app).splitlines()[-1]
        await pilot.press("r")
        await until(pilot, lambda: stored(home, run)[0] == "running")
        await until(pilot, lambda: stored(home, run)[1] > kept)
        await until(pilot, lambda: app.desk.subject.runs == (run,))
        await stop(app, pilot)
        await until(pilot, lambda: f"Run {run} was stopped." in told(app))
        assert stored(home, run)[0] == "interrupted"

    drive(scenario, home)


async def stop(app: Localsel, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: "s stop" in screen_text(app).splitlines()[-1])
    await pilot.press("s")
    await until(pilot, lambda: isinstance(app.screen, Dialog))
    assert "What is done is kept" in screen_text(app)
    await pilot.press("s")


def test_a_run_is_stopped_before_it_has_a_name(
    tmp_path: Path, example_pool: Path, selector: Path
) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        app.post_message(Start(("compare", *line_of(example_pool, selector)[1:])))
        await until(pilot, lambda: "▶ embed" in screen_text(app))
        await stop(app, pilot)
        await until(pilot, lambda: "The comparison was stopped. Press r to go on." in told(app))
        assert not app.desk.store.runs()
        await pilot.press("r")
        await until(pilot, lambda: len(app.desk.jobs) == 2)
        again = list(app.desk.jobs.values())
        assert again[0].command == again[1].command
        await stop(app, pilot)
        await until(pilot, lambda: not any(job.alive for job in app.desk.jobs.values()))

    drive(scenario, tmp_path / "empty")


def test_two_screens_follow_one_run(home: Path, example_pool: Path, selector: Path) -> None:
    async def play() -> None:
        async with open_app(home) as (app, pilot), open_app(home) as (other, watcher):
            run = await begin(app, pilot, line_of(example_pool, selector, *LONG), 3)
            await watcher.press("2")
            await until(watcher, lambda: f"{run}   ▶ running" in screen_text(other))
            seen = listed(other)
            await until(watcher, lambda: listed(other) > seen)
            os.kill(pid_of(home, run), signal.SIGSEGV)
            await until(pilot, lambda: "crashed (SIGSEGV) in a library" in told(app))
            await until(watcher, lambda: "was ended from outside" in told(other))

    asyncio.run(play())


def test_a_run_of_another_terminal_is_followed(
    home: Path, example_pool: Path, selector: Path, tmp_path: Path, blocker: Path
) -> None:
    localsel = Command(tmp_path / "home", blocker)
    line = line_of(example_pool, selector, *LONG, "--display=json", f"--workspace={home}")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        with localsel.start(*line) as process:
            await pilot.press("2")
            await until(pilot, lambda: "▶ running" in screen_text(app))
            await until(pilot, lambda: "queries/s" in screen_text(app))
            await pilot.press("l")
            await until(pilot, lambda: "There is no log" in told(app))
            await stop(app, pilot)
            await until(pilot, lambda: "Stopped run" in told(app))
            await until(pilot, lambda: "□ interrupted" in screen_text(app))
            assert "It was cut off." in screen_text(app)
            process.communicate()

    drive(scenario, home)


def test_ctrl_c_asks_once_and_stops_the_second_time(
    home: Path, example_pool: Path, selector: Path
) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        run = await begin(app, pilot, line_of(example_pool, selector, *LONG))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(app.screen, Interrupted))
        await pilot.press("escape")
        assert stored(home, run)[0] == "running"
        await pilot.press("ctrl+c")
        await until(pilot, lambda: isinstance(app.screen, Interrupted))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: f"Run {run} was stopped." in told(app))
        assert stored(home, run)[0] == "interrupted"

    drive(scenario, home)


@pytest.mark.parametrize("keys", [("ctrl+c", "k"), ("q",)])
def test_leaving_leaves_the_run_going(
    home: Path, example_pool: Path, selector: Path, keys: tuple[str, ...]
) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        run = await begin(app, pilot, line_of(example_pool, selector, *LONG))
        await pilot.press(*keys)
        await until(pilot, lambda: not app.is_running)
        assert stored(home, run)[0] == "running"

    drive(scenario, home)


def test_an_answer_opens_its_cluster(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        with closing(Store(workspace)) as store:
            runs = tuple(run["run"] for run in store.runs() if run["plan"])
        app.post_message(Look(Subject(runs=runs), "run"))
        await until(pilot, lambda: listed(app) > 0)
        assert app.focused is answers(app)
        run = shown(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.up is app.page("clusters"))
        subject = app.desk.subject
        assert subject.run == run and set(subject.runs) == set(runs)
        with closing(Store(workspace)) as store:
            page = store.answers_page(run, 1, 1)[0]
        assert (subject.query, subject.cluster) == (page["answer"].query, page["cluster"])

    drive(scenario, workspace)


def test_the_cursor_turns_to_another_run(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, lambda: listed(app) > 0)
        await pilot.press("shift+tab", "g")
        first = shown(app)
        assert f"{first}   ✓ finished" in screen_text(app)
        await pilot.press("j")
        await until(pilot, lambda: shown(app) != first)
        await until(pilot, lambda: f"{shown(app)}   ✓ finished" in screen_text(app))

    drive(scenario, workspace)


def test_faults_only(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        app.desk.store._database.execute(
            "UPDATE answers SET outcome = 'abstained' WHERE query = 3 AND ordering = 0"
        )
        await pilot.press("2")
        await until(pilot, lambda: listed(app) > 1)
        every = listed(app)
        await pilot.press("f")
        await until(pilot, lambda: listed(app) == 1)
        assert "! unanswered, filled at random" in screen_text(app)
        await pilot.press("f")
        await until(pilot, lambda: listed(app) == every)

    drive(scenario, workspace)


def test_answers_are_narrowed_to_a_text(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, lambda: listed(app) > 1)
        every = listed(app)
        await pilot.press("slash", *"WRITE", "enter")
        await until(pilot, lambda: 0 < listed(app) < every)
        rows = answers(app).source.lines(0, 200)
        assert all("write" in row.cells[-1].lower() for row in rows)

    drive(scenario, workspace)


def scored_line(pool: Path, budget: int) -> tuple[str, ...]:
    return ("run", f"--budget={budget}", "--method=ifd", "--model=random:1", "--", str(pool))


def test_what_was_started_is_shown_beside_earlier_runs(workspace: Path, tmp_path: Path) -> None:
    pool = tmp_path / "answered.jsonl"
    rows = [{"instruction": f"Name {each}.", "output": f"It is {each}."} for each in range(30)]
    pool.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.desk.subject.run)
        earlier = {run["run"] for run in app.desk.store.runs()}
        # As from the form: a screen above the Workspace starts it.
        await app.push_screen(Dialog("Start?", {"s": "start"}))
        app.post_message(Start(scored_line(pool, 5)))
        await until(pilot, lambda: app.up is app.page("run"))
        await until(pilot, lambda: "is done." in told(app))
        (run,) = {run["run"] for run in app.desk.store.runs()} - earlier
        await until(pilot, lambda: app.desk.subject.runs == (run,))
        await until(pilot, lambda: f"{run}   ✓ finished" in screen_text(app))
        assert "✓ load  ✓ choose  ✓ export" in screen_text(app)
        assert shown(app) == run and "had finished before" not in screen_text(app)
        await pilot.press("1")
        await until(pilot, lambda: app.up is app.page("workspace"))
        await pilot.press("2")
        await until(pilot, lambda: app.up is app.page("run"))
        await pilot.pause()
        assert shown(app) == run
        app.post_message(Look(Subject(runs=(min(earlier),)), "run"))
        await until(pilot, lambda: shown(app) == min(earlier))
        app.post_message(Start(scored_line(pool, 5)))
        await until(pilot, lambda: f"Run {run} had finished before" in told(app))
        await until(pilot, lambda: "It had finished before" in screen_text(app))
        assert shown(app) == run

    drive(scenario, workspace)


def test_an_empty_workspace_says_which_key(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, lambda: "Nothing has run here yet. Press 1" in screen_text(app))
        assert "s stop" not in screen_text(app) and "r resume" not in screen_text(app)
        await pilot.press("s", "r", "f", "l")
        assert app.up is app.page("run")

    drive(scenario, tmp_path / "empty")


def test_what_is_kept_agrees_in_number(workspace: Path) -> None:
    with closing(Store(workspace)) as store:
        run = next(run["run"] for run in store.runs() if run["facts"].get("selector"))
        assert kept(store, run).endswith(" queries are kept.")
        first = "(SELECT min(rowid) FROM asked WHERE run = ?1)"
        with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
            database.execute(f"DELETE FROM asked WHERE run = ?1 AND rowid > {first}", (run,))
        assert kept(store, run).startswith("1 of ") and kept(store, run).endswith(" is kept.")


def test_a_summary_that_failed_is_asked_for_again(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("2")
        page = app.page("run")
        assert isinstance(page, RunPage)
        await until(pilot, lambda: page.is_mounted)
        page._summaries["gone", 0.0] = []
        await asyncio.to_thread(page._summarise, ("gone", 0.0))
        assert ("gone", 0.0) not in page._summaries

    drive(scenario, workspace)
