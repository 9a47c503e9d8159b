"""A stored run and one of its rows → the rows that are nearest to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localsel.embedded import embedded, embedder_of, lacking, open_rows
from localsel.errors import UsageError
from localsel.records import Rows, Vectors, text_digest
from localsel.review import distinct_row, review_of
from localsel.stages.index import nearest, nearest_in_graph
from localsel.store import Store

GRAPH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A row near another. `picked`: by the run, as its review left it."""

    row: int
    cosine: float
    text: str
    cluster: int | None
    picked: bool


def neighbours(store: Store, run: Mapping[str, Any], row: int, count: int = 10) -> list[Neighbour]:
    """The nearest rows among those that could be chosen, nearest first, itself left out.

    From the index where this workspace has that of the run, else by looking at every vector.

    Raises:
        UsageError: there is no such row, or no vector of it.
    """
    _refuse_row(store, run, row)
    vector = _vector(store, run, row)
    rows, cosines = _in_index(store, run, vector, count + 1) or _by_all(store, run, vector, count)
    found = [(int(r), float(c)) for r, c in zip(rows, cosines, strict=True) if r != row][:count]
    clusters = store.clusters_of(run["plan"], [each for each, _ in found])
    picked = {pick.row for pick in review_of(store, run).picks}
    return [
        Neighbour(
            each,
            cosine,
            store.instruction(run["pool"], each).text,
            clusters.get(each),
            each in picked,
        )
        for each, cosine in found
    ]


def _refuse_row(store: Store, run: Mapping[str, Any], row: int) -> None:
    first = distinct_row(store, run, row)
    if first != row:
        raise UsageError(
            f"Row {row} is an exact duplicate of row {first}.", f"Ask for row {first}."
        )


def _vector(store: Store, run: Mapping[str, Any], row: int) -> Vectors:
    embedder = embedder_of(store, run)
    digest = text_digest(store.instruction(run["pool"], row).text)
    vectors, missing = store.cached_vectors(embedder, [digest])
    if not missing:
        vector: Vectors = vectors[0]
        return vector
    if reason := dict(store.aside(run["run"])).get(row):
        raise UsageError(f"Row {row} was not embedded: {reason}.", "Ask for another row.")
    raise lacking(store, run)


def _in_index(
    store: Store, run: Mapping[str, Any], vector: Vectors, count: int
) -> tuple[Rows, Vectors] | None:
    """From the graph that the plan was made with, if it is there."""
    facts = store.plan_facts(run["plan"]) if run["plan"] else {}
    graph = str(facts.get("graph", ""))
    # It may have come with a run from elsewhere.
    if facts.get("index") != "hnsw" or not GRAPH.fullmatch(graph):
        return None
    if not store.graph(graph).is_file():
        return None
    rows = open_rows(store, run)
    found = nearest_in_graph(store.graph(graph), len(rows), vector, count)
    return (rows[found[0]], found[1]) if found else None


def _by_all(
    store: Store, run: Mapping[str, Any], vector: Vectors, count: int
) -> tuple[Rows, Vectors]:
    rows, vectors = embedded(store, run)
    near, cosines = nearest(vectors, vector, count + 1)
    return rows[near], cosines
