"""Events of a run → a live view, a line per step, or a JSON line per event."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from dataclasses import MISSING
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Any, Literal, Self

from localsel.cli.output import json_text, say, visible
from localsel.events import STAGES, Event
from localsel.settings import fields

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


def unfinished(record: dict[str, Any]) -> list[str]:
    """How far a run came that has chosen nothing yet, and how it goes on."""
    asked = record["queries"] * record["settings"]["orders"]
    far = f" {record['answers']:,} of {asked:,} queries are answered." if asked else ""
    head = f"Run {record['id']} is {record['state']}: nothing is chosen yet.{far}"
    if record["state"] == "running":
        return [head, f"Follow it: localsel attach {record['id']}"]
    return [head, f"It goes on with: {command_line(record['settings'])}"]


def command_line(stored: dict[str, Any]) -> str:
    """The command that a run was started with, as far as it differs from the defaults."""
    words = ["localsel", "run", stored["data"]]
    for name, field in fields().items():
        value = stored.get(name)
        default = field.default if field.default is not MISSING else None
        if name == "data" or value in (None, {}, [], False) or value == default:
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, dict):
            pairs = [f"{key}={each}" for key, each in value.items()]
            value = pairs if name == "where" else ",".join(pairs)
        if value is True:
            words.append(flag)
        for each in value if isinstance(value, list) else [] if value is True else [value]:
            words += [flag, str(each)]
    return " ".join(map(quote, words))


def summary(record: dict[str, Any], out: Path | None) -> list[str]:
    """The run in a few lines."""
    seconds = sum(record["seconds_by_stage"].values())
    if not record["picked"]:
        return unfinished(record)
    lines = [
        f"Chose {record['picked']:,} of {record['pool_rows']:,} instructions"
        f" in {seconds:.1f} s (run {record['id']})."
    ]
    if record["bad_rows"]:
        lines.append(f"{record['bad_rows']:,} broken rows were skipped; see show --json.")
    if record["queries"]:
        lines.append(
            f"{record['clusters']:,} clusters, {record['queries']:,} queries,"
            f" {record['prompt_tokens']:,} prompt tokens,"
            f" {record['abstained']:,} unanswered, {record['fallbacks']:,} fallbacks."
        )
    if record["random_radius"] is not None:
        lines.append(
            f"Clusters: radius {record['radius']:.3f} (random"
            f" {record['random_radius']:.3f}), mean distance {record['mean_distance']:.3f}"
            f" (random {record['random_mean_distance']:.3f})."
        )
    lines.append(f"{record['connections_attempted']} connections attempted.")
    home = record["settings"]["workspace"]
    there = f" --workspace {quote(home)}" if home else ""
    next_step = f"Next: localsel export {record['id']} --out picks.jsonl{there}"
    where = f"Written to {out}." if out else next_step
    return [*lines, where]
