"""A command line → localsel in a pseudo-terminal: keys go in, its screen and its bytes come out.

    with Terminal(localsel, "tui", "--workspace", home, size=(80, 24)) as terminal:
        terminal.wait_for("2 Run")          # fails, showing the screen, if it never comes
        terminal.press("2", "down", "enter", "ctrl+c")
        terminal.type("some text")
        terminal.click(10, 3)               # column and line, from 0
        print(terminal.text)                # what is on the screen
        assert b"\\x1b]0;" not in terminal.raw
        terminal.resize(120, 40)
        assert terminal.press("q").ended() == 0

`localsel` is the fixture: the command at home in an empty folder, kept from the network. Variables
of the environment are given as words: `TERM="xterm"`; `TERM=None` takes one away.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import unicodedata
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pyte
from wcwidth import wcwidth

from tests.conftest import Command

KEYS = {
    **{"enter": "\r", "escape": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " "},
    **{"backspace": "\x7f", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D"},
    **{"home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~", "pagedown": "\x1b[6~"},
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}
BETWEEN = 0.05
"""Seconds between two keys: esc and what follows it would be read as one."""

# Questions to the terminal and modes that pyte takes for text: `CSI > 1 u`, `CSI ? 2026 $ p`.
UNKNOWN = re.compile(rb"\x1b\[(?:[<=>][0-9;]*[ -/]*[@-~]|\?[0-9;]*[ -/]+[@-~]|\?[0-9;]*[^0-9;hl])")
TORN = re.compile(rb"\x1b(?:\[[^@-~]*)?$")

# A process without a terminal that opens one has it from then on, and is hung up with it.
SHELL = 'exec "$@" <"$TERMINAL" >"$TERMINAL" 2>"$TERMINAL"'


class Screen(pyte.Screen):
    """pyte's, for texts as people write them."""

    def draw(self, data: str) -> None:
        # At a sign without a width, such as a vowel of Hindi, it would drop all that follows.
        super().draw("".join(each for each in data if wcwidth(each) or unicodedata.combining(each)))

    @property
    def cells(self) -> list[list[str]]:
        """Every cell; nothing in the second half of a wide character, as long as it is one."""
        rows = [[self.buffer[y][x].data for x in range(self.columns)] for y in range(self.lines)]
        return [[_cell(row, place) for place in range(self.columns)] for row in rows]


def _cell(row: list[str], place: int) -> str:
    wide = place > 0 and row[place - 1] and wcwidth(row[place - 1][0]) == 2
    return row[place] if row[place] or wide else " "


class Terminal:
    """A context; what is still there at its end is killed."""

    def __init__(
        self,
        localsel: Command,
        *line: object,
        size: tuple[int, int] = (80, 24),
        **environment: str | None,
    ) -> None:
        self.raw = b""
        self._screen = Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._rest = b""
        self._here = threading.RLock()
        self._cut = threading.Event()
        self._master, slave = os.openpty()
        self._set_size(*size)
        known = {**localsel.environment, "TERMINAL": os.ttyname(slave), **environment}
        self.process = subprocess.Popen(
            ["sh", "-c", SHELL, "sh", sys.executable, "-P", "-m", "localsel", *map(str, line)],
            env={name: value for name, value in known.items() if value is not None},
            cwd=localsel.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._slave: int | None = slave
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.cut()

    # What comes out

    def _read(self) -> None:
        # A thread that waits in `read` would hold the line that `cut` is to drop.
        while not self._cut.is_set():
            if not select.select([self._master], [], [], 0.05)[0]:
                continue
            try:
                told = os.read(self._master, 65536)
            except OSError:
                return
            with self._here:
                self._close_slave()
                self._feed(told)

    def _feed(self, told: bytes) -> None:
        self.raw += told
        whole = UNKNOWN.sub(b"", self._rest + told)
        torn = TORN.search(whole)
        end = torn.start() if torn else len(whole)
        self._rest = whole[end:]
        self._stream.feed(whole[:end])

    def _close_slave(self) -> None:
        """Once the child has it: the terminal is to end with the child."""
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    @property
    def cells(self) -> list[list[str]]:
        """What is in every cell of the screen, line by line."""
        with self._here:
            return self._screen.cells

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.cells]

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, seconds: float = 180) -> Self:
        """Until the text is somewhere on the screen, in one line."""
        return self.until(lambda: text in self.text, seconds, f"{text!r} never came")

    def wait_without(self, text: str, seconds: float = 180) -> Self:
        """Until the text is nowhere on the screen."""
        return self.until(lambda: text not in self.text, seconds, f"{text!r} never went")

    def until(
        self, condition: Callable[[], object], seconds: float = 180, says: str = "it never came"
    ) -> Self:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, f"{says}:\n{self.text}"
            time.sleep(0.02)
        return self

    # What goes in

    def press(self, *keys: str) -> Self:
        """Names as Textual has them, or single characters."""
        for key in keys:
            os.write(self._master, KEYS.get(key, key).encode())
            time.sleep(0.2 if key == "escape" else BETWEEN)
        return self

    def type(self, text: str) -> Self:
        return self.press(*text)

    def click(self, column: int, line: int) -> Self:
        """A press and a release of the left button."""
        for end in "Mm":
            os.write(self._master, f"\x1b[<0;{column + 1};{line + 1}{end}".encode())
        time.sleep(BETWEEN)
        return self

    def click_on(self, text: str) -> Self:
        """On the first letter of the first place where the text stands."""
        self.wait_for(text)
        number = next(number for number, line in enumerate(self.lines) if text in line)
        return self.click(self.lines[number].index(text), number)

    def resize(self, width: int, height: int) -> Self:
        with self._here:
            self._screen.resize(height, width)
        self._set_size(width, height)
        return self

    def _set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    # How it ends

    def kill(self, number: signal.Signals = signal.SIGKILL) -> Self:
        self.process.send_signal(number)
        return self

    def cut(self) -> Self:
        """The line drops: what belongs to the terminal is hung up."""
        if not self._cut.is_set():
            self._cut.set()
            self._reader.join()
            self._close_slave()
            os.close(self._master)
        return self

    def ended(self, seconds: float = 180) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(seconds)
