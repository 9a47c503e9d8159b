"""A stored run → its record and its chosen rows, as `show` and `export` print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from localsel.records import Pick
from localsel.stages.export import Chosen
from localsel.store import Store

ENDED = ("finished", "over-limit")
"""States of a run that has its selection."""

COVERAGE = (
    "clusters",
    "radius",
    "radius_before_joining",
    "mean_distance",
    "random_radius",
    "random_mean_distance",
    "index_recall",
)


def run_record(store: Store, name: str) -> dict[str, Any]:
    """Everything that is known of one run; what its method does not have is None.

    Raises:
        UsageError: there is no such run.
    """
    run = store.run(name)
    pool, facts = store.pool(run["pool"]), run["facts"]
    plan = store.plan_facts(run["plan"]) if run["plan"] else {}
    totals = store.answer_totals(run["run"])
    chosen_by = Counter(pick.chosen_by for pick in store.picks(run["run"]))
    return {
        "id": run["run"],
        "state": store.state(run),
        "fingerprint": run["fingerprint"],
        "method": run["settings"]["method"],
        "selector": facts.get("selector"),
        "backend": facts.get("backend"),
        "seed": run["settings"]["seed"],
        "data": run["settings"]["data"],
        "layout": pool["layout"],
        "pool_rows": pool["rows"],
        "bad_rows": pool["bad"],
        "duplicates": pool["duplicates"],
        "near_duplicates": plan.get("near_duplicates"),
        "trimmed": plan.get("trimmed"),
        "given": facts.get("given", 0),
        "budget": run["settings"]["budget"],
        "wanted": facts.get("wanted", run["settings"]["budget"]),
        "picked": sum(chosen_by.values()),
        "chosen_by": dict(chosen_by),
        **{name: plan.get(name) for name in COVERAGE},
        **totals,
        "queries": facts.get("queries", totals["queries"]),
        "peak_memory": facts.get("peak_memory"),
        "compared": facts.get("sharing", {}).get("command", ""),
        "reasons": len(store.reasons(run["run"])),
        "fallbacks": chosen_by.get("fallback", 0),
        "seconds_by_stage": facts.get("seconds_by_stage", {}),
        "connections_attempted": facts.get("connections_attempted", 0),
        "repeatable": facts.get("repeatable", True),
        "created": run["created"],
        "settings": run["settings"],
        "broken_rows": store.bad_rows(run["pool"]),
        "versions": facts.get("versions", {}),
        "left_out": store.left_out(run["run"], run["pool"], run["plan"]),
    }


def chosen_rows(store: Store, run: dict[str, Any]) -> list[Chosen]:
    """The selection of a run, best first."""
    said = store.reasons(run["run"])
    return [
        Chosen(
            instruction=store.instruction(run["pool"], pick.row),
            columns=store.columns(run["pool"], pick.row),
            why=reasons(pick, run["run"]) | _said(said, pick.row),
        )
        for pick in store.picks(run["run"])
    ]


def _said(said: Mapping[int, str], row: int) -> dict[str, object]:
    """With --reason every pick has the field, also one of which nothing was said."""
    return {"reason": said.get(row)} if said else {}


def reasons(pick: Pick, run: str) -> dict[str, object]:
    """What `_localsel` says of a pick."""
    names = ("row", "rank", "cluster", "query", "label", "position", "probability", "votes")
    return {name: getattr(pick, name) for name in names} | {
        "chosen_by": pick.chosen_by,
        "run": run,
    }
