"""What the pipeline tells whoever watches: one event → one JSON line, one screen update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Stage = Literal["load", "embed", "index", "cluster", "plan", "choose", "export"]
STAGES: tuple[Stage, ...] = ("load", "embed", "index", "cluster", "plan", "choose", "export")

Kind = Literal[
    "command", "process", "run", "stage", "progress", "note", "warning", "answer", "done"
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Kinds: `command` (the first of a log: its arguments in `details["line"]`), `process` (who
    writes this log: `pid` and `host`), `run` (which run this is, once known), `stage` (a stage
    starts), `progress` (`done` of `total` units of the stage), `note` and `warning` (a sentence in
    `details["text"]`; with `failed` it is why a selector of a comparison has no run), `answer` (a
    query was answered and committed), `done` (the record is in `details`).
    """

    event: Kind
    stage: Stage
    run: str = ""
    done: int = 0
    total: int = 0
    details: Mapping[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The line of `--display json`; details come after the five fields that every line has."""
        head: dict[str, object] = {
            "event": self.event,
            "run": self.run,
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
        }
        return head | dict(self.details)

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Event:
        """The way back from `as_json`."""
        details = {name: value for name, value in line.items() if name not in HEAD}
        return cls(**{name: line[name] for name in HEAD}, details=details)


HEAD = ("event", "stage", "run", "done", "total")
