"""What is looked at, what is told and what is stored → the runs and the command of the Run page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localsel.tui.commands import resumed
from localsel.tui.ending import AGAIN, kept, sentence
from localsel.tui.listing import asks, groups
from localsel.tui.standing import Standing, standings

if TYPE_CHECKING:
    from localsel.store import Store
    from localsel.tui.desk import Desk
    from localsel.tui.following import Job

REUSED = "It had finished before, with these settings: this is what it chose then."


@dataclass(frozen=True, slots=True)
class Sight:
    """The command that makes these runs, if one told of it, and how far each of them is."""

    job: Job | None
    runs: tuple[Standing, ...]

    @property
    def is_alive(self) -> bool:
        return bool(self.job and self.job.alive) or any(
            each.state == "running" for each in self.runs
        )

    @property
    def active(self) -> int:
        """Which of them is at work, or was last."""
        going = [place for place, each in enumerate(self.runs) if each.state == "running"]
        begun = [place for place, each in enumerate(self.runs) if each.asks and each.run]
        return (going or begun or [0])[-1]


def sight(desk: Desk) -> Sight:
    """What the subject names; where it names nothing, what happened last."""
    store, subject = desk.store, desk.subject
    job: Job | None
    if subject.runs:
        job = desk.job_of(subject.runs[0])
        named = subject.runs
    elif subject.log and (subject.log in desk.jobs or subject.log.exists()):
        job = started(desk, subject.log)
        named = job.runs
    else:
        job, named = _newest(desk)
    return Sight(job, tuple(standings(store, job, named)))


def started(desk: Desk, log: Path) -> Job:
    """What a command has told that was started from here; nothing, before it was looked at."""
    from localsel.tui.following import Job

    return desk.jobs.get(log) or Job(log)


def _newest(desk: Desk) -> tuple[Job | None, tuple[str, ...]]:
    """The command or the run that began last, with all that it is compared with."""
    jobs = list(desk.jobs.values())
    job, runs = jobs[-1] if jobs else None, desk.store.runs()
    if job and (job.alive or not runs or job.started >= runs[0]["updated"]):
        return job, job.runs
    if not runs:
        return None, ()
    group = groups(runs)[0]
    named = tuple(run["run"] for run in group)
    return desk.job_of(named[0]), named


def subject_runs(store: Store, shown: Sequence[Standing]) -> tuple[str, ...]:
    """What the other screens show of these: the runs of selectors, or else all."""
    known = [row for each in shown if (row := store.known(each.run))]
    judged = [row["run"] for row in known if asks(row)]
    return tuple(judged or [row["run"] for row in known])


def explained(store: Store, shown: Standing, job: Job | None) -> str:
    """Why a run is not as it should be, and what helps; nothing where all is well."""
    if shown.error:
        again = AGAIN if job and not job.alive else ""
        return " ".join(filter(None, (shown.error, kept(store, shown.run), again)))
    if (
        shown.ended
        and job
        and any(each.run == shown.run and each.reused for each in job.told.values())
    ):
        return REUSED
    if shown.state == "over-limit":
        return "More answers are missing than --max-fallback allows: its picks are marked."
    if shown.ended or shown.state in ("running", "waiting"):
        return ""
    if job and job.broken:
        return sentence(job, kept(store, shown.run))
    if job and job.alive:
        return "It was cut off; the comparison goes on with the others."
    return f"It was cut off. {kept(store, shown.run)} {AGAIN}"


def line_again(store: Store, job: Job | None, shown: Standing) -> tuple[str, ...]:
    """The command that goes on with what is shown; empty if there is none."""
    names = [*(job.runs if job else ()), shown.run]
    known: list[Mapping[str, Any]] = [row for name in names if (row := store.known(name))]
    compared = [row for row in known if row["facts"].get("sharing", {}).get("command")]
    if compared:
        return resumed(compared[0])
    if known and not (job and job.line[:1] == ("compare",)):
        return resumed(known[-1])
    return job.command if job else ()
