"""Finished runs over one plan → their comparison, as `compare` and `report` print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from localsel.errors import UsageError
from localsel.records import Pick, Plan, Vectors, text_digest
from localsel.runs import run_record
from localsel.sharing import Sharing
from localsel.stages.compare import Contestant, compare
from localsel.stages.plan import wanted
from localsel.store import Store

RANDOM = "random"
LEAST_SEEDS = 3
ENDED = ("finished", "over-limit")


@dataclass(frozen=True, slots=True)
class Entry:
    """One who takes part in a comparison: a selector, or a baseline with one of its seeds.

    Attributes:
        name: what it is called in every table; no other has it.
        run: the run that is its own; empty where it failed.
        group: of a baseline the method, which all its seeds share; of a selector nothing.
        model: as it was named; `error`: why there is no run, and `exit_code` what kind of error.
    """

    name: str
    run: str = ""
    group: str = ""
    model: str = ""
    error: str = ""
    exit_code: int = 0


def entries_of(store: Store, names: Sequence[str]) -> list[Entry]:
    """Runs that are to be compared, by their ids.

    Raises:
        UsageError: there is no such run, it has not ended, or they stand on different plans.
    """
    runs = list({run["run"]: run for run in map(store.run, names)}.values())
    for run in runs:
        if store.state(run) not in ENDED:
            state = store.state(run)
            raise UsageError(f"Run {run['run']} is {state}.", "Only finished runs can be compared.")
    selectors = [run for run in runs if run["facts"].get("selector")]
    if not selectors:
        raise UsageError("None of these runs asked a selector: there is nothing to compare.")
    for run in runs:
        _refuse_other(selectors[0], run)
    called = numbered([_called(run) for run in runs])
    return [
        Entry(name, run["run"], "" if run["facts"].get("selector") else run["settings"]["method"])
        for name, run in zip(called, runs, strict=True)
    ]


def _called(run: Mapping[str, Any]) -> str:
    name: str = (run["facts"].get("selector") or {"name": run["settings"]["method"]})["name"]
    return name


def _refuse_other(first: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Selectors have to have been asked the same questions, baselines to know the same pool."""
    if run["pool"] != first["pool"]:
        raise UsageError(
            f"Runs {first['run']} and {run['run']} are of different data:"
            f" {first['settings']['data']} and {run['settings']['data']}."
        )
    asked = [(each["plan"], _sharing(each).questions) for each in (first, run)]
    if run["facts"].get("selector") and asked[0] != asked[1]:
        raise UsageError(
            f"Runs {first['run']} and {run['run']} were asked different queries.",
            "Compare runs of the same data, budget, seed and clusters.",
        )


def _sharing(run: Mapping[str, Any]) -> Sharing:
    kept = run["facts"].get("sharing")
    return Sharing.from_json(kept) if kept else Sharing()


def numbered(names: Sequence[str]) -> list[str]:
    """The same names, with a number where one comes again."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return found


def compare_runs(
    store: Store, entries: Sequence[Entry], human: Mapping[str, Sequence[int]] | None = None
) -> dict[str, Any]:
    """The fields of `compare --json`. `human` are rows that a person chose, by name."""
    here = [entry for entry in entries if entry.run]
    selectors = [entry for entry in here if not entry.group]
    first = store.run(selectors[0].run)
    plan = _sharing(first).part(store.plan(first["plan"]), first["settings"]["seed"])
    aside = {row for row, _ in store.aside(first["run"])}
    texts = {
        each.row: each.text for each in store.instructions(first["pool"]) if each.row not in aside
    }
    orders = min(store.run(entry.run)["settings"]["orders"] for entry in selectors)
    contestants = [_contestant(store, entry, orders) for entry in here]
    for name, rows in (human or {}).items():
        _refuse_share(name, len(rows), wanted(plan))
        contestants.append(_person(name, rows))
    if not any(each.group == RANDOM for each in contestants):
        contestants += _random(sorted(texts), wanted(plan), first["settings"]["seed"])
    vectors = _vectors(store, first, texts)
    found = compare(
        contestants,
        plan,
        texts,
        orders=orders,
        seed=first["settings"]["seed"],
        rows=None if vectors is None else np.array(list(texts)),
        vectors=vectors,
        near=first["settings"]["near_duplicates"] or 0.95,
    )
    return _completed(store, found, first, entries, plan)


def _contestant(store: Store, entry: Entry, orders: int) -> Contestant:
    answers = {key: answer for key, answer in store.answers(entry.run).items() if key[1] < orders}
    picks = store.picks(entry.run)
    if entry.group:
        return Contestant(entry.name, "baseline", answers, picks, entry.group)
    return Contestant(entry.name, "selector", answers, picks)


def _refuse_share(name: str, rows: int, picks: int) -> None:
    """Chance is computed for selections of the same size."""
    if rows != picks:
        raise UsageError(
            f"--{name} names {rows:,} rows, and the selectors chose {picks:,}.",
            "Only selections of the same size can be compared.",
        )


def _person(name: str, rows: Sequence[int]) -> Contestant:
    picks = [Pick(row, "human", rank=rank) for rank, row in enumerate(rows, start=1)]
    return Contestant(name, "human", {}, tuple(picks))


def _random(rows: Sequence[int], count: int, seed: int) -> list[Contestant]:
    """Uniform samples, where no run is one: no figure can be read without."""
    found = []
    for turn in range(LEAST_SEEDS):
        drawn = np.random.default_rng(seed + turn).choice(len(rows), size=count, replace=False)
        picks = [Pick(rows[place], "method", rank=rank + 1) for rank, place in enumerate(drawn)]
        found.append(Contestant(f"{RANDOM} {turn + 1}", "baseline", {}, tuple(picks), RANDOM))
    return found


def _vectors(store: Store, run: Mapping[str, Any], texts: Mapping[int, str]) -> Vectors | None:
    """[n, d], those of `texts` in their order; None if this workspace does not have them all."""
    embedder = store.plan_facts(run["plan"]).get("embedder")
    vectors, missing = store.cached_vectors(embedder or "", list(map(text_digest, texts.values())))
    return vectors if embedder and not missing else None


def _completed(
    store: Store,
    found: dict[str, Any],
    first: Mapping[str, Any],
    entries: Sequence[Entry],
    plan: Plan,
) -> dict[str, Any]:
    """What the workspace knows beside the statistics: of the pool, and of every run."""
    records = {each.name: run_record(store, each.run) for each in entries if each.run}
    reference = next(record for record in records.values() if record["id"] == first["run"])
    by_group: dict[str, list[str]] = {}
    for each in entries:
        if each.run and each.group:
            by_group.setdefault(each.group, []).append(each.run)
    head = {name: reference[name] for name in ("data", "layout", "pool_rows", "budget", "seed")}
    head |= {name: reference[name] for name in ("clusters", "settings", "versions", "created")}
    attempts = sum(record["connections_attempted"] for record in records.values())
    return {
        **head,
        "plan": first["plan"],
        "queries_asked": len(plan.queries),
        "connections_attempted": attempts,
        **found,
        "selectors": [_selector(each, records.get(each["name"])) for each in found["selectors"]],
        "baselines": [
            {**each, "runs": by_group.get(each["name"], [])} for each in found["baselines"]
        ],
        "failed": [
            {"name": each.name, "path": each.model, "error": each.error}
            for each in entries
            if each.error
        ],
    }


def _selector(numbers: Mapping[str, Any], record: Mapping[str, Any] | None) -> dict[str, Any]:
    """A selector with its run; of a person there is none."""
    if record is None:
        return {**numbers, "path": None, "sha256": None, "run": None, "cost": None}
    spent, tokens = record["answer_seconds"], record["prompt_tokens"]
    cost = {
        "seconds": record["seconds_by_stage"].get("choose"),
        "prompt_tokens": tokens,
        "tokens_per_second": round(tokens / spent, 1) if spent else None,
        "peak_memory": record["peak_memory"],
        "fallbacks": record["fallbacks"],
        "abstained": record["abstained"],
    }
    known = {"path": record["selector"]["path"], "sha256": record["selector"]["sha256"]}
    return {**numbers, **known, "run": record["id"], "state": record["state"], "cost": cost}
