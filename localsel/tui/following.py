"""The logs of a workspace and its database → what every detached command has told so far."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localsel.detached import is_alive, last_words
from localsel.events import HEAD, Event
from localsel.wording import STOPPED

KEPT = 500
"""Notes and warnings of a job that are kept to be read."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a job has told of one of its runs; before there is a run its name is empty.

    Attributes:
        selector: whose run it is; `baseline`: whether it asks nobody.
        since, then: when this stage was first heard of (monotonic seconds), and how far it was:
            its pace is measured from there.
        stages: those that were heard of, in their order; `aim`: the picks that are to be chosen.
        ended: whether the run has told its record.
        reused: whether there was nothing to do: it had finished before.
        error: why there is no run of this selector, or no end of it.
    """

    run: str = ""
    selector: str = ""
    baseline: bool = False
    stage: str = "load"
    done: int = 0
    total: int = 0
    since: float = 0.0
    then: int = 0
    stages: tuple[str, ...] = ()
    aim: int = 0
    ended: bool = False
    reused: bool = False
    error: str = ""

    def pace(self, now: float) -> float | None:
        """Units a second in this stage, as far as it was watched."""
        spent = now - self.since
        return (self.done - self.then) / spent if spent > 1 and self.done > self.then else None

    def left(self, now: float) -> float | None:
        """Seconds to the end of this stage."""
        pace = self.pace(now)
        return (self.total - self.done) / pace if pace and self.total else None


@dataclass(frozen=True, slots=True)
class Job:
    """A detached command and what it has told.

    Attributes:
        line: its command line, without the program's name.
        signed: the process that it is: `pid` and `host`.
        told: by run and selector, in the order of their beginning; `last`: who told last.
        texts: its notes and warnings, the warnings with `! ` in front.
        words: what it said last before it died; empty while it lives.
        code: how its process ended, where this TUI is its parent; negative for a signal.
        comparison: the result of `compare`.
    """

    log: Path
    line: tuple[str, ...] = ()
    signed: Mapping[str, Any] = field(default_factory=dict)
    alive: bool = True
    told: Mapping[tuple[str, str], Told] = field(default_factory=dict)
    last: tuple[str, str] | None = None
    texts: tuple[str, ...] = ()
    words: str = ""
    code: int | None = None
    finished: bool = False
    comparison: Mapping[str, Any] | None = None
    started: float = 0.0

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(told.run for told in self.told.values() if told.run))

    @property
    def now(self) -> Told:
        """What it is busy with, or was last."""
        return self.told[self.last] if self.last else Told()

    @property
    def broken(self) -> bool:
        """It died before it had done what it was to do."""
        return not self.alive and not self.finished

    @property
    def stopped(self) -> bool:
        """Somebody told it to end, and it did."""
        return self.broken and (self.words == STOPPED or self.code == -signal.SIGTERM)

    @property
    def command(self) -> tuple[str, ...]:
        """Its command line without what says where it lives and how it tells."""
        where = ("--workspace", "--display")
        return tuple(
            word
            for before, word in zip(("", *self.line), self.line, strict=False)
            if word.partition("=")[0] not in where and before not in where
        )


class Follower:
    """Reads what is new in the logs, each time it is asked."""

    def __init__(self, home: Path, code: Callable[[Path], int | None] = lambda log: None) -> None:
        self.home, self._code = home, code
        self.jobs: dict[Path, Job] = {}
        self._places: dict[Path, int] = {}

    def poll(self) -> bool:
        """Brings `jobs` up to date; whether anything is new."""
        logs = sorted((self.home / "logs").glob("*.jsonl"), key=_written)
        gone = [self.jobs.pop(log) for log in list(self.jobs) if log not in logs]
        news = [self._look(log) for log in logs]
        return bool(gone) or any(news)

    def _look(self, log: Path) -> bool:
        job = self.jobs.get(log, Job(log, started=_written(log)))
        if log in self.jobs and not job.alive:
            return False
        # Asked before reading: what it writes last comes before it ends.
        alive = is_alive(log)
        told = job
        for event in self._new_events(log):
            told = after(told, event)
        if log not in self.jobs:
            # What was told before anybody listened says nothing about the pace of now.
            told = replace(told, told={key: _rebased(each) for key, each in told.told.items()})
        if not alive:
            words = "" if told.finished else last_words(log)
            told = replace(told, alive=False, words=words, code=self._code(log))
        self.jobs[log] = told
        return told != job or log not in self._places

    def _new_events(self, log: Path) -> Iterator[Event]:
        try:
            with log.open("rb") as file:
                file.seek(self._places.get(log, 0))
                while (line := file.readline()).endswith(b"\n"):
                    self._places[log] = file.tell()
                    if event := _event(line):
                        yield event
        except FileNotFoundError:
            return


def _rebased(told: Told) -> Told:
    return replace(told, since=time.monotonic(), then=told.done)


def _written(log: Path) -> float:
    try:
        return log.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _event(line: bytes) -> Event | None:
    """One line of a log; what a full disk cut off says nothing."""
    try:
        found = json.loads(line)
        return Event.from_json(found) if all(name in found for name in HEAD) else None
    except (ValueError, TypeError):
        return None


def after(job: Job, event: Event) -> Job:
    """The job once it has told this too."""
    if event.event == "command":
        line: Any = event.details.get("line", ())
        return replace(job, line=tuple(map(str, line)))
    if event.event == "process":
        return replace(job, signed=event.details)
    if event.event in ("note", "warning"):
        sign = "! " if event.event == "warning" else ""
        texts = (*job.texts, f"{sign}{event.details['text']}")[-KEPT:]
        job = replace(job, texts=texts)
    comparison: Any = event.details.get("comparison")
    if event.event == "done" and comparison:
        return replace(job, finished=True, comparison=comparison)
    told, last = _told(job, event)
    job = replace(job, told=told, last=last)
    alone = job.line[:1] == ("run",)
    return replace(job, finished=True) if alone and event.event == "done" else job


def _told(job: Job, event: Event) -> tuple[dict[tuple[str, str], Told], tuple[str, str]]:
    """What is known once this was told too, and of whom it was told."""
    told, selector = dict(job.told), str(event.details.get("selector", ""))
    key = (event.run, selector)
    if event.details.get("failed"):
        # Of a run that broke, its name is not told again.
        key = next((known for known in told if known[1] == selector), key)
    elif event.run and key not in told and ("", selector) in told:
        # Until a run has its name, what is told of it is told of nobody.
        names = {("", selector): key}
        told = {names.get(known, known): each for known, each in told.items()}
    told[key] = _heard(told.get(key, Told()), event, selector)
    return told, key


def _heard(told: Told, event: Event, selector: str) -> Told:
    told = replace(told, run=event.run or told.run, selector=selector)
    told = replace(told, baseline=bool(event.details.get("baseline", False)))
    if event.stage != told.stage or not told.since:
        told = replace(told, stage=event.stage, done=0, total=0, since=time.monotonic(), then=0)
    if event.event == "stage":
        told = replace(told, stages=(*told.stages, event.stage), aim=event.total)
    if event.event == "run":
        return replace(told, reused=event.details.get("state") == "finished")
    if event.details.get("failed"):
        text = str(event.details["text"])
        return replace(told, error=text.removeprefix(f"{selector}: "))
    if event.event == "done":
        return replace(told, ended=True, done=event.done, total=event.total)
    if event.event not in ("stage", "progress", "answer"):
        return told
    earlier = bool(event.details.get("earlier") or event.details.get("cached"))
    if earlier:
        told = replace(told, since=time.monotonic(), then=event.done)
    return replace(told, done=event.done, total=event.total or told.total)
