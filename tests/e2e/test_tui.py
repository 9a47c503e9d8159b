"""The TUI in a real terminal: what dies, what goes on, and what every kind of terminal gets."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from localsel.store import Store
from tests.conftest import Command
from tests.e2e.terminal import Terminal

# Enough questions for some tens of seconds.
LONG = ("--query-size", 3, "--orders", 20, "--threads", 1)
TITLE = "2 Run"


@pytest.fixture
def home(workspace: Path) -> Iterator[Path]:
    """A workspace with vectors; no detached run outlives its test."""
    yield workspace
    with closing(Store(workspace)) as store:
        for run in store.runs():
            if owner := store.owner(run["run"]):
                os.kill(owner["pid"], signal.SIGKILL)


@pytest.fixture
def run(localsel: Command, home: Path, example_pool: Path, selector: Path) -> str:
    """A detached run that goes on for a while, and has answers."""
    line = ("run", example_pool, "--budget", 20, "--model", selector, *LONG)
    done = localsel(*line, "--detach", "--workspace", home)
    assert done.code == 0, done.stderr
    name = str(done.stdout.strip())
    ends = time.monotonic() + 180
    while answered(home, name) < 3:
        assert time.monotonic() < ends
        time.sleep(0.05)
    return name


def answered(home: Path, run: str) -> int:
    with closing(Store(home)) as store:
        return store.progress(run)["answered"]


def owner(home: Path, run: str) -> int | None:
    with closing(Store(home)) as store:
        found = store.owner(run)
    return int(found["pid"]) if found else None


def opened(localsel: Command, home: Path, **environment: str | None) -> Terminal:
    return Terminal(localsel, "tui", "--workspace", home, size=(80, 24), **environment)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_told_of_and_taken_up_again(
    localsel: Command, home: Path, run: str, number: signal.Signals
) -> None:
    with opened(localsel, home) as terminal:
        terminal.wait_for(TITLE).press("2").wait_for(f"{run}   ▶ running").wait_for("queries/s")
        pid = owner(home, run)
        assert pid
        os.kill(pid, number)
        terminal.wait_for("was ended from outside").wait_for("queries are kept").wait_for("Press r")
        kept = answered(home, run)
        terminal.press("r").until(lambda: answered(home, run) > kept)
        terminal.wait_for(f"{run}   ▶ running")
        assert terminal.press("q").ended() == 0
        assert owner(home, run)


@pytest.mark.parametrize("end", ["killed", "cut", "told"])
def test_a_run_outlives_its_screen_and_a_new_one_shows_it(
    localsel: Command, home: Path, run: str, end: str
) -> None:
    with opened(localsel, home) as terminal:
        terminal.wait_for(TITLE).press("2").wait_for(f"{run}   ▶ running")
        match end:
            case "killed":
                assert terminal.kill().ended() == -signal.SIGKILL
            case "cut":
                # No traceback that nobody reads: the hangup itself ends it.
                assert terminal.cut().ended() == -signal.SIGHUP
            case _:
                assert terminal.kill(signal.SIGTERM).ended() == 0
                # The terminal is as it was: no mouse, no other screen.
                terminal.until(lambda: b"\x1b[?1049l" in terminal.raw)
                assert b"\x1b[?1000l" in terminal.raw
        assert b"Traceback" not in terminal.raw
    kept = answered(home, run)
    assert owner(home, run)
    began = time.monotonic()
    with opened(localsel, home) as terminal:
        terminal.wait_for(run).wait_for("▶")
        took = time.monotonic() - began
        print(f"a new TUI shows the run after {took:.2f} s")
        assert took < 10
        terminal.press("2").wait_for(f"{run}   ▶ running")
        terminal.until(lambda: answered(home, run) > kept)


def test_a_terminal_that_can_do_nothing_is_refused(localsel: Command, home: Path) -> None:
    with opened(localsel, home, TERM="dumb") as terminal:
        assert terminal.ended() == 2
        terminal.wait_for("TERM=dumb cannot show the TUI")
        terminal.wait_for("`localsel run --help`")
        assert b"\x1b[" not in terminal.raw


COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
CODES = re.compile(
    rb"\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()].|[=>78P])"
)


@pytest.mark.parametrize("term", ["xterm", "tmux-256color", "xterm-256color", "linux"])
def test_every_screen_comes_up_in_every_terminal(
    localsel: Command, home: Path, run: str, term: str
) -> None:
    with opened(localsel, home, TERM=term) as terminal:
        terminal.wait_for(TITLE)
        for number, name in enumerate(("Workspace", "Run", "Clusters", "Compare"), start=1):
            terminal.press(str(number)).wait_for(f"▌{number} {name}▐")
        assert COLOUR.search(terminal.raw)
        assert terminal.press("q").ended() == 0
        assert b"Traceback" not in terminal.raw


def test_no_color_is_no_colour(localsel: Command, home: Path, run: str) -> None:
    with opened(localsel, home, NO_COLOR="1", COLORTERM="truecolor") as terminal:
        terminal.wait_for(TITLE).press("2").wait_for("▶ running").wait_for("▶ choose")
        assert terminal.press("q").ended() == 0
        coloured = {found.group() for found in COLOUR.finditer(terminal.raw)}
        greys = {each for each in coloured if _is_grey(each)}
        assert coloured == greys


def _is_grey(code: bytes) -> bool:
    """Shades are no colours: `38;2;r;g;b` of three alike."""
    triples = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", code)
    rest = re.sub(rb"[34]8;2;\d+;\d+;\d+", b"", code)
    return bool(triples) and all(len(set(each)) == 1 for each in triples) and not COLOUR.match(rest)


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "en_US.ISO-8859-1"}])
def test_without_utf_8_everything_is_ascii(
    localsel: Command, home: Path, run: str, locale: dict[str, str]
) -> None:
    with opened(localsel, home, **locale) as terminal:
        terminal.wait_for(TITLE).press("2").wait_for(f"{run}   > running").wait_for("> choose")
        terminal.wait_for("v load").press("l").wait_for("copy").press("escape", "?").wait_for(
            "- Help -"
        )
        assert CODES.sub(b"", terminal.raw).isascii()
        assert terminal.raw.isascii()
