"""Reviews: what people changed in the selections of runs, and what they chose themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from localsel.records import Answer, Change
from localsel.store.database import Database
from localsel.store.runs import answer_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run had a row: its cluster, and the last query that showed it, under which label."""

    cluster: int | None = None
    query: int | None = None
    label: int | None = None


class Reviews(Database):
    """Reads and writes the changes of runs, and the blind choices on plans."""

    def changes(self, run: str) -> tuple[Change, ...]:
        """Every change of a run that was not taken back, the oldest first."""
        rows = self._rows(
            "SELECT kind, row, other, text, at FROM changes WHERE run = ? ORDER BY number", run
        )
        return tuple(Change(*row) for row in rows)

    def add_changes(self, run: str, changes: Sequence[Change]) -> None:
        """Keeps all of them or none."""
        with self._transaction() as database:
            database.executemany(
                "INSERT INTO changes SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6"
                " FROM changes WHERE run = ?1",
                ((run, each.at, each.kind, each.row, each.other, each.text) for each in changes),
            )

    def remove_last_change(self, run: str) -> None:
        with self._transaction() as database:
            database.execute(
                "DELETE FROM changes WHERE run = ?1"
                " AND number = (SELECT max(number) FROM changes WHERE run = ?1)",
                (run,),
            )

    def places(self, run: str, plan: str | None, rows: Collection[int]) -> dict[int, Place]:
        """Where a run had each of these rows, as far as its first order showed them.

        A near-duplicate is where its twin is.
        """
        found = dict.fromkeys(rows, Place())
        members = self._all(
            "SELECT own.row, coalesce(own.cluster, twin.cluster) FROM members AS own"
            " LEFT JOIN members AS twin"
            " ON twin.plan = own.plan AND twin.row = own.near_duplicate_of"
            " WHERE own.plan = ? AND own.row IN (SELECT value FROM json_each(?))",
            plan,
            json.dumps(list(rows)),
        )
        found |= {row: Place(cluster) for row, cluster in members}
        clusters = {place.cluster for place in found.values()} - {None}
        # A later round comes later, and stays.
        shown = self._rows(
            "SELECT query, cluster, shown FROM queries JOIN answers USING (query)"
            " WHERE run = ? AND plan = ? AND ordering = 0"
            " AND cluster IN (SELECT value FROM json_each(?)) ORDER BY round, query",
            run,
            plan,
            json.dumps(list(clusters)),
        )
        for query, cluster, text in shown:
            for label, row in enumerate(json.loads(text), start=1):
                if row in found:
                    found[row] = Place(cluster, query, label)
        return found

    def answers_in(self, run: str, plan: str | None, cluster: int) -> list[tuple[int, Answer]]:
        """Every answer about a cluster, with the round of its query."""
        rows = self._all(
            "SELECT round, answers.* FROM queries JOIN answers USING (query)"
            " WHERE run = ? AND plan = ? AND cluster = ?",
            run,
            plan,
            cluster,
        )
        return [(row["round"], answer_of(row)) for row in rows]

    def choices(self, plan: str | None) -> dict[int, tuple[int, ...]]:
        """What a person chose in queries of a plan without seeing what others chose, by query."""
        rows = self._all("SELECT query, rows FROM choices WHERE plan = ? ORDER BY query", plan)
        return {row["query"]: tuple(json.loads(row["rows"])) for row in rows}

    def chosen_in(self, plan: str | None) -> list[int]:
        """The queries of a plan in which a person chose, the newest choice last."""
        rows = self._rows("SELECT query FROM choices WHERE plan = ? ORDER BY at, query", plan)
        return [row["query"] for row in rows]

    def set_choice(self, plan: str, query: int, rows: Sequence[int]) -> None:
        """Keeps a choice in place of an earlier one; without rows there is none any more."""
        with self._transaction() as database:
            database.execute("DELETE FROM choices WHERE plan = ? AND query = ?", (plan, query))
            if rows:
                database.execute(
                    "INSERT INTO choices VALUES (?, ?, ?, ?)",
                    (plan, query, json.dumps(list(rows)), time.time()),
                )
