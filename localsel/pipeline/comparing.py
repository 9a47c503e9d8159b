"""Settings and several selectors → a run of each over one plan, in a process of its own.

The plan is made once. Selectors answer one after another, so that one of them is in memory at a
time. Every run is kept and resumed like any other: a comparison has no state of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from localsel import offline
from localsel.comparison import (
    HUMAN,
    LEAST_SEEDS,
    RANDOM,
    Entry,
    compare_runs,
    refuse_share,
    selector_names,
)
from localsel.errors import LocalselError, UsageError
from localsel.events import Event
from localsel.methods import METHODS, method_of
from localsel.pipeline.contest import (
    SEEDS,
    Contest,
    own_options,
    refuse_baselines,
    refuse_contest,
    refuse_planned,
)
from localsel.pipeline.course import Steps
from localsel.pipeline.early import NOTHING
from localsel.pipeline.identity import Identity, plain
from localsel.pipeline.naming import rows_in
from localsel.pipeline.worker import work
from localsel.selectors import model_name
from localsel.servers import is_server, short_name
from localsel.settings import Settings
from localsel.sharing import Sharing
from localsel.store import Store

ORDERS = 2
ASKING = ("run", "rehearse")
Resume = Literal["auto", "never"]


def run_all(settings: Settings, contest: Contest) -> Generator[Event, None, None]:
    """Yields the events of every run, `selector` in their details naming whose they are.

    The last event is `done`, with the `comparison` in its details.

    Raises:
        LocalselError: there can be no plan, or no selector could be run.
    """
    refuse_contest(settings, contest)
    with closing(Store(settings.home)) as store:
        store.refuse_unwritable()
        with offline.guard(settings.hosts):
            for model in contest.models:
                # One that is not there is refused before the minutes of embedding.
                _ = Identity(replace(settings, model=model), store).model
            refuse_baselines(settings, contest, store)
    sharing = Sharing(contest.questions, command=contest.command)
    asked = own_options(settings, settings.method, contest.models[0])
    plan = yield from _last("plan", asked, sharing, "")
    with closing(Store(settings.home)) as store, store.using(plan["pool"]):
        if not plan["is_sample"]:
            # Then it is the question that a plain run asks, and its answers serve.
            sharing = replace(sharing, questions=None)
        people = _people(settings, contest, store, plan)
        refuse_planned(settings, contest, plan)
        entries, network = yield from _selectors(asked, contest, sharing)
        if all(each.error for each in entries):
            raise _failure(entries[0])
        entries += yield from _baselines(settings, contest, int(plan["picks"]))
        found = compare_runs(store, entries, people, [plan["network"], *network])
    total = len(entries)
    yield Event("done", "export", done=total, total=total, details={"comparison": found})


def rehearse_all(settings: Settings, contest: Contest) -> Generator[Event, None, None]:
    """Yields the events of every selector's rehearsal; the last one holds all `plans`, by name.

    Raises:
        LocalselError: there can be no plan, or a selector cannot be run.
    """
    refuse_contest(settings, contest)
    with closing(Store(settings.home)) as store:
        refuse_baselines(settings, contest, store)
    plans: dict[str, Any] = {}
    for name, model in zip(names_of(contest.models), contest.models, strict=True):
        own = own_options(settings, settings.method, model)
        last = yield from _last("rehearse", own, Sharing(contest.questions), name)
        plans[name] = last["plan"]
        if not last["plan"]["prompt_tokens"]:
            raise UsageError(*NOTHING)
        refuse_planned(settings, contest, last["plan"] | {"picks": last["plan"]["budget"]})
    if asked := [name for name in contest.methods if METHODS.load(name).needs_backend]:
        says = f"Not counted: {', '.join(asked)}; `localsel run --method NAME --dry-run` tells."
        yield Event("note", "choose", details={"text": says})
    total = len(plans)
    yield Event("done", "choose", done=total, total=total, details={"plans": plans})


def _people(
    settings: Settings, contest: Contest, store: Store, plan: Mapping[str, Any]
) -> dict[str, list[int]]:
    """Rows that a person chose; refused, if they have to be, before anybody is asked."""
    if not contest.human:
        return {}
    rows = rows_in(contest.human, store, {"pool": plan["pool"], "settings": plain(settings)})
    refuse_share(HUMAN, len(rows), plan["picks"])
    return {HUMAN: rows}


def names_of(models: Sequence[str]) -> list[str]:
    """A short name for each, no two alike: the file's, and a number where that is another's."""
    return selector_names([_name_of(model) for model in models])


def _name_of(model: str) -> str:
    """A server's has one after `#`, if it was named at all."""
    return short_name(model) if is_server(model) else model_name(Path(model))


def _selectors(
    settings: Settings, contest: Contest, sharing: Sharing
) -> Steps[tuple[list[Entry], list[Mapping[str, Any]]]]:
    """A run of each selector; before that, whose context is too narrow for some of the texts.

    Returns also what was attempted over the network before.
    """
    models = dict(zip(names_of(contest.models), contest.models, strict=True))
    entries: dict[str, Entry] = {}
    paths: dict[str, str] = {}
    narrow: list[str] = []
    network: list[Mapping[str, Any]] = []
    for name, model in models.items():
        try:
            measured = yield from _last("measure", replace(settings, model=model), sharing, name)
        except LocalselError as error:
            _raise_usage(error)
            entries[name] = _failed(name, model, error)
            yield _told(name, error)
            continue
        paths[name] = measured["path"]
        network.append(measured["network"])
        narrow += [measured["path"]] if measured["narrow"] else []
    for name, path in paths.items():
        own = replace(settings, model=models[name])
        others = tuple(other for other in dict.fromkeys(narrow) if other != path)
        shared = replace(sharing, narrow=others)
        entries[name] = yield from _entry(own, shared, Entry(name, model=path))
    return [entries[name] for name in models], network


def _baselines(settings: Settings, contest: Contest, picks: int) -> Steps[list[Entry]]:
    """A run of each baseline with each of its seeds, of as many picks as the selectors made."""
    entries = []
    for method in contest.methods:
        times = _seeds(settings, method, contest)
        for turn in range(times):
            name = f"{method} {turn + 1}" if times > 1 else method
            own = replace(
                own_options(settings, method, contest.models[0]),
                budget=picks,
                seed=settings.seed + turn,
                orders=1,
                reason=False,
            )
            sharing = Sharing(command=contest.command)
            entries.append((yield from _entry(own, sharing, Entry(name, group=method))))
    return entries


def _seeds(settings: Settings, method: str, contest: Contest) -> int:
    """How often a baseline is drawn; what does not draw has one selection, and so has what tunes a
    model, unless another number was asked for.
    """
    own = method_of(own_options(settings, method, contest.models[0]))
    if not own.draws or (own.tunes and contest.seeds is None):
        return 1
    return max(contest.seeds or SEEDS, LEAST_SEEDS if method == RANDOM else 1)


def _entry(settings: Settings, sharing: Sharing, entry: Entry) -> Steps[Entry]:
    """Does one run; what it fails with is told, and the others go on."""
    try:
        # Of several runs some have ended: `always` cannot hold for each of them.
        resume: Resume = "never" if settings.resume == "never" else "auto"
        own = replace(settings, out=None, resume=resume)
        last = yield from _last("run", own, sharing, entry.name)
    except LocalselError as error:
        if not entry.group:
            _raise_usage(error)
        # Of a baseline that is said: the selectors have answered already.
        yield _told(entry.name, error)
        return replace(entry, error=str(error), exit_code=error.exit_code)
    return replace(entry, run=last["record"]["id"])


def _last(job: str, settings: Settings, sharing: Sharing, name: str) -> Steps[dict[str, Any]]:
    """Has a worker do a job; passes its events on, and returns the details of its `done`."""
    details: dict[str, Any] = {}
    whose = (
        {"selector": name, "baseline": bool(name and not METHODS.load(settings.method).needs_plan)}
        if name
        else {}
    )
    with closing(work(job, settings, sharing)) as events:
        for event in events:
            if event.event == "done":
                details = dict(event.details)
            # Of a worker that asks nothing there is nothing to see at its end.
            if event.event != "done" or job in ASKING:
                yield replace(event, details={**event.details, **whose})
    return details


def _failed(name: str, model: str, error: LocalselError) -> Entry:
    return Entry(name, model=model, error=str(error), exit_code=error.exit_code)


def _told(name: str, error: LocalselError) -> Event:
    details = {"text": f"{name}: {error}", "selector": name, "failed": True}
    return Event("warning", "choose", details=details)


def _raise_usage(error: LocalselError) -> None:
    """What is wrong with the command, as a run that is going on already, is nobody's failure."""
    if error.exit_code == UsageError.exit_code:
        raise error


def _failure(entry: Entry) -> LocalselError:
    failure = LocalselError(entry.error)
    failure.exit_code = entry.exit_code
    return failure
