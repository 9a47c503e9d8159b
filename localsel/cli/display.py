"""Events of a run → a live view, a line per step, or a JSON line per event."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from localsel.cli.output import json_text, say
from localsel.events import STAGES, Event
from localsel.printable import visible
from localsel.summary import summary

VERBS = {
    "load": "Load",
    "embed": "Embed",
    "index": "Index",
    "cluster": "Cluster",
    "plan": "Plan",
    "choose": "Choose",
    "export": "Export",
}


def open_display(kind: Literal["auto", "full", "plain", "json", "none"]) -> Display:
    """`auto` is the live view in a terminal, and plain lines elsewhere."""
    if kind == "auto":
        kind = "full" if sys.stderr.isatty() else "plain"
    match kind:
        case "full":
            return Full()
        case "json":
            return Json()
        case "none":
            return Silent()
        case _:
            return Plain()


def watch(events: Iterator[Event], display: Display) -> dict[str, Any]:
    """Shows every event until the last, `done`; its details, or nothing if it does not come."""
    last: dict[str, Any] = {}
    with display:
        # To the end: a generator that is left at its last event has not ended its run.
        for event in events:
            display.show(event)
            if event.event == "done":
                last = dict(event.details)
    return last


class Display(ABC):
    """Shows one run. A context, since a live view has to hand the terminal back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to clean up by default."""

    @abstractmethod
    def show(self, event: Event) -> None:
        """Shows one event."""

    def summarise(self, record: dict[str, Any], out: Path | None) -> None:
        """Says at the end what came of it."""


class Silent(Display):
    """Errors only."""

    def show(self, event: Event) -> None:
        """Nothing."""


class Json(Display):
    """One object a line on stdout, flushed at once."""

    def show(self, event: Event) -> None:
        print(json_text(event.as_json()), flush=True)


class Rate:
    """Tokens per second of the answers of this start."""

    def __init__(self) -> None:
        self.tokens, self.started = 0, time.monotonic()

    def add(self, event: Event) -> None:
        if not event.details.get("earlier"):
            self.tokens += int(str(event.details.get("prompt_tokens", 0)))

    def __str__(self) -> str:
        spent = time.monotonic() - self.started
        return f"{self.tokens / spent:,.0f} tokens/s" if self.tokens and spent else ""


class Talking(Display):
    """What plain lines and the live view have in common: notes, warnings, the summary."""

    def say(self, text: str) -> None:
        say(text)

    def note(self, event: Event) -> None:
        match event.event:
            case "run" if event.details["state"] == "resumed":
                self.say(f"Going on with run {event.run}.")
            case "run" if event.details["state"] == "finished":
                self.say(f"Run {event.run} did this before; --resume never would do it again.")
            case "note":
                self.say(visible(event.details["text"]))
            case "warning":
                self.say(f"Skipped {visible(event.details['text'])}")

    def summarise(self, record: dict[str, Any], out: Path | None) -> None:
        if record:
            for line in summary(record, out):
                say(line)


class Plain(Talking):
    """A line per step, and one every few seconds of a long step."""

    EVERY = 5.0

    def __init__(self) -> None:
        self.rate = Rate()
        self.last = 0.0

    def show(self, event: Event) -> None:
        self.note(event)
        if event.event == "stage":
            self.last, self.rate = time.monotonic(), Rate()
            self.say(f"{VERBS[event.stage]} …")
        elif event.event in ("progress", "answer"):
            self.rate.add(event)
            if time.monotonic() - self.last > self.EVERY:
                self.last = time.monotonic()
                total = f" of {event.total:,}" if event.total else ""
                self.say(f"  {event.done:,}{total}  {self.rate}".rstrip())


class Full(Talking):
    """A bar for each stage, with rate and time left, drawn on stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            TextColumn("{task.description:8}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[extra]}"),
            console=Console(stderr=True, highlight=False),
        )
        self.tasks = {
            stage: self.progress.add_task(
                VERBS[stage], start=False, total=None, visible=False, extra=""
            )
            for stage in STAGES
        }
        self.rate = Rate()

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.progress.stop()

    def say(self, text: str) -> None:
        self.progress.console.print(text, markup=False, emoji=False)

    def show(self, event: Event) -> None:
        self.note(event)
        task = self.tasks[event.stage]
        if event.event == "stage":
            self._finish_stages_before(event)
            self.rate = Rate()
            self.progress.start_task(task)
            self.progress.update(task, visible=True, total=event.total or None)
        elif event.event in ("progress", "answer"):
            self.rate.add(event)
            total = event.total or None
            if event.details.get("earlier"):
                # What was done before says nothing about the pace of now.
                self.progress.reset(task, completed=event.done, total=total)
            self.progress.update(task, completed=event.done, total=total, extra=str(self.rate))
        elif event.event == "done":
            self._finish_stages_before(event)
            self._finish(task)

    def _finish_stages_before(self, event: Event) -> None:
        for stage in STAGES[: STAGES.index(event.stage)]:
            self._finish(self.tasks[stage])

    def _finish(self, task: Any) -> None:
        """A stage without countable steps is one step, and done."""
        known = next(each for each in self.progress.tasks if each.id == task)
        if known.visible and not known.finished:
            self.progress.update(task, total=known.total or 1, completed=known.total or 1)
