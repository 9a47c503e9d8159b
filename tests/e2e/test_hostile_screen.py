"""Data as an enemy: what a terminal would obey, in every text there is, on all eight screens."""

from __future__ import annotations

import base64
import json
import re
import time
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from wcwidth import wcswidth

from tests.conftest import Command
from tests.e2e.terminal import Terminal

TITLE = "\x1b]0;evil title\x07"
TEXTS = [
    "[bold red]x[/] [/] [@click=app.quit]x[/] [link=https://evil.example]x[/link]",
    "\x1b[2J\x1b[H\x1b[31mcleared",
    f"{TITLE} \x1b]2;evil title\x1b\\",
    "\x1b]52;c;ZXZpbA==\x07 the clipboard",
    "\x1b[?1049l\x1b[?1000l\x1bc left",
    "\x9b2J \x9d0;evil title\x9c \x90 \x85 C1",
    "\u202eturned around\u202c \u2066apart\u2069 \u200fmark",
    "zero\u200b\u200c\u200d\ufeff\u2060width \u00ad",
    "全角の文字列 ＡＢＣ 한국어 " * 8,
    "z" + "\u0301\u0323\u0336" * 300 + " marks",
    "👩\u200d👩\u200d👧\u200d👦 🏳\ufe0f\u200d🌈 👍🏽 🇩🇪 ❤\ufe0f 1\ufe0f\u20e3 family " * 6,
    "\x00 nul \x00\x00",
    "tab\there\tand\rback\r\nline\n\n\u2028sep\u2029par\x0b\x0c",
    "one line " + "x" * 1_000_000,
    "\u0301क्षि त्रि ﷽ \ue000 \U000e0041 \ufff9a\ufffb",
]
ROWS = [f"{TEXTS[row % len(TEXTS)]} number {row}" for row in range(60)]
LONG = TEXTS.index("one line " + "x" * 1_000_000)
INSTRUCTION, OTHER = f"instruction{TITLE}[bold]", "[red]out\u202eput\n"
FILE = f"ev{TITLE}il\n[bold]\u202epool.jsonl"
CRITERIA = f"[red]Prefer {TITLE}\u202e what\nis \x9bsafe"

NAMES = ("Workspace", "Run", "Clusters", "Compare", "Map", "Review", "Models", "Prompt")
KEYS: dict[str, tuple[str, ...]] = {
    "Workspace": ("v", "v"),
    "Run": ("down", "f"),
    "Clusters": ("down", "enter", "down", "o"),
    "Compare": ("down", "d", "]", "]", "]", "]"),
    "Map": ("n", "c", "+"),
    "Review": ("down", "a"),
    "Models": ("down", "v"),
    "Prompt": ("down", "]", "v"),
}
"""What is pressed on a screen without leaving it."""
ASIDE = {"Clusters": "v", "Review": "x", "Map": "?", "Models": "?", "Prompt": "o"}
"""What opens something in front of it, which esc closes."""
COPYING = {"Clusters": "radius", "Map": "Left to right", "Review": "rank"}
"""Where something is copied, and what tells that it is there."""

# All that the program itself has to say to a terminal: modes, places, colours, the pointer.
OWN = re.compile(
    rb"\x1b\[(?:\?[0-9]+[hl]|\?[0-9]+\$p|[<>][0-9]*u|[0-9]+;[0-9]+H|[0-9;]*m)|\x1b\]22;default\x07"
)
COPY = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, blocker: Path) -> Path:
    """A workspace with a comparison of two selectors over the rows."""
    folder = tmp_path_factory.mktemp("hostile")
    with (folder / FILE).open("w", encoding="utf-8") as file:
        for row, text in enumerate(ROWS):
            other = TEXTS[(row + 3) % len(TEXTS)][:2000]
            file.write(json.dumps({INSTRUCTION: text, OTHER: other}) + "\n")
    done = Command(folder, blocker)(
        *("compare", folder / FILE, "--map", f"instruction={INSTRUCTION}", "--budget", 12),
        *("--model", "first", "--model", "random:7", "--criteria", CRITERIA),
        *("--threads", 1, "--display", "none", "--workspace", folder / "workspace"),
    )
    assert done.code == 0, done.stderr
    return folder / "workspace"


@pytest.fixture
def shown(localsel: Command, hostile: Path) -> Iterator[list[str]]:
    """Every screen that was looked at: a test that showed nothing of the data proves nothing."""
    screens: list[str] = []
    yield screens
    seen = "\n".join(screens)
    for harmless in ("evil title", "[bold red]x[/]", "one line xxx"):
        assert harmless in seen


@pytest.mark.parametrize(
    ("size", "locale"),
    [((80, 24), {}), ((120, 40), {}), ((80, 24), {"LC_ALL": "C"})],
    ids=["80x24", "120x40", "C"],
)
def test_the_layout_holds(
    localsel: Command,
    hostile: Path,
    shown: list[str],
    size: tuple[int, int],
    locale: dict[str, str],
) -> None:
    with Terminal(localsel, "tui", "--workspace", hostile, size=size, **locale) as terminal:
        terminal.wait_for("2 Run")
        for number, name in enumerate(NAMES, start=1):
            terminal.press(str(number)).until(partial(_is_up, terminal, name))
            for key in ("", *KEYS[name]):
                shown.append(_settled(terminal.press(*filter(None, [key]))))
                _holds(terminal, name, size)
            if name in ASIDE:
                shown.append(_settled(terminal.press(ASIDE[name])))
                _settled(terminal.press("escape"))
                _holds(terminal, name, size)
        assert terminal.raw.count(b"\x1b[?1049l") == 0
        assert terminal.press("q").ended() == 0
        _only_its_own(terminal)
        assert not COPY.search(terminal.raw)
        assert not locale or terminal.raw.isascii()
    assert re.search("[␛?]]0;evil title[␇?]", "\n".join(shown))


@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C"}], ids=["utf-8", "C"])
def test_a_pool_is_read_searched_and_copied(
    localsel: Command, hostile: Path, shown: list[str], locale: dict[str, str]
) -> None:
    with Terminal(localsel, "tui", "--workspace", hostile, size=(80, 24), **locale) as terminal:
        terminal.wait_for("pools").press("tab", "enter").wait_for("60 rows")
        _look(terminal, shown)
        # What follows a NUL is there too.
        assert re.search(r"11 . nul .. number", shown[-1]), shown[-1]
        terminal.press("/").type("evil").wait_for("12 rows with 'evil' of 60")
        _look(terminal, shown)
        terminal.press("escape", "g", "G", "g", *["down"] * LONG, "enter").wait_for(f"Row {LONG}")
        _look(terminal, shown)
        terminal.press("escape", *["down"] * 4, "enter").wait_for(f"Row {LONG + 4}")
        _look(terminal, shown)
        assert not COPY.search(terminal.raw)
        terminal.press("escape", "escape").wait_for("1 Workspace")
        for name, there in COPYING.items():
            terminal.press(str(NAMES.index(name) + 1)).until(partial(_is_up, terminal, name))
            shown.append(_settled(terminal.wait_for(there).press("down")))
            copies = len(COPY.findall(terminal.raw))
            terminal.press("y").until(partial(_has_copied, terminal, copies + 1))
        terminal.wait_for("Copied the")
        assert terminal.press("q").ended() == 0
        _only_its_own(terminal)
        _copied_whole(terminal)
        assert not locale or terminal.raw.isascii()


def _look(terminal: Terminal, shown: list[str]) -> None:
    terminal.until(lambda: terminal.lines[-1].startswith(" ? help"))
    shown.append(_settled(terminal))
    assert terminal.lines[-1].startswith(" ? help"), terminal.text


def _settled(terminal: Terminal, quiet: float = 0.3) -> str:
    """The screen, once nothing changes on it."""
    ends, since, last = time.monotonic() + 60, time.monotonic(), ""
    while time.monotonic() < min(ends, since + quiet):
        if (now := terminal.text) != last:
            since, last = time.monotonic(), now
        time.sleep(0.05)
    return last


def _is_up(terminal: Terminal, name: str) -> bool:
    """Whether this is the tab that stands out."""
    tab = rf"[▌|]{NAMES.index(name) + 1} {name}[▐|]"
    return re.search(tab, terminal.lines[0]) is not None


def _has_copied(terminal: Terminal, count: int) -> bool:
    return len(COPY.findall(terminal.raw)) == count


def _holds(terminal: Terminal, name: str, size: tuple[int, int]) -> None:
    """Tabs above, keys below, nothing wider than the terminal, and panes that stay apart."""
    lines = terminal.lines
    assert _is_up(terminal, name) and "8 Prompt" in lines[0], terminal.text
    assert lines[-1].startswith(" ? help"), terminal.text
    assert max(wcswidth(line) for line in lines if line.isprintable()) <= size[0]
    places = {row.index("│") for row in terminal.cells if "│" in row}
    if size[0] >= 120 and name in ("Workspace", "Run", "Clusters", "Review"):
        assert len(places) == 1, terminal.text


def _only_its_own(terminal: Terminal) -> None:
    """Every byte is a sign with a look, the end of a line, or a code that the program uses."""
    rest = COPY.sub(b"", OWN.sub(b"", terminal.raw)).decode("utf-8")
    odd = {each for each in rest if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert odd <= {"\r", "\n"}, sorted(map(ascii, odd))
    assert not re.search(rb"\x1b\[31m(?:\x1b\[[0-9;]*m)*cleared", terminal.raw)


def _copied_whole(terminal: Terminal) -> None:
    """What the clipboard got is what was asked for, as the data has it."""
    copied = [base64.b64decode(each, validate=True) for each in COPY.findall(terminal.raw)]
    assert len(copied) == len(COPYING)
    assert copied[list(COPYING).index("Map")].decode("utf-8") in ROWS
