"""Finished runs over one plan → their comparison, as `compare` and `report` print it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from localsel.errors import UsageError
from localsel.methods import METHODS
from localsel.offline import told_of_all
from localsel.records import INCLUDED, Pick, Vectors, text_digest
from localsel.runs import ENDED, run_record
from localsel.sharing import refuse_other, sharing_of
from localsel.stages.compare import Contestant, compare
from localsel.store import Store
from localsel.wording import counted

RANDOM, HUMAN = "random", "human"
LEAST_SEEDS = 3
NOT_SHARED = ("model", "out", "display", "workspace", "resume", "threads", "gpus", "gpu_memory")
# How a question was put; the rest of a plan is the same for all.
PUT = ("prompt", "criteria", "temperature", "context", "orders")


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
    for run in selectors:
        if not run["plan"]:
            raise UsageError(
                f"Run {run['run']} had nothing to choose: --include filled its budget."
            )
    if not selectors:
        raise UsageError("None of these runs asked a selector: there is nothing to compare.")
    for run in runs:
        refuse_other(selectors[0], run)
    baselines = [run for run in runs if run not in selectors]
    names = selector_names([run["facts"]["selector"]["name"] for run in selectors])
    methods = [run["settings"]["method"] for run in baselines]
    asked = [Entry(name, run["run"]) for name, run in zip(names, selectors, strict=True)]
    drawn = zip(numbered(methods), baselines, methods, strict=True)
    return asked + [Entry(name, run["run"], method) for name, run, method in drawn]


def numbered(names: Sequence[str]) -> list[str]:
    """The same names, with a number where one comes again: no two alike."""
    found: list[str] = []
    for name in names:
        called, number = name, 1
        while called in found:
            number += 1
            called = f"{name} ({number})"
        found.append(called)
    return found


def selector_names(stems: Sequence[str]) -> list[str]:
    """What selectors are called in the tables, none like another or like a baseline."""
    others = {HUMAN, *METHODS.names}
    return numbered(
        [f"selector {stem}" if others.intersection(stem.split()[:1]) else stem for stem in stems]
    )


def compare_runs(
    store: Store,
    entries: Sequence[Entry],
    human: Mapping[str, Sequence[int]] | None = None,
    network: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The fields of `compare --json`.

    `human` are rows that a person chose, by name; `network` is what was attempted over it beside
    the runs.
    """
    here = [entry for entry in entries if entry.run]
    selectors = [entry for entry in here if not entry.group]
    first = store.run(selectors[0].run)
    whole = store.plan(first["plan"])
    plan = sharing_of(first).part(whole, first["settings"]["seed"])
    aside = dict(store.aside(first["run"]))
    included = [row for row, reason in aside.items() if reason == INCLUDED]
    texts = {
        each.row: each.text
        for each in store.instructions(first["pool"])
        if aside.get(each.row, INCLUDED) == INCLUDED
    }
    picks = len(store.picks(first["run"]))
    orders = min(store.run(entry.run)["settings"]["orders"] for entry in selectors)
    contestants = [_contestant(store, entry, orders) for entry in here]
    for name, rows in (human or {}).items():
        refuse_share(name, len(rows), picks)
        contestants.append(_person(name, rows))
    if not any(each.group == RANDOM for each in contestants):
        contestants += _random(texts, included, picks, first["settings"]["seed"])
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
        is_sample=len(plan.queries) < len(whole.queries),
    )
    others = _differences(store, selectors)
    found["summary"] = [*_said_of(others), *found["summary"]]
    return _completed(store, found | {"differences": others}, first, entries, network)


def _differences(store: Store, selectors: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Settings in which the runs differ beside the selector: each with its value, by name."""
    settings = {each.name: store.run(each.run)["settings"] for each in selectors}
    asked = {name: {key: own.get(key) for key in PUT} for name, own in settings.items()}
    return {
        key: {name: own[key] for name, own in asked.items()}
        for key in PUT
        if len({str(own[key]) for own in asked.values()}) > 1
    }


def _said_of(differences: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for key, values in differences.items():
        said = ", ".join(f"{name} {value}" for name, value in values.items())
        yield f"The runs differ in more than the selector: {key} is {said}."


def _contestant(store: Store, entry: Entry, orders: int) -> Contestant:
    answers = {key: answer for key, answer in store.answers(entry.run).items() if key[1] < orders}
    picks = store.picks(entry.run)
    if entry.group:
        return Contestant(entry.name, "baseline", answers, picks, entry.group)
    return Contestant(entry.name, "selector", answers, picks)


def refuse_share(name: str, rows: int, picks: int) -> None:
    """Chance is computed for selections of the same size."""
    if rows != picks:
        raise UsageError(
            f"--{name} names {counted(rows, 'row')}; the selectors choose {picks:,}.",
            "Only selections of the same size can be compared.",
        )


def _person(name: str, rows: Sequence[int]) -> Contestant:
    picks = [Pick(row, "human", rank=rank) for rank, row in enumerate(rows, start=1)]
    return Contestant(name, "human", {}, tuple(picks))


def _random(
    rows: Iterable[int], included: Sequence[int], count: int, seed: int
) -> list[Contestant]:
    """Uniform samples, where no run is one: no figure can be read without.

    As in a run, what is picked in any case comes first.
    """
    found, others = [], sorted(set(rows) - set(included))
    for turn in range(LEAST_SEEDS):
        generator, size = np.random.default_rng(seed + turn), count - len(included)
        drawn = [others[place] for place in generator.choice(len(others), size, replace=False)]
        rank_of = enumerate([*included, *drawn], start=1)
        picks = [Pick(row, "method", rank=rank) for rank, row in rank_of]
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
    network: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What the workspace knows beside the statistics: of the pool, and of every run."""
    paths = {each.name: each.model for each in entries}
    records = {each.name: run_record(store, each.run) for each in entries if each.run}
    reference = next(record for record in records.values() if record["id"] == first["run"])
    by_group: dict[str, list[str]] = {}
    for each in entries:
        if each.run and each.group:
            by_group.setdefault(each.group, []).append(each.run)
    head = {name: reference[name] for name in ("data", "layout", "pool_rows", "budget", "seed")}
    head |= {name: reference[name] for name in ("clusters", "versions", "created")}
    head["settings"] = {k: v for k, v in reference["settings"].items() if k not in NOT_SHARED}
    return {
        **head,
        "plan": first["plan"],
        **told_of_all([*network, *records.values()]),
        **found,
        "selectors": [
            _selector(each, records.get(each["name"]), paths.get(each["name"], ""))
            for each in found["selectors"]
        ],
        "baselines": [
            {**each, "runs": by_group.get(each["name"], [])} for each in found["baselines"]
        ],
        "failed": [
            {"name": each.name, "path": each.model, "error": each.error}
            for each in entries
            if each.error
        ],
    }


def _selector(
    numbers: Mapping[str, Any], record: Mapping[str, Any] | None, path: str
) -> dict[str, Any]:
    """A selector with its run; of a person there is none.

    `path`: where it was found now; one run serves every copy of the same weights.
    """
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
    known = {"path": path or record["selector"]["path"], "sha256": record["selector"]["sha256"]}
    return {**numbers, **known, "run": record["id"], "state": record["state"], "cost": cost}
