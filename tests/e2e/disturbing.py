"""One command line, disturbed wherever somebody says → its events, its questions, its selection."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Timer
from typing import Any

from localsel.store import Store
from tests.conftest import Command, events_of

Event = dict[str, Any]

WORDS = ("Explain", "Compare", "List", "Describe", "Criticise", "Draw", "Count")
SUBJECTS = ("rivers", "bridges", "taxes", "bees", "poems", "engines", "soups", "maps", "laws")


def write_pool(path: Path, rows: int) -> Path:
    """Short texts, all distinct: quick to embed and to ask about."""
    texts = (
        f"{WORDS[place % len(WORDS)]} {SUBJECTS[place % len(SUBJECTS)]} of place {place}."
        for place in range(rows)
    )
    path.write_text("\n".join(json.dumps({"instruction": text}) for text in texts))
    return path


class Runs:
    """The same command line, in any workspace, killed wherever somebody says."""

    def __init__(self, localsel: Command, data: Path, *options: object) -> None:
        self.localsel = localsel
        self.line = ("run", data, *options, "--display", "json")

    def whole(self, workspace: Path, *options: object) -> list[Event]:
        done = self.localsel(*self.line, "--workspace", workspace, *options)
        assert done.code == 0, done.stderr
        return done.lines

    def killed(self, workspace: Path, when: Callable[[Event], bool]) -> list[Event]:
        """Every event that came out before SIGKILL took effect."""
        seen = []
        with self.localsel.start(*self.line, "--workspace", workspace) as process:
            for event in events_of(process):
                seen.append(event)
                if when(event):
                    os.kill(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        return seen

    def sent(
        self,
        number: signal.Signals,
        when: Callable[[Event], bool] | None,
        seconds: float,
        workspace: Path,
        *options: object,
    ) -> tuple[int, list[Event]]:
        """Exit code and events of a start that gets a signal.

        Args:
            when: the first event for which this holds starts the clock; None: the start itself.
            seconds: how long after that the signal comes.
        """
        seen = []
        with self.localsel.start(*self.line, "--workspace", workspace, *options) as process:
            timer = Timer(seconds, process.send_signal, (number,))
            waiting = when
            if waiting is None:
                timer.start()
            assert process.stdout is not None
            for line in process.stdout:
                # The last line of a process that was killed may be torn.
                if not line.endswith("\n"):
                    break
                event = json.loads(line)
                seen.append(event)
                if waiting and waiting(event):
                    waiting = None
                    timer.start()
            process.wait()
            timer.cancel()
        return process.returncode, seen


def run_of(events: list[Event]) -> tuple[str, str]:
    """Which run it was, and whether it was new, resumed or finished."""
    (event,) = (event for event in events if event["event"] == "run")
    return event["run"], event["state"]


def new_answers(events: list[Event]) -> list[tuple[int, int]]:
    """Queries and orders that this start put to the model."""
    answers = [event for event in events if event["event"] == "answer"]
    return [(each["query"], each["order"]) for each in answers if not each["earlier"]]


def answered(share: float) -> Callable[[Event], bool]:
    def enough(event: Event) -> bool:
        return event["event"] == "answer" and event["done"] >= share * event["total"]

    return enough


def text_of(picks: Path, run: str) -> str:
    """A file of picks, byte for byte, but for the id of its run."""
    text = picks.read_text(encoding="utf-8")
    assert run in text
    return text.replace(run, "RUN")


def asked(workspace: Path, run: str) -> list[tuple[int, int]]:
    """The log of finished questions: query and order."""
    with closing(Store(workspace)) as store:
        return [(each["query"], each["ordering"]) for each in store.asked(run)]


def twice(questions: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What was asked more than once."""
    return [question for question, times in Counter(questions).items() if times > 1]


def until(condition: Callable[[], bool], seconds: float = 180) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)
