"""Plans: clusters, quotas and queries. Several runs may stand on one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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

    def plan_facts(self, plan: str) -> dict[str, Any]:
        found = self._one("SELECT facts FROM plans WHERE plan = ?", plan)
        facts: dict[str, Any] = json.loads(found["facts"]) if found else {}
        return facts
