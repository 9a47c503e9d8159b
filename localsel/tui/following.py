"""The logs of a workspace and its database → what every detached command has told so far."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localsel.detached import complaints, is_alive, last_words
from localsel.events import HEAD, Event

KEPT = 500
"""Notes and warnings of a job that are kept to be read."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a job has told of one of its runs; before there is a run its name is empty.

    Attributes:
        selector: whose run it is; `baseline`: whether it asks nobody.
        since, then: when this stage was first heard of (monotonic seconds), and how far it was:
            its pace is measured from there.
        query: the query answered last.
        ended: whether the run has told its record.
    """

    run: str = ""
    selector: str = ""
    baseline: bool = False
    stage: str = "load"
    done: int = 0
    total: int = 0
    since: float = 0.0
    then: int = 0
    tokens: int = 0
    query: int | None = None
    ended: bool = False

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
        told: by run and selector, in the order of their beginning.
        texts: its notes and warnings, the warnings with `! ` in front.
        words: what it said last before it died; empty while it lives.
        comparison: the result of `compare`.
    """

    log: Path
    line: tuple[str, ...] = ()
    alive: bool = True
    told: Mapping[tuple[str, str], Told] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    words: str = ""
    finished: bool = False
    comparison: Mapping[str, Any] | None = None
    started: float = 0.0

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(told.run for told in self.told.values() if told.run))

    @property
    def now(self) -> Told:
        """What it is busy with, or was last."""
        return list(self.told.values())[-1] if self.told else Told()

    @property
    def broken(self) -> bool:
        """It died before it had done what it was to do."""
        return not self.alive and not self.finished


class Follower:
    """Reads what is new in the logs, each time it is asked."""

    def __init__(self, home: Path) -> None:
        self.home = home
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
            words = "" if told.finished or not complaints(log).exists() else last_words(log)
            told = replace(told, alive=False, words=words)
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
    if event.event in ("note", "warning"):
        sign = "! " if event.event == "warning" else ""
        texts = (*job.texts, f"{sign}{event.details['text']}")[-KEPT:]
        job = replace(job, texts=texts)
    comparison: Any = event.details.get("comparison")
    if event.event == "done" and comparison:
        return replace(job, finished=True, comparison=comparison)
    job = replace(job, told=_told(job, event))
    alone = job.line[:1] == ("run",)
    return replace(job, finished=True) if alone and event.event == "done" else job


def _told(job: Job, event: Event) -> dict[tuple[str, str], Told]:
    told, selector = dict(job.told), str(event.details.get("selector", ""))
    key = (event.run, selector)
    # Until a run has its name, what is told of it is told of nobody.
    before = told.pop(("", selector), None) if event.run and key not in told else None
    told[key] = _heard(before or told.get(key, Told()), event, selector)
    return told


def _heard(told: Told, event: Event, selector: str) -> Told:
    told = replace(told, run=event.run or told.run, selector=selector)
    told = replace(told, baseline=bool(event.details.get("baseline", False)))
    if event.stage != told.stage or not told.since:
        told = replace(told, stage=event.stage, done=0, total=0, since=time.monotonic(), then=0)
    if event.event == "done":
        return replace(told, ended=True, done=event.done, total=event.total)
    if event.event not in ("stage", "progress", "answer"):
        return told
    earlier = bool(event.details.get("earlier") or event.details.get("cached"))
    if earlier:
        told = replace(told, since=time.monotonic(), then=event.done)
    if event.event == "answer":
        tokens = told.tokens + (0 if earlier else int(str(event.details["prompt_tokens"])))
        told = replace(told, tokens=tokens, query=int(str(event.details["query"])))
    return replace(told, done=event.done, total=event.total or told.total)
