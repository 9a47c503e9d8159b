"""A stored run → its record and its chosen rows, as `show` and `export` print them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localsel.records import Pick
from localsel.review import Review, counts, review_of
from localsel.stages.export import Chosen
from localsel.stages.export.chosen import ANSWERS, column_among
from localsel.store import ENDED, Store

__all__ = ["COVERAGE", "ENDED", "chosen_rows", "reasons", "run_record"]

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
    review = review_of(store, run)
    chosen_by = Counter(pick.chosen_by for pick in review.picks)
    own = Counter(pick.chosen_by for pick in store.picks(run["run"]))
    return {
        "id": run["run"],
        "state": store.state(run),
        "fingerprint": run["fingerprint"],
        "method": run["settings"]["method"],
        "selector": facts.get("selector"),
        "scorer": facts.get("scorer"),
        "quality": facts.get("quality"),
        "backend": facts.get("backend"),
        "backend_facts": facts.get("backend_facts", {}),
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
        "review": counts(review),
        **{name: plan.get(name) for name in COVERAGE},
        **totals,
        "queries": facts.get("queries", totals["queries"]),
        "peak_memory": facts.get("peak_memory"),
        "compared": facts.get("sharing", {}).get("command", ""),
        "reasons": len(store.reasons(run["run"])),
        "fallbacks": own.get("fallback", 0),
        "unscored": facts.get("unscored", 0),
        "failure": facts.get("failure"),
        "seconds_by_stage": facts.get("seconds_by_stage", {}),
        "connections_attempted": facts.get("connections_attempted", 0),
        "connections_refused": facts.get("connections_refused", []),
        "offline": facts.get("offline"),
        "repeatable": facts.get("repeatable", True),
        "created": run["created"],
        "settings": run["settings"],
        "broken_rows": store.bad_rows(run["pool"]),
        "versions": facts.get("versions", {}),
        "left_out": store.left_out(run["run"], run["pool"], run["plan"]),
    }


def chosen_rows(store: Store, run: dict[str, Any]) -> list[Chosen]:
    """The selection of a run as people left it, best first."""
    said, review = store.reasons(run["run"]), review_of(store, run)
    is_scored = any(pick.score is not None for pick in review.picks)
    chosen = [
        Chosen(
            instruction=store.instruction(run["pool"], pick.row),
            columns=store.columns(run["pool"], pick.row),
            why=reasons(pick, run["run"])
            | ({"score": pick.score} if is_scored else {})
            | _said(said, pick.row)
            | _reviewed(review, pick.row),
        )
        for pick in review.picks
    ]
    if not review.answers and not review.skipped:
        return chosen
    column = column_among(name for each in chosen for name in each.columns) or ANSWERS[0]
    return [_answered(each, review, column) for each in chosen]


def _answered(chosen: Chosen, review: Review, column: str) -> Chosen:
    """A pick with the answer that was written in review, where it will be looked for.

    One that was skipped has none, not even that of its data.
    """
    row = chosen.instruction.row
    if row in review.skipped:
        columns = {**chosen.columns, column: ""} if column in chosen.columns else chosen.columns
        return replace(
            chosen, instruction=replace(chosen.instruction, response=""), columns=columns
        )
    if (answer := review.answers.get(row)) is None:
        return chosen
    return replace(
        chosen,
        instruction=replace(chosen.instruction, response=answer),
        columns={**chosen.columns, column: answer},
        answer=answer,
    )


def _reviewed(review: Review, row: int) -> dict[str, object]:
    """What a person said of a pick; nothing where nobody did."""
    said: dict[str, object] = {"note": review.notes[row]} if row in review.notes else {}
    return said | ({"accepted": True} if row in review.accepted else {})


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
