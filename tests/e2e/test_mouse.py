"""The main steps of the TUI with the mouse alone, in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.terminal import Terminal


@pytest.fixture
def home(localsel: Command, workspace: Path, example_pool: Path) -> Path:
    """A workspace in which two selectors were compared."""
    models = ("--model", "random:7", "--model", "first")
    where = ("--display", "none", "--threads", 1, "--workspace", workspace)
    done = localsel("compare", example_pool, "--budget", 12, *models, *where)
    assert done.code == 0, done.stderr
    return workspace


def test_open_review_and_hand_on(localsel: Command, home: Path) -> None:
    with Terminal(localsel, "tui", "--workspace", home, size=(120, 40)) as terminal:
        terminal.wait_for("2 selectors")
        terminal.click_on("3 Clusters").wait_for("12 clusters")
        row = next(place for place, line in enumerate(terminal.lines) if "≠" in line and place > 2)
        terminal.click(8, row).wait_for("candidates")
        terminal.click_on("6 Review").wait_for("nothing reviewed yet")
        terminal.click_on("b ban").wait_for("1 banned")
        terminal.click_on("u undo").wait_for("nothing reviewed yet")
        terminal.click_on("5 Map").wait_for("what tells")
        terminal.click_on("1 Workspace").wait_for("2 selectors")
        terminal.click_on("n new run").wait_for("New run")
        terminal.click_on("esc back").wait_for("2 selectors")
        assert terminal.press("q").ended() == 0, terminal.text
