"""A call from Python → a selection."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from localsel.pipeline import run as events_of
from localsel.runs import chosen_rows
from localsel.settings import Sourced, build, gather, known
from localsel.store import Store


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run chose.

    Attributes:
        picks: best first, each with all columns of its input row and `_localsel`: why it is here.
        record: how the run went; the fields of `localsel show --json`.
    """

    picks: tuple[Mapping[str, Any], ...]
    record: Mapping[str, Any]


def run(
    data: str | PathLike[str], budget: int, model: str | PathLike[str] | None = None, **options: Any
) -> Selection:
    """Chooses `budget` instructions of the file `data`, as `localsel run` does.

    `options` are the flags of that command, with underscores: `seed=1`, `query_size=10`,
    `workspace="…"`. An unfinished run of the same settings is continued.

    Raises:
        LocalselError: settings, data or model cannot be used; the message says what to do.
    """
    for name in options:
        known(name, f"localsel.run({name}=…)")
    given = {"budget": budget, "model": None if model is None else str(model)} | options
    typed = {name: Sourced(value, name) for name, value in given.items() if value is not None}
    sources = gather({}, Path(data).expanduser()) | typed | {"data": Sourced(str(data), "data")}
    settings = build(sources)
    record: dict[str, Any] = {}
    with closing(events_of(settings)) as events:
        for event in events:
            if event.event == "done":
                record = dict(event.details["record"])  # type: ignore[call-overload]
    with closing(Store(settings.home)) as store:
        chosen = chosen_rows(store, store.run(record["id"]))
    return Selection(tuple(each.as_json() for each in chosen), record)
