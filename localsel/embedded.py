"""A stored run → the vectors of its rows, as far as this workspace has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from localsel.errors import UsageError
from localsel.records import INCLUDED, Rows, Vectors
from localsel.store import Store


def embedder_of(store: Store, run: Mapping[str, Any]) -> str:
    """The embedder of a run; of one that needed none that of another run of its pool.

    Raises:
        UsageError: there is none.
    """
    facts = store.plan_facts(run["plan"]) if run["plan"] else run["facts"]
    found = facts.get("embedder") or store.embedder(run["pool"])
    if not isinstance(found, str):
        raise UsageError(
            f"Run {run['run']} needed no vectors, and no other run of its data has any here.",
            "A run of the method selectllm makes them.",
        )
    return found


def open_rows(store: Store, run: Mapping[str, Any]) -> Rows:
    """[n] the rows that could be chosen, in file order: those that the index is of."""
    aside = {row for row, _ in store.aside(run["run"])}
    rows = (row for row in store.distinct_rows(run["pool"]) if row not in aside)
    return np.fromiter(rows, dtype=np.int64)


def embedded(store: Store, run: Mapping[str, Any]) -> tuple[Rows, Vectors]:
    """[n] the rows that could be chosen or were picked by --include, and [n, d] their vectors.

    Raises:
        UsageError: this workspace does not have them.
    """
    embedder, aside = embedder_of(store, run), dict(store.aside(run["run"]))
    known = [
        (row, digest)
        for row, digest in store.digests(run["pool"])
        if aside.get(row, INCLUDED) == INCLUDED
    ]
    vectors, missing = store.cached_vectors(embedder, [digest for _, digest in known])
    if missing:
        raise lacking(store, run)
    return np.array([row for row, _ in known], dtype=np.int64), vectors


def lacking(store: Store, run: Mapping[str, Any]) -> UsageError:
    """Why there are no vectors, and how to come by them."""
    hint = f"A run of {run['settings']['data']} here makes them."
    if store.is_imported(run["plan"] or run["pool"]):
        problem = "was imported: its vectors are where it was made"
        return UsageError(f"Run {run['run']} {problem}.", hint)
    return UsageError(f"The vectors of run {run['run']} are not in {store.home}.", hint)
