"""What disturbed runs share: short texts, embedded once, and their undisturbed selection."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.disturbing import Runs, asked, run_of, text_of, write_pool
from tests.once import once

ROWS = 600
# About 300 questions: 152 queries in two orders.
OPTIONS = ("--budget", 100, "--query-size", 6, "--orders", 2, "--near-duplicates", "off")
QUIETLY = ("--threads", 1)


@dataclass(frozen=True)
class Undisturbed:
    """What every disturbed run has to come to: its picks but for the id, and its questions."""

    text: str
    questions: list[tuple[int, int]]


@pytest.fixture(scope="session")
def short_pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pool(tmp_path_factory.mktemp("pool") / "pool.jsonl", ROWS)


@pytest.fixture(scope="session")
def short_embedded(
    tmp_path_factory: pytest.TempPathFactory, blocker: Path, short_pool: Path
) -> Path:
    """A workspace without runs that has the vectors of the short pool."""

    def fill(folder: Path) -> None:
        localsel = Command(folder, blocker)
        line = ("run", short_pool, *OPTIONS, *QUIETLY, "--model", "first")
        ran = localsel(*line, "--dry-run", "--workspace", folder / "workspace")
        assert ran.code == 0, ran.stderr

    return once(tmp_path_factory, "short", fill) / "workspace"


@pytest.fixture
def place(short_embedded: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Workspaces of the test's own, in which the short pool need not be embedded again."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(short_embedded, tmp_path / name))

    return copy


@pytest.fixture
def by_rule(localsel: Command, short_pool: Path) -> Runs:
    """A run that needs no weights."""
    return Runs(localsel, short_pool, *OPTIONS, *QUIETLY, "--model", "random:3")


@pytest.fixture
def by_model(localsel: Command, short_pool: Path, selector: Path) -> Runs:
    return Runs(localsel, short_pool, *OPTIONS, *QUIETLY, "--model", selector)


def _undisturbed(
    factory: pytest.TempPathFactory, name: str, runs: Callable[[Path], Runs], embedded: Path
) -> Undisturbed:
    """The run as it is when nothing happens, at home in a folder of this name."""

    def fill(folder: Path) -> None:
        workspace = Path(shutil.copytree(embedded, folder / "workspace"))
        out = folder / "undisturbed.jsonl"
        run, state = run_of(runs(folder).whole(workspace, "--out", out))
        assert state == "new"
        known = {"text": text_of(out, run), "questions": sorted(asked(workspace, run))}
        (folder / "known.json").write_text(json.dumps(known), encoding="utf-8")

    folder = once(factory, name, fill)
    known = json.loads((folder / "known.json").read_text(encoding="utf-8"))
    return Undisturbed(known["text"], [(query, order) for query, order in known["questions"]])


@pytest.fixture(scope="session")
def calm_rule(
    tmp_path_factory: pytest.TempPathFactory, blocker: Path, short_pool: Path, short_embedded: Path
) -> Undisturbed:
    line = (short_pool, *OPTIONS, *QUIETLY, "--model", "random:3")
    return _undisturbed(
        tmp_path_factory,
        "calm-rule",
        lambda folder: Runs(Command(folder, blocker), *line),
        short_embedded,
    )


@pytest.fixture(scope="session")
def calm_model(
    tmp_path_factory: pytest.TempPathFactory,
    blocker: Path,
    short_pool: Path,
    short_embedded: Path,
    selector: Path,
) -> Undisturbed:
    line = (short_pool, *OPTIONS, *QUIETLY, "--model", selector)
    return _undisturbed(
        tmp_path_factory,
        "calm-model",
        lambda folder: Runs(Command(folder, blocker), *line),
        short_embedded,
    )
