"""A call from Python → a selection, or a comparison of several."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from localsel.errors import BackendError
from localsel.events import Event
from localsel.methods import method_of
from localsel.pipeline import run as events_of
from localsel.pipeline.early import fitting
from localsel.pipeline.identity import backend_of
from localsel.pipeline.worker import work
from localsel.runs import chosen_rows
from localsel.selectors import find_selector
from localsel.settings import Settings, Sourced, build, gather, known
from localsel.sharing import ALONE
from localsel.store import Store

NONE: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run chose.

    Attributes:
        picks: best first, each with all columns of its input row and `_localsel`: why it is here.
        record: how the run went; the fields of `localsel show --json`.
    """

    picks: tuple[Mapping[str, Any], ...]
    record: Mapping[str, Any]


def compare(
    data: str | PathLike[str],
    budget: int,
    models: str | PathLike[str] | Sequence[str | PathLike[str]],
    baselines: str | Sequence[str] = (),
    queries: int | None = None,
    seeds: int | None = None,
    human: str | PathLike[str] | None = None,
    **options: Any,
) -> Mapping[str, Any]:
    """Gives several selectors the same queries in the same orders, as `localsel compare` does.

    Returns the fields of `localsel compare --json`. `options` are the flags of that command;
    `orders` is 2 unless somebody says otherwise; `human` is a file of the rows a person chose.

    Raises:
        LocalselError: nothing can be compared; a selector that fails is named in `failed`.
    """
    from localsel.pipeline.comparing import ORDERS, run_all
    from localsel.pipeline.contest import Contest, fitting_all

    settings = _settings(data, {"budget": budget} | options, "compare", {"orders": ORDERS})
    several = [models] if isinstance(models, str | PathLike) else models
    named = [baselines] if isinstance(baselines, str) else baselines
    people = Path(human) if human is not None else None
    contest = Contest(tuple(map(str, several)), tuple(named), queries, seeds, people)
    settings = fitting_all(settings, contest, _set(options))
    with closing(run_all(settings, contest)) as events:
        last = deque(events, maxlen=1)[0]
    found: Mapping[str, Any] = last.details["comparison"]  # type: ignore[assignment]
    return found


def run(
    data: str | PathLike[str], budget: int, model: str | PathLike[str] | None = None, **options: Any
) -> Selection:
    """Chooses `budget` instructions of the file `data`, as `localsel run` does.

    `options` are the flags of that command, with underscores: `seed=1`, `query_size=10`,
    `workspace="…"`. An unfinished run of the same settings is continued.

    Raises:
        LocalselError: settings, data or model cannot be used; the message says what to do.
    """
    given = {"budget": budget, "model": None if model is None else str(model)} | options
    settings = fitting(_settings(data, given, "run"), _set(options))
    record: dict[str, Any] = {}
    with closing(_events(settings)) as events:
        for event in events:
            if event.event == "done":
                record = dict(event.details["record"])  # type: ignore[call-overload]
    with closing(Store(settings.home)) as store:
        chosen = chosen_rows(store, store.run(record["id"]))
    return Selection(tuple(each.as_json() for each in chosen), record)


def _events(settings: Settings) -> Generator[Event, None, None]:
    """Of a run in this process; with vLLM in one of its own, which alone gives a GPU back."""
    if settings.backend in ("auto", "vllm") and method_of(settings).needs_backend:
        # What cannot be found is refused by the run, in its turn.
        with suppress(BackendError):
            model = find_selector(str(settings.model), settings.home)
            if backend_of(model, settings.backend) == "vllm":
                return work("run", settings, ALONE)
    return events_of(settings)


def _set(options: Mapping[str, object]) -> set[str]:
    """None leaves an option as it is elsewhere."""
    return {name for name, value in options.items() if value is not None}


def _settings(
    data: str | PathLike[str],
    options: Mapping[str, object],
    function: str,
    defaults: Mapping[str, object] = NONE,
) -> Settings:
    for name in options:
        known(name, f"localsel.{function}({name}=…)")
    typed = {name: Sourced(options[name], name) for name in _set(options)}
    given = {name: Sourced(value, "default") for name, value in defaults.items()}
    given |= gather({}, Path(data).expanduser()) | typed
    return build(given | {"data": Sourced(str(data), "data")})
