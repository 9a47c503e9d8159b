"""What tests of the screens share: workspaces with finished runs, and the app under a pilot."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from textual.pilot import Pilot

from localsel.tui.app import Localsel
from localsel.tui.messages import Look
from localsel.tui.page import Page
from localsel.tui.subject import Subject
from tests.conftest import Command
from tests.once import once

Scenario: TypeAlias = Callable[[Localsel, "Pilot[None]"], Awaitable[None]]

NANO = ("nano-gemma2", "nano-llama")
SCRIPTED = ("random:7", "first")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blocker: Path) -> None:
    """What the children of the app inherit: a home that holds nothing, and no network."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    for name, value in {
        "HOME": home,
        "XDG_DATA_HOME": home / "share",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
        "PYTHONPATH": blocker,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }.items():
        monkeypatch.setenv(name, str(value))
    for name in ("NO_COLOR", "LOCALSEL_WORKSPACE", "LC_ALL", "LC_CTYPE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home)


def _compared(
    folder: Path, blocker: Path, embedded: Path, pool: Path, models: tuple[str, ...]
) -> Path:
    workspace = Path(shutil.copytree(embedded, folder / "workspace"))
    named = [word for model in models for word in ("--model", model)]
    ran = Command(folder, blocker)(
        *("compare", pool, "--budget", 40, *named, "--baseline", "length"),
        *("--display", "none", "--threads", 1, "--workspace", workspace),
    )
    assert ran.code == 0, ran.stderr
    return workspace


@pytest.fixture(scope="session")
def compared(
    tmp_path_factory: pytest.TempPathFactory, blocker: Path, embedded: Path, example_pool: Path
) -> Path:
    """A workspace in which both nano selectors were compared. Whoever writes takes a copy."""

    def fill(folder: Path) -> None:
        _compared(folder, blocker, embedded, example_pool, NANO)

    return once(tmp_path_factory, "compared", fill) / "workspace"


@pytest.fixture(scope="session")
def drawn(
    tmp_path_factory: pytest.TempPathFactory, blocker: Path, embedded: Path, example_pool: Path
) -> Path:
    """The same of two scripted selectors, and nothing in it that differs from day to day."""

    def fill(folder: Path) -> None:
        workspace = _compared(folder, blocker, embedded, example_pool, SCRIPTED)
        with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
            _settle(database, example_pool)

    return once(tmp_path_factory, "drawn", fill) / "workspace"


def _settle(database: sqlite3.Connection, pool: Path) -> None:
    """Names, days and seconds that every machine has."""
    runs = [row[0] for row in database.execute("SELECT run FROM runs ORDER BY created")]
    with_run = database.execute(
        "SELECT m.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND c.name = 'run'"
    )
    tables = [row[0] for row in with_run]
    for number, run in enumerate(runs, start=1):
        facts, settings = database.execute(
            "SELECT facts, settings FROM runs WHERE run = ?", (run,)
        ).fetchone()
        known = json.loads(facts)
        known["seconds_by_stage"] = dict.fromkeys(known.get("seconds_by_stage", {}), 1.5)
        known["peak_memory"] = 400 * 2**20
        known["versions"] = {}
        if known["sharing"].get("command"):
            known["sharing"]["command"] = "localsel compare pool.jsonl"
        database.execute(
            "UPDATE runs SET facts = ?, settings = ?, created = ?, updated = ? WHERE run = ?",
            (
                json.dumps(known),
                settings.replace(str(pool), "/data/pool.jsonl"),
                1.7e9 + number,
                1.7e9 + number,
                run,
            ),
        )
        for table in tables:
            named = f"0000000{number}"
            database.execute(f"UPDATE {table} SET run = ? WHERE run = ?", (named, run))
    database.execute("UPDATE answers SET seconds = 0.1")
    database.execute("UPDATE asked SET at = 1.7e9")
    database.execute("UPDATE pools SET path = '/data/pool.jsonl'")


@pytest.fixture
def workspace(compared: Path, tmp_path: Path) -> Path:
    """A copy of the test's own."""
    return Path(shutil.copytree(compared, tmp_path / "workspace"))


class Noting(Localsel):
    """The app, which keeps what it told: on the screen a note stays for seconds."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.notes: list[str] = []

    def notify(self, message: str, **how: Any) -> None:
        self.notes.append(message)
        super().notify(message, **how)


@asynccontextmanager
async def open_app(
    home: Path, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Localsel, Pilot[None]]]:
    """The real app on a workspace, in a terminal of this size that is not there."""
    app = Noting(home)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield app, pilot


def drive(scenario: Scenario, home: Path, size: tuple[int, int] = (80, 24)) -> None:
    """Plays a scenario, `async def scenario(app, pilot)`, to its end."""

    async def play() -> None:
        async with open_app(home, size) as (app, pilot):
            await scenario(app, pilot)

    asyncio.run(play())


async def until(pilot: Pilot[None], condition: Callable[[], object], seconds: float = 180) -> None:
    """Waits for something to be so; fails, showing the screen, if it never is."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came:\n" + screen_text(pilot.app)
        await pilot.pause(0.05)


def screen_text(app: Localsel) -> str:
    """What is on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def told(app: Localsel) -> str:
    """All notes so far, whole: on the screen they are wrapped."""
    assert isinstance(app, Noting)
    return "\n".join(app.notes)


async def turned_to(
    app: Localsel, pilot: Pilot[None], name: str, runs: Sequence[str], **place: Any
) -> Page:
    """A screen that looks at these runs, once it is up."""
    # The first screen turns to its first line, once.
    await until(pilot, lambda: app.desk.subject.runs)
    await pilot.pause()
    app.post_message(Look(Subject(runs=tuple(runs), **place), name))
    page = app.page(name)
    await until(pilot, lambda: app.up is page)
    return page
