"""The TUI from an empty workspace to an export, with keys only, in terminals of three sizes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, Command
from tests.e2e.terminal import Terminal

LIMA = CHECKOUT.parent / "shared" / "data" / "lima" / "train.jsonl"
SIZES = [(80, 24), (100, 30), (160, 50)]


class Diary:
    """Keeps every screen as a text file: in the folder that SCREENS names, or the test's own."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal, self._folder, self._count = terminal, folder, 0
        folder.mkdir(parents=True, exist_ok=True)

    def note(self, name: str) -> str:
        self._count += 1
        text = self._terminal.text
        (self._folder / f"{self._count:02}-{name}.txt").write_text(text + "\n", encoding="utf-8")
        return text


@pytest.fixture
def data(tmp_path: Path, example_pool: Path) -> Path:
    """Real instructions where they are at hand, else some of our own."""
    target = tmp_path / "train.jsonl"
    if LIMA.exists():
        shutil.copy(LIMA, target)
    else:
        shutil.copy(example_pool, target)
    return target


@pytest.mark.timeout(900)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_from_nothing_to_label_studio(
    size: tuple[int, int], localsel: Command, tmp_path: Path, data: Path
) -> None:
    if size != SIZES[0]:
        # One size reads the whole file; the others a part of it, to be quick.
        data.write_text("".join(data.read_text(encoding="utf-8").splitlines(True)[:150]))
    kept = os.environ.get("SCREENS")
    folder = Path(kept) if kept else tmp_path / "screens"
    home = tmp_path / "new workspace"
    with Terminal(localsel, size=size, LOCALSEL_WORKSPACE=str(home)) as terminal:
        diary = Diary(terminal, folder / f"{size[0]}x{size[1]}")
        terminal.wait_for("No runs yet. Press n to start one")
        diary.note("nothing")
        start(terminal, diary, data)
        choose(terminal, diary)
        review(terminal, diary)
        hand_on(terminal, diary)
        assert terminal.press("q").ended() == 0
    tasks = json.loads((localsel.folder / "tasks.json").read_text(encoding="utf-8"))
    assert len(tasks) == 12
    assert [task["data"]["localsel_chosen_by"] for task in tasks].count("human") == 1
    assert (localsel.folder / "tasks.xml").exists()
    assert "<html" in (localsel.folder / "cmp" / "report.html").read_text(encoding="utf-8")


def start(terminal: Terminal, diary: Diary, data: Path) -> None:
    """n: the file, both selectors, a budget; the plan; ctrl+s."""
    terminal.press("n")
    terminal.wait_for("New run").wait_for("nano-llama")
    terminal.type(str(data)).press("enter")
    terminal.wait_for("conversations as instruction" if LIMA.exists() else "Alpaca columns")
    diary.note("preview")
    terminal.press("space", "space", "tab").type("12")
    terminal.wait_for("tokens", 300)
    diary.note("plan")
    terminal.press("ctrl+s")


def choose(terminal: Terminal, diary: Diary) -> None:
    """Watches the comparison, then opens a cluster in which the two disagree."""
    terminal.wait_for("nano-llama")
    terminal.wait_for("running")
    diary.note("running")
    terminal.wait_for("The comparison is done", 300)
    diary.note("done")
    terminal.press("3", "D")
    terminal.wait_for("≠")
    diary.note("clusters that differ")
    terminal.press("enter")
    terminal.wait_for("nano-gemma")
    diary.note("inside a cluster")
    terminal.press("4")
    terminal.wait_for("only A")
    diary.note("compare")


def review(terminal: Terminal, diary: Diary) -> None:
    """Bans one pick, swaps another, and takes the swap back."""
    terminal.press("6")
    terminal.wait_for("nothing reviewed yet")
    diary.note("review")
    terminal.press("b")
    terminal.wait_for("1 banned")
    diary.note("banned")
    terminal.press("j", "x")
    terminal.wait_for("enter takes a candidate")
    diary.note("swap")
    terminal.press("enter")
    terminal.wait_for("1 banned, 1 swapped")
    diary.note("swapped")
    terminal.press("u")
    terminal.wait_for("Undone: the swap")
    assert "swapped" not in diary.note("undone").splitlines()[1]


def hand_on(terminal: Terminal, diary: Diary) -> None:
    """w: the report of the comparison; e: the picks for Label Studio."""
    terminal.press("w")
    terminal.wait_for("Write the report of 2 runs")
    terminal.press("ctrl+u").type("cmp")
    diary.note("report")
    terminal.press("enter")
    terminal.wait_for("Written")
    terminal.press("e")
    terminal.wait_for("label-studio")
    terminal.press("down", "down", "down", "down")
    diary.note("formats")
    terminal.press("tab", "ctrl+u").type("tasks.json")
    diary.note("export")
    terminal.press("enter")
    terminal.wait_for("Wrote 12 picks")
    diary.note("exported")
