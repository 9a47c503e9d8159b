"""What is being looked at: the runs, and the place in them. All screens share one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Subject:
    """Attributes:

    pool: the pool being looked at, also before there is a run of it.
    runs: the runs side by side; the first is the one that Run, Review and Prompt show.
    cluster, query, row: the place in them that was opened last.
    log: of a command that was started, as long as its runs have no names.
    """

    pool: str = ""
    runs: tuple[str, ...] = ()
    cluster: int | None = None
    query: int | None = None
    row: int | None = None
    log: Path | None = None

    @property
    def run(self) -> str:
        """The first run, or nothing."""
        return self.runs[0] if self.runs else ""
