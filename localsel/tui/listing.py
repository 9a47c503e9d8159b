"""Stored runs, and the commands at work → the lines of the Workspace, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localsel.selectors import model_name, model_size
from localsel.tui.widgets.table import Line
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.tui.following import Job, Told

Run = Mapping[str, Any]

SIGNS = {
    **{"running": "▶", "finished": "✓", "over-limit": "!", "interrupted": "□"},
    **{"failed": "✗", "waiting": "·"},
}
TONES = {"running": "good", "over-limit": "bad", "interrupted": "bad", "failed": "bad"}
WORST = ("running", "interrupted", "failed", "over-limit", "finished")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line stands for: a run, a comparison of several, or a command without a run yet.

    Attributes:
        members: all its runs.
        runs: what the other screens show of it; of a comparison, the runs of its selectors.
        asks: whether a selector is asked, so that there are queries to look at.
        log: of a command without a run.
    """

    key: str
    members: tuple[str, ...]
    runs: tuple[str, ...]
    state: str
    pool: str = ""
    data: str = ""
    asks: bool = True
    log: Path | None = None

    @property
    def is_comparison(self) -> bool:
        return len(self.members) > 1


def groups(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs, given newest first → those of one comparison together, in the order they were made.

    Every run keeps the command of the comparison that made it; one that was made alone has none.
    """
    found: list[list[Run]] = []
    latest: dict[tuple[str, str], list[Run]] = {}
    for run in reversed(list(runs)):
        key = (run["pool"], _command(run))
        group = latest.get(key)
        if group and _joins(run, group):
            group.append(run)
            continue
        found.append([run])
        if _command(run):
            latest[key] = found[-1]
    return sorted(found, key=lambda group: -max(run["created"] for run in group))


def _joins(run: Run, group: Sequence[Run]) -> bool:
    """A selector comes once; of a baseline there is a run for every seed."""
    return not asks(run) or name_of(run) not in {name_of(each) for each in group}


def _command(run: Run) -> str:
    return str(run["facts"].get("sharing", {}).get("command", ""))


def asks(run: Run) -> bool:
    """Whether a selector chooses in this run."""
    return run["settings"]["method"] == "selectllm" or bool(run["facts"].get("selector"))


def name_of(run: Run) -> str:
    """Who chooses: the selector, or the method that needs none."""
    return str((run["facts"].get("selector") or {}).get("name") or run["settings"]["method"])


class Listing:
    """The lines of all runs, and what each stands for."""

    def __init__(
        self,
        runs: Sequence[Run],
        states: Mapping[str, str],
        picked: Mapping[str, int],
        jobs: Iterable[Job],
    ) -> None:
        self._states, self._picked = states, picked
        self._jobs = [job for job in jobs if job.alive]
        self.entries: dict[str, Entry] = {}
        self.lines: list[Line] = []
        for job in reversed(self._jobs):
            if not job.runs:
                self._add_job(job)
        for group in groups(runs):
            self._add_group(group)

    def of(self, runs: tuple[str, ...], log: Path | None) -> Entry | None:
        """What stands for these runs, or for some of them, or for the command of a log."""
        entries = self.entries.values()
        exact = next((each for each in entries if runs and each.runs == runs), None)
        some = next((each for each in entries if set(runs) & set(each.runs)), None)
        return exact or some or self.entries.get(f"job:{log.name}" if log else "")

    def _add(self, entry: Entry, cells: Sequence[str], tone: str) -> None:
        self.entries[entry.key] = entry
        self.lines.append(Line(entry.key, cells, tone))

    def _add_job(self, job: Job) -> None:
        """A command that reads or plans: its run is not there yet."""
        command, data = job.line[0] if job.line else "run", job.line[-1] if job.line else ""
        cells = (command, pace(job.now), day(job.started), "", "", Path(data).name)
        entry = Entry(f"job:{job.log.name}", (), (), "running", data=data, log=job.log)
        self._add(entry, cells, "good")

    def _add_group(self, group: Sequence[Run]) -> None:
        if len(group) == 1:
            self._add_run(group[0])
            return
        self._add_comparison(group)
        for run in group[:-1]:
            self._add_run(run, "├ ")
        self._add_run(group[-1], "└ ")

    def _add_comparison(self, group: Sequence[Run]) -> None:
        first, judged = group[0], [run for run in group if asks(run)]
        runs = tuple(run["run"] for run in judged or group)
        job = next((job for job in self._jobs if set(job.runs) & set(runs)), None)
        states = {"running" if job else "", *(self._states[run["run"]] for run in group)}
        state = next(each for each in WORST if each in states)
        who = counted(len(judged) or len(group), "selector" if judged else "run")
        says = pace(job.now) if job else signed(state)
        picks = _share(first, min(self._picked.get(run, 0) for run in runs))
        cells = ("compare", says, day(first["created"]), who, picks, _file(first))
        members = tuple(run["run"] for run in group)
        key = f"compare:{first['run']}"
        entry = Entry(key, members, runs, state, first["pool"], _data(first), bool(judged))
        self._add(entry, cells, TONES.get(state, ""))

    def _add_run(self, run: Run, branch: str = "") -> None:
        name, state = run["run"], self._states[run["run"]]
        job = next((job for job in self._jobs if name in job.runs), None)
        told = next((told for told in job.told.values() if told.run == name), None) if job else None
        says = pace(told) if told and state == "running" else signed(state)
        picks = _share(run, self._picked.get(name, 0))
        file = "" if branch else _file(run)
        cells = (branch + name, says, day(run["created"]), name_of(run), picks, file)
        entry = Entry(f"run:{name}", (name,), (name,), state, run["pool"], _data(run), asks(run))
        self._add(entry, cells, TONES.get(state, "" if asks(run) else "dim"))


def signed(state: str) -> str:
    """A state as sign and word."""
    return f"{SIGNS.get(state, '?')} {state}"


def pace(told: Told) -> str:
    """What a run is busy with, and how far it is."""
    share = f" {told.done / told.total:.0%}" if told.total else ""
    return f"{SIGNS['running']} {told.stage}{share}"


def day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%m-%d %H:%M")


def _share(run: Run, picked: int) -> str:
    return f"{picked:,}/{run['settings']['budget']:,}"


def _data(run: Run) -> str:
    return str(run["settings"]["data"])


def _file(run: Run) -> str:
    return Path(_data(run)).name


def pool_lines(pools: Iterable[Mapping[str, Any]]) -> list[Line]:
    """One line a pool: its file, how much is in it, and where it was."""
    return [
        Line(
            each["pool"],
            (
                Path(each["path"]).name,
                *(f"{each[name]:,}" for name in ("rows", "bad", "runs")),
                str(Path(each["path"]).parent),
            ),
        )
        for each in pools
    ]


def model_sizes(paths: Iterable[Path]) -> dict[Path, int]:
    """The bytes of each; what was removed meanwhile is left out."""
    found = {}
    for path in paths:
        with suppress(OSError):
            found[path] = model_size(path)
    return found


def model_lines(sizes: Mapping[Path, int]) -> list[Line]:
    """One line a model that can be named without a path."""
    return [
        Line(str(path), (model_name(path), f"{size / 2**20:,.1f}", str(path)))
        for path, size in sizes.items()
    ]
