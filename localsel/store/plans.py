"""Plans: clusters, quotas and queries. Several runs may stand on one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from localsel.records import Plan, Query
from localsel.store.database import Database


class Plans(Database):
    """Reads and writes plans."""

    def has_plan(self, plan: str) -> bool:
        """Whether the plan was made here. One that was only imported is not trusted."""
        found = "SELECT 1 FROM plans WHERE plan = ?1 AND plan NOT IN (SELECT name FROM imported)"
        return self._one(found, plan) is not None

    def add_plan(
        self,
        plan: str,
        pool: str,
        made: Plan,
        members: Iterable[tuple[int, int | None, float | None, float | None, int | None]],
        facts: Mapping[str, object],
    ) -> None:
        """Keeps a plan. `members`: row, cluster, distance to the centre, density, twin's row.

        Two processes may make the same plan at once: it is kept once.
        """
        with self._transaction() as database:
            for table in ("members", "queries"):
                database.execute(f"DELETE FROM {table} WHERE plan = ?", (plan,))
            database.execute("DELETE FROM imported WHERE name = ?", (plan,))
            database.execute(
                "INSERT OR REPLACE INTO plans VALUES (?, ?, ?, ?)",
                (plan, pool, json.dumps(made.quotas), json.dumps(facts)),
            )
            database.executemany(
                "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((plan, *member, made.left_out.get(member[0])) for member in members),
            )
            database.executemany(
                "INSERT OR REPLACE INTO queries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (plan, query.id, query.cluster, query.round, query.quota)
                    + (json.dumps(query.rows), json.dumps(query.sources), query.final)
                    for query in made.queries
                ),
            )

    def plan(self, plan: str) -> Plan:
        found = self._one("SELECT quotas FROM plans WHERE plan = ?", plan)
        assert found is not None
        queries = [
            Query(
                id=row["query"],
                cluster=row["cluster"],
                round=row["round"],
                quota=row["quota"],
                rows=tuple(json.loads(row["rows"])),
                sources=tuple(json.loads(row["sources"])),
                final=bool(row["final"]),
            )
            for row in self._all("SELECT * FROM queries WHERE plan = ? ORDER BY query", plan)
        ]
        left_out = self._all(
            "SELECT row, left_out FROM members WHERE plan = ? AND left_out IS NOT NULL", plan
        )
        return Plan(
            tuple(queries),
            tuple(json.loads(found["quotas"])),
            dict(map(tuple, left_out)),
        )

    def memberships(self, plan: str) -> Iterator[tuple[int, int | None, float | None]]:
        """Of every row its cluster and its distance to the centre; a near-duplicate is where its
        twin is.
        """
        rows = self._rows(
            "SELECT own.row, coalesce(own.cluster, twin.cluster), own.distance FROM members AS own"
            " LEFT JOIN members AS twin"
            " ON twin.plan = own.plan AND twin.row = own.near_duplicate_of"
            " WHERE own.plan = ?",
            plan,
        )
        return ((row[0], row[1], row[2]) for row in rows)

    def plan_facts(self, plan: str) -> dict[str, Any]:
        found = self._one("SELECT facts FROM plans WHERE plan = ?", plan)
        facts: dict[str, Any] = json.loads(found["facts"]) if found else {}
        return facts

    def clusters_of(self, plan: str | None, rows: Collection[int]) -> dict[int, int]:
        """The clusters of those rows that have one; a near-duplicate is where its twin is."""
        found = self._rows(
            "SELECT own.row, coalesce(own.cluster, twin.cluster) AS cluster FROM members AS own"
            " LEFT JOIN members AS twin"
            " ON twin.plan = own.plan AND twin.row = own.near_duplicate_of"
            " WHERE own.plan = ? AND own.row IN (SELECT value FROM json_each(?))",
            plan,
            json.dumps(list(rows)),
        )
        return {row["row"]: row["cluster"] for row in found if row["cluster"] is not None}

    def embedder(self, pool: str) -> str | None:
        """The embedder of any plan or run of a pool; None if nothing needed one."""
        found = self._one(
            "SELECT json_extract(facts, '$.embedder') AS name FROM plans"
            " WHERE pool = ?1 AND name IS NOT NULL"
            " UNION ALL SELECT json_extract(facts, '$.embedder') AS name FROM runs"
            " WHERE pool = ?1 AND name IS NOT NULL",
            pool,
        )
        return str(found["name"]) if found else None

    def is_imported(self, name: str) -> bool:
        """Whether a pool or plan came with a run from elsewhere."""
        return self._one("SELECT 1 FROM imported WHERE name = ?", name) is not None

    def cluster_sizes(self, plan: str) -> dict[int, tuple[int, float | None]]:
        """Rows of each cluster, and the largest distance to its centre where it has one."""
        rows = self._rows(
            "SELECT cluster, count(*), max(distance) FROM members"
            " WHERE plan = ? AND cluster IS NOT NULL GROUP BY cluster",
            plan,
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    def first_scores(self, run: str, plan: str) -> Iterator[tuple[int, list[float]]]:
        """Of every answer of a run the cluster it is about, and the scores of its first choice."""
        rows = self._rows(
            "SELECT cluster, scores FROM answers JOIN queries USING (query)"
            " WHERE run = ? AND plan = ? ORDER BY query, ordering",
            run,
            plan,
        )
        return ((row["cluster"], json.loads(row["scores"])) for row in rows)

    def mishaps(self, run: str, plan: str) -> dict[int, tuple[int, int]]:
        """Of every cluster that a run asked about the abstained answers and the shortened rows."""
        rows = self._rows(
            "SELECT cluster, sum(outcome = 'abstained'), sum(json_array_length(shortened))"
            " FROM answers JOIN queries USING (query) WHERE run = ? AND plan = ? GROUP BY cluster",
            run,
            plan,
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    def members(self, plan: str, cluster: int) -> list[tuple[int, float | None, str | None]]:
        """Rows of a cluster, nearest first, with their distances; why a row is not shown."""
        rows = self._rows(
            "SELECT row, distance, left_out FROM members WHERE plan = ? AND cluster = ?"
            " ORDER BY distance, row",
            plan,
            cluster,
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def twins_in(self, plan: str, cluster: int) -> dict[int, list[int]]:
        """The near-duplicates that the rows of a cluster stand for, by row."""
        found: dict[int, list[int]] = {}
        for row, twin in self._rows(
            "SELECT own.near_duplicate_of, own.row FROM members AS own JOIN members AS twin"
            " ON twin.plan = own.plan AND twin.row = own.near_duplicate_of"
            " WHERE own.plan = ? AND twin.cluster = ? AND own.cluster IS NULL ORDER BY own.row",
            plan,
            cluster,
        ):
            found.setdefault(row, []).append(twin)
        return found

    def near_duplicates(self, plan: str, row: int) -> list[int]:
        """The rows that a row stands for, because they hardly differ from it."""
        rows = self._rows(
            "SELECT row FROM members WHERE plan = ? AND near_duplicate_of = ?", plan, row
        )
        return [each["row"] for each in rows]
