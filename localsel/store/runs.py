"""Runs: their settings and state, every answer as it is made, and the picks."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from localsel.errors import UsageError, WorkspaceError
from localsel.records import Answer, Pick
from localsel.store.locks import Locks
from localsel.store.transfer import BY_RUN

COLUMNS = [item.name for item in fields(Pick) if item.name != "score"]
ENDED = ("finished", "over-limit")
"""States of a run that has its selection."""


class Runs(Locks):
    """Reads and writes runs."""

    def start_run(
        self,
        fingerprint: str,
        pool: str,
        settings: Mapping[str, object],
        facts: Mapping[str, Any],
        run: str = "",
        only: bool = False,
    ) -> str:
        """Enters a new run, under the name that was locked for it or one of its own.

        Raises:
            WorkspaceError: the pool was removed since it was read.
            UsageError: it is to be the `only` one of its fingerprint, and another was quicker.
        """
        run, now = run or new_name(), time.time()
        with self._transaction() as database:
            if not self._one("SELECT 1 FROM pools WHERE pool = ?", pool):
                raise WorkspaceError("The pool was removed meanwhile.", "Give the command again.")
            if only and (
                other := self._one("SELECT run FROM runs WHERE fingerprint = ?", fingerprint)
            ):
                raise UsageError(
                    f"Another process began the same run meanwhile: {other['run']}.",
                    "Wait for it to end.",
                )
            database.execute(
                "INSERT INTO runs VALUES (?, ?, ?, NULL, 'running', ?, ?, ?, ?)",
                (run, fingerprint, pool, json.dumps(settings), json.dumps(facts), now, now),
            )
        return run

    def update_run(
        self,
        run: str,
        state: str | None = None,
        plan: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Sets what is given; new facts join the old ones."""
        with self._transaction() as database:
            row = database.execute("SELECT facts FROM runs WHERE run = ?", (run,)).fetchone()
            merged = json.loads(row["facts"]) | dict(facts or {})
            database.execute(
                "UPDATE runs SET state = coalesce(?, state), plan = coalesce(?, plan),"
                " facts = ?, updated = ? WHERE run = ?",
                (state, plan, json.dumps(merged), time.time(), run),
            )

    def runs(self) -> list[dict[str, Any]]:
        """Every run, newest first."""
        return [self._decoded(row) for row in self._all("SELECT * FROM runs ORDER BY created DESC")]

    def runs_of(self, fingerprint: str) -> list[dict[str, Any]]:
        """Runs of the same data, models and settings, newest first."""
        rows = self._all(
            "SELECT * FROM runs WHERE fingerprint = ? ORDER BY created DESC", fingerprint
        )
        return [self._decoded(row) for row in rows]

    def known(self, run: str) -> dict[str, Any] | None:
        """One run by its whole id, if it is there."""
        row = self._one("SELECT * FROM runs WHERE run = ?", run)
        return self._decoded(row) if row else None

    def run(self, name: str) -> dict[str, Any]:
        """One run by its id, an unambiguous beginning of it, or `last`.

        Raises:
            UsageError: there is none, or several begin like that.
        """
        runs = self.runs()
        found = (
            [_last(runs)]
            if name == "last" and runs
            else [each for each in runs if name and each["run"].startswith(name)]
        )
        if name == "last" and not runs:
            raise UsageError(f"There are no runs yet in {self.home}.", "Try `localsel demo`.")
        if len(found) != 1:
            problem = (
                f"{len(found)} runs begin with {name!r}" if found else f"There is no run {name!r}"
            )
            raise UsageError(f"{problem} in {self.home}.", "See `localsel runs`.")
        return found[0]

    @staticmethod
    def _decoded(row: sqlite3.Row) -> dict[str, Any]:
        facts = {key: json.loads(row[key]) for key in ("settings", "facts")}
        return dict(row) | facts

    def add_answer(self, run: str, answer: Answer) -> None:
        values = asdict(answer)
        values = {
            name: json.dumps(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }
        values["run"], values["ordering"] = run, values.pop("order")
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction() as database:
            database.execute(f"INSERT INTO answers ({', '.join(values)}) VALUES ({marks})", values)
            database.execute(
                "INSERT INTO asked VALUES (?, ?, ?, ?, ?)",
                (run, answer.query, answer.order, time.time(), answer.outcome),
            )

    def answers(self, run: str) -> dict[tuple[int, int], Answer]:
        """Every finished answer of a run by query and order."""
        rows = self._all("SELECT * FROM answers WHERE run = ?", run)
        return {(row["query"], row["ordering"]): answer_of(row) for row in rows}

    def asked(self, run: str) -> list[dict[str, Any]]:
        """The log of finished questions, in the order of asking."""
        rows = self._all("SELECT * FROM asked WHERE run = ? ORDER BY rowid", run)
        return [dict(row) for row in rows]

    def set_picks(self, run: str, picks: Sequence[Pick]) -> None:
        marks = ", ".join(f":{name}" for name in COLUMNS)
        with self._transaction() as database:
            for table in ("picks", "pick_scores"):
                database.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
            database.executemany(
                f"INSERT INTO picks (run, {', '.join(COLUMNS)}) VALUES (:run, {marks})",
                (asdict(pick) | {"run": run} for pick in picks),
            )
            database.executemany(
                "INSERT INTO pick_scores VALUES (?, ?, ?)",
                ((run, pick.row, pick.score) for pick in picks if pick.score is not None),
            )

    def picks(self, run: str) -> tuple[Pick, ...]:
        """The selection of a run, best first."""
        rows = self._all(f"SELECT {', '.join(COLUMNS)} FROM picks WHERE run = ? ORDER BY rank", run)
        scores = self._pick_scores(run)
        return tuple(Pick(**dict(row), score=scores.get(row["row"])) for row in rows)

    def _pick_scores(self, run: str) -> dict[int, float]:
        # A workspace of format 3 that cannot be written has no such table.
        if self.format < 4:
            return {}
        rows = self._all("SELECT row, score FROM pick_scores WHERE run = ?", run)
        return {row["row"]: row["score"] for row in rows}

    def picked(self) -> dict[str, int]:
        """How many picks each run has."""
        rows = self._all("SELECT run, count(*) AS n FROM picks GROUP BY run")
        return {row["run"]: row["n"] for row in rows}

    def set_aside(self, run: str, reasons: Mapping[int, str]) -> None:
        """Rows that the user's own word keeps from being chosen by the method, and why."""
        with self._transaction() as database:
            database.execute("DELETE FROM set_aside WHERE run = ?", (run,))
            rows = ((run, row, reason) for row, reason in reasons.items())
            database.executemany("INSERT INTO set_aside VALUES (?, ?, ?)", rows)

    def aside(self, run: str) -> list[tuple[int, str]]:
        """The same, in file order."""
        rows = self._all("SELECT row, reason FROM set_aside WHERE run = ? ORDER BY row", run)
        return [(row["row"], row["reason"]) for row in rows]

    def add_reason(self, run: str, row: int, text: str) -> None:
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO reasons VALUES (?, ?, ?)", (run, row, text))

    def reasons(self, run: str) -> dict[int, str]:
        """What the selector said of its picks, by row."""
        rows = self._all("SELECT row, text FROM reasons WHERE run = ?", run)
        return {row["row"]: row["text"] for row in rows}

    def remove_run(self, run: str) -> None:
        """Deletes a run, and its pool and plans if no other run stands on them.

        Those of other runs are not looked at: one that is being started may not be listed yet.
        """
        # First: gigabytes that no run speaks of any more would stay for ever.
        shutil.rmtree(self.tuned_folder(run), ignore_errors=True)
        with self._transaction() as database:
            own = database.execute("SELECT pool, plan FROM runs WHERE run = ?", (run,)).fetchone()
            for table in BY_RUN:
                database.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
            if own and not self._one("SELECT 1 FROM runs WHERE plan = ?", own["plan"]):
                self._remove_plans([own["plan"]])
            if own:
                self._remove_unused(own["pool"])
        (self.home / "locks" / run).unlink(missing_ok=True)

    def tuned_folder(self, run: str) -> Path:
        """Where a run's own model is kept while it learns, and for as long as the run needs it."""
        return self.home / "tuned" / run

    def forget_unused(self, pool: str) -> None:
        """Deletes a pool with its plans, unless a run stands on it."""
        with self._transaction():
            self._remove_unused(pool)

    def _remove_unused(self, pool: str) -> None:
        if self._one("SELECT 1 FROM runs WHERE pool = ?", pool) or self.is_used(pool):
            return
        self._remove_plans(
            [row["plan"] for row in self._all("SELECT plan FROM plans WHERE pool = ?", pool)]
        )
        for table in ("instructions", "bad_rows", "pools"):
            self._database.execute(f"DELETE FROM {table} WHERE pool = ?", (pool,))
        self._database.execute("DELETE FROM imported WHERE name = ?", (pool,))
        (self.home / "locks" / pool).unlink(missing_ok=True)
        for path in (self.home / "maps").glob(f"{pool[:24]}-*"):
            path.unlink(missing_ok=True)

    def _remove_plans(self, plans: Sequence[str]) -> None:
        for table in ("members", "queries", "choices", "plans"):
            self._database.executemany(
                f"DELETE FROM {table} WHERE plan = ?", ((plan,) for plan in plans)
            )

    def answer_totals(self, run: str) -> dict[str, Any]:
        """Of all answers of a run: how many, how many abstained, prompt tokens, seconds."""
        row = self._one(
            "SELECT count(*) AS answers, coalesce(sum(outcome = 'abstained'), 0) AS abstained,"
            " coalesce(sum(prompt_tokens), 0) AS prompt_tokens,"
            " coalesce(sum(seconds), 0) AS answer_seconds,"
            " coalesce(sum(json_array_length(shortened)), 0) AS shortened,"
            " (SELECT count(*) FROM queries JOIN runs USING (plan) WHERE run = ?1) AS queries"
            " FROM answers WHERE run = ?1",
            run,
        )
        assert row is not None
        return dict(row)

    def left_out(self, run: str, pool: str, plan: str | None) -> list[dict[str, Any]]:
        """Rows that no query shows, and why, in file order."""
        rows = self._all(
            "SELECT row, 'exact duplicate of row ' || duplicate_of AS reason FROM instructions"
            " WHERE pool = ? AND duplicate_of IS NOT NULL"
            " UNION ALL SELECT row, left_out FROM members"
            " WHERE plan = ? AND left_out IS NOT NULL"
            " UNION ALL SELECT row, reason FROM set_aside WHERE run = ? ORDER BY row",
            pool,
            plan,
            run,
        )
        return [dict(row) for row in rows]


def _last(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The newest; of a comparison a selector's, not that of a baseline beside it."""
    beside = [
        each["facts"].get("sharing", {}).get("command") and not each["facts"].get("selector")
        for each in runs
    ]
    return next(
        (run for run, is_beside in zip(runs, beside, strict=True) if not is_beside), runs[0]
    )


def new_name() -> str:
    """A name for a run that no other has."""
    return secrets.token_hex(4)


def answer_of(row: sqlite3.Row) -> Answer:
    """An answer from its row of the table; other columns beside it are left out."""
    names = {item.name for item in fields(Answer)}
    values = {name: row[name] for name in row.keys() if name in names}  # noqa: SIM118
    values["order"] = row["ordering"]
    tuples = ("shown", "chosen", "probabilities", "scores", "shortened")
    return Answer(**values | {name: tuple(json.loads(values[name])) for name in tuples})
