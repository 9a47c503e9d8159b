"""A stored run and what its command tells → how far it is, how fast, and what it takes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localsel.events import STAGES, Stage
from localsel.tui.listing import asks, name_of

if TYPE_CHECKING:
    from localsel.store import Store
    from localsel.tui.following import Job, Told

WINDOW = 50
"""The last answers from which the pace is reckoned."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one run is.

    Attributes:
        name: its selector, or the method that needs none.
        state: `waiting`, `running`, `finished`, `over-limit`, `interrupted` or `failed`.
        stages: those that it has; `unit`: what the last of them counts, where it asks nobody.
        pace, tokens: units and prompt tokens a second; None if it cannot be told yet.
        spent: seconds since this start, or all of a run that is over.
        memory: bytes that its processes take, or at most took.
        error: why it failed.
    """

    name: str
    run: str = ""
    state: str = "waiting"
    stage: Stage = "load"
    stages: tuple[Stage, ...] = STAGES
    unit: str = ""
    done: int = 0
    total: int = 0
    pace: float | None = None
    tokens: float | None = None
    spent: float = 0.0
    memory: int = 0
    abstained: int = 0
    fallbacks: int | None = None
    connections: int = 0
    asks: bool = True
    error: str = ""

    @property
    def left(self) -> float | None:
        """Seconds to the end of this stage."""
        if self.state != "running" or not self.pace or not self.total:
            return None
        return (self.total - self.done) / self.pace

    @property
    def ended(self) -> bool:
        return self.state in ("finished", "over-limit")


def standings(store: Store, job: Job | None, runs: Sequence[str]) -> list[Standing]:
    """How far each run is that a command makes; of one that is over, only those that are named."""
    told = {each.run: each for each in job.told.values()} if job else {}
    if job is None or (not job.alive and runs):
        known = [row for run in runs if (row := store.known(run))]
        return [of_run(store, row, told.get(row["run"]), job) for row in known]
    own = [told for told in job.told.values() if told.run or told.selector] or [job.now]
    found = [
        of_run(store, row, told, job) if (row := store.known(told.run)) else of_told(told, job)
        for told in own
    ]
    return found + [Standing(name) for name in _waiting(job, own)]


def _waiting(job: Job, told: Sequence[Told]) -> Iterator[str]:
    """Who takes part in a comparison and was not heard of yet."""
    if job.line[:1] != ("compare",) or not job.alive:
        return
    models = [Path(each) for each in _values(job.line, "--model")]
    judged = sum(not each.baseline and bool(each.selector) for each in told)
    yield from (each.stem if each.suffix == ".gguf" else each.name for each in models[judged:])
    if not any(each.baseline for each in told):
        yield from dict.fromkeys(("random", *_values(job.line, "--baseline")))


def _values(line: Sequence[str], flag: str) -> Iterator[str]:
    for word, after in zip(line, [*line[1:], ""], strict=False):
        if word == flag:
            yield after
        elif word.startswith(f"{flag}="):
            yield word.partition("=")[2]


def of_told(told: Told, job: Job) -> Standing:
    """A run that is not in the workspace yet: its data is read, its plan is made."""
    compares = job.line[:1] == ("compare",)
    name = told.selector or ("plan" if compares else "run")
    standing = Standing(
        name,
        stage=_stage(told.stage),
        stages=stages(_asks(job, told), [*told.stages, told.stage]),
        error=told.error,
        asks=not told.baseline,
    )
    if told.error or not job.alive:
        return replace(standing, state="failed" if told.error or not job.stopped else "interrupted")
    if job.last and told is not job.now:
        return standing
    process = _process(job.signed)
    return replace(
        standing,
        state="running",
        done=told.done,
        total=told.total,
        pace=told.pace(time.monotonic()),
        spent=time.time() - process.create_time() if process else 0.0,
        memory=_memory(process),
    )


def _asks(job: Job, told: Told) -> bool:
    """Whether queries are planned, as far as the command line says it."""
    method = next(_values(job.line, "--method"), "selectllm")
    return not told.baseline and (job.line[:1] == ("compare",) or method == "selectllm")


def stages(asks: bool, heard: Iterable[str]) -> tuple[Stage, ...]:
    """All, where there are queries to ask; else those that all runs have, and those heard of."""
    own = {"load", "choose", "export", *heard}
    return tuple(stage for stage in STAGES if asks or stage in own)


def of_run(store: Store, row: Mapping[str, Any], told: Told | None, job: Job | None) -> Standing:
    """A run that has its name: what is stored of it, and what its command tells beside that."""
    run, facts = row["run"], row["facts"]
    counted = store.progress(run)
    done, questions = answered(row, counted)
    standing = Standing(
        name=name_of(row),
        run=run,
        state=store.state(row),
        stage=_stored_stage(row),
        stages=stages(
            bool(row["plan"]) or asks(row),
            [*facts.get("seconds_by_stage", {}), *(told.stages if told else ())],
        ),
        done=done,
        total=questions,
        spent=sum(facts.get("seconds_by_stage", {}).values()),
        memory=facts.get("peak_memory", 0),
        abstained=counted["abstained"],
        connections=facts.get("connections_attempted", 0),
        asks=bool(facts.get("selector")),
        error=told.error if told else "",
    )
    if standing.error and not standing.ended:
        return replace(standing, state="failed")
    if standing.state == "running":
        return _at_work(store, standing, told, job)
    if standing.ended:
        # Those of the selection as it was chosen; a person may have changed it since.
        picks = store.picks(run)
        fallbacks = sum(pick.chosen_by == "fallback" for pick in picks)
        if not questions:
            standing = replace(standing, done=len(picks), total=len(picks))
        return replace(standing, fallbacks=fallbacks)
    return standing


def answered(row: Mapping[str, Any], counted: Mapping[str, int]) -> tuple[int, int]:
    """How many questions of a run have their answer, and how many there are, in all its orders."""
    orders = row["settings"]["orders"]
    done = counted["answered"] + (orders - 1) * counted["forced"]
    return done, row["facts"].get("queries", 0) * orders


def _at_work(store: Store, standing: Standing, told: Told | None, job: Job | None) -> Standing:
    """The same with its pace, since the process that works on it began."""
    process = _process(store.owner(standing.run) or {})
    began = process.create_time() if process else 0.0
    now = time.time()
    spent = now - began if process else standing.spent
    standing = replace(standing, spent=spent, memory=_memory(process))
    if told and job and job.alive and (told.stage != "choose" or not standing.total):
        pace, stage = told.pace(time.monotonic()), _stage(told.stage)
        unit = "" if standing.asks else unit_of(store, standing.run, told)
        done = told.done
        return replace(standing, stage=stage, unit=unit, done=done, total=told.total, pace=pace)
    latest = store.latest(standing.run, began, WINDOW)
    span = now - latest[0][0] if len(latest) > 1 else 0.0
    if span < 0.5:
        return standing
    pace, tokens = (len(latest) - 1) / span, sum(each for _, each in latest[1:]) / span
    return replace(standing, pace=pace, tokens=tokens)


def unit_of(store: Store, run: str, told: Told) -> str:
    """What a method counts before it has its picks: rows; those that tune count steps as well."""
    from localsel.methods import METHODS

    if told.total == told.aim:
        return "pick"
    row = store.known(run)
    settings = row["settings"] if row else {}
    tunes = settings.get("pre_experience") or METHODS.load(settings["method"]).tunes
    return "step" if tunes else "row"


def _stage(name: str) -> Stage:
    return next((stage for stage in STAGES if stage == name), "load")


def _stored_stage(row: Mapping[str, Any]) -> Stage:
    """As far as the workspace knows: what was timed is over."""
    if row["state"] in ("finished", "over-limit"):
        return "export"
    if row["plan"]:
        return "choose"
    timed = [stage for stage in STAGES if stage in row["facts"].get("seconds_by_stage", {})]
    return STAGES[min(STAGES.index(timed[-1]) + 1, len(STAGES) - 1)] if timed else "load"


def _process(signed: Mapping[str, Any]) -> Any:
    """The process that signed, if it lives on this machine."""
    import psutil

    if not signed or signed["host"] != socket.gethostname():
        return None
    try:
        return psutil.Process(signed["pid"])
    except psutil.Error:
        return None


def _memory(process: Any) -> int:
    """Bytes that a process and its children take."""
    import psutil

    taken = 0
    try:
        for each in [process, *process.children(recursive=True)] if process else ():
            taken += each.memory_info().rss
    except psutil.Error:
        return taken
    return taken
