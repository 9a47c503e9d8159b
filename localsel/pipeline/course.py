"""What the stages of one run share: settings, workspace, events and the clock."""

from __future__ import annotations

import resource
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from localsel import offline
from localsel.events import Event, Kind, Stage
from localsel.settings import Settings
from localsel.sharing import ALONE, Sharing
from localsel.store import Store

T = TypeVar("T")
Steps = Generator[Event, None, T]


@dataclass
class Course:
    """One run on its way. `id` is empty until the run is known.

    Seconds and attempted connections add up over the restarts of a run.
    """

    settings: Settings
    store: Store
    network: offline.Counter
    sharing: Sharing = ALONE
    id: str = ""
    stage: Stage = "load"
    seconds: dict[str, float] = field(default_factory=dict)
    network_before: Mapping[str, Any] = field(default_factory=dict)

    def event(self, kind: Kind, done: int = 0, total: int = 0, **details: object) -> Event:
        """Something that happened in the stage that is on."""
        return Event(kind, self.stage, self.id, done, total, details)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """The stage is on, and its seconds count, until the block ends."""
        self.stage, started = stage, time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
        # A run that is killed later has this in its record all the same.
        if self.id:
            self.store.update_run(self.id, facts=self.so_far())

    def progress(self, steps: Generator[tuple[int, int], None, T]) -> Steps[T]:
        """Passes a stage's (done, total) on as events, and its result back."""
        while True:
            try:
                done, total = next(steps)
            except StopIteration as finished:
                result: T = finished.value
                return result
            yield self.event("progress", done=done, total=total)

    def so_far(self) -> dict[str, Any]:
        """What the record says of time and network."""
        seconds = {stage: round(value, 3) for stage, value in self.seconds.items()}
        network = offline.told_of_all((self.network_before, offline.told(self.network)))
        return {"seconds_by_stage": seconds, **network}


def peak_memory() -> int:
    """Bytes of memory that this process has taken at most.

    Linux counts what a process took from its beginning; elsewhere, and in `ru_maxrss` there too,
    what its parent took before may be counted as its own.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
