"""A run that is being answered → how far it is, how fast, and its answers, newest first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from localsel.records import Answer
from localsel.store.beginning import first_bytes, first_letters
from localsel.store.database import Database
from localsel.store.runs import answer_of

FAULTY = "(answers.outcome = 'abstained' OR answers.attempts > 1 OR answers.shortened != '[]')"
FOUND = """
    FROM asked JOIN answers USING (run, query, ordering) JOIN runs USING (run)
    LEFT JOIN instructions AS first
    ON first.pool = runs.pool AND first.row = json_extract(answers.chosen, '$[0]')
    WHERE asked.run = :run
"""
LETTERS = 300
TEXT = " AND instr(lower(first.instruction), lower(:text))"


class Progress(Database):
    """Only reads, and little at a time: somebody looks several times a second."""

    def progress(self, run: str) -> dict[str, int]:
        """`answered` questions, and how many of them were `forced` and `abstained`."""
        row = self._one(
            "SELECT count(*) AS answered, coalesce(sum(outcome = 'forced'), 0) AS forced,"
            " coalesce(sum(outcome = 'abstained'), 0) AS abstained FROM asked WHERE run = ?",
            run,
        )
        assert row is not None
        return dict(row)

    def latest(self, run: str, since: float, count: int) -> list[tuple[float, int]]:
        """When each of the last questions was answered since then, and its prompt tokens."""
        rows = self._all(
            "SELECT asked.at, answers.prompt_tokens FROM asked"
            " JOIN answers USING (run, query, ordering)"
            " WHERE asked.run = ? AND asked.at >= ? AND asked.outcome != 'forced'"
            " ORDER BY asked.rowid DESC LIMIT ?",
            run,
            since,
            count,
        )
        return [(row["at"], row["prompt_tokens"]) for row in reversed(rows)]

    def count_answers(self, run: str, faulty: bool = False, text: str = "") -> int:
        """How many `answers_page` goes through."""
        if not faulty and not text:
            return self.progress(run)["answered"]
        values = {"run": run, "text": text}
        row = self._one(f"SELECT count(*) AS n {FOUND}{_narrowed(faulty, text)}", values)
        assert row is not None
        return int(row["n"])

    def answers_page(
        self, run: str, start: int, count: int, faulty: bool = False, text: str = ""
    ) -> list[dict[str, Any]]:
        """Answers with the cluster of their query, and `text`: how the first choice begins.

        Newest first. Only those with a fault; only those whose first choice has a text.
        """
        rows = self._all(
            f"SELECT answers.*, {first_bytes('first.instruction', str(LETTERS))} AS text,"
            " (SELECT cluster FROM queries AS asks WHERE asks.plan = runs.plan"
            f" AND asks.query = answers.query) AS cluster {FOUND}{_narrowed(faulty, text)}"
            " ORDER BY asked.rowid DESC LIMIT :count OFFSET :start",
            {"run": run, "text": text, "count": count, "start": start},
        )
        return [
            {"answer": answer_of(row), "cluster": row["cluster"], "text": _head(row)}
            for row in rows
        ]

    def answer(self, run: str, query: int, order: int) -> Answer | None:
        """One answer, if it is there already."""
        found = "SELECT * FROM answers WHERE run = ? AND query = ? AND ordering = ?"
        row = self._one(found, run, query, order)
        return answer_of(row) if row else None

    def query_of(self, run: str, query: int) -> tuple[int, int] | None:
        """Cluster and quota of a query that a run is asked."""
        row = self._one(
            "SELECT cluster, quota FROM queries JOIN runs USING (plan) WHERE run = ? AND query = ?",
            run,
            query,
        )
        return (row["cluster"], row["quota"]) if row else None

    def heads(self, run: str, rows: Sequence[int]) -> dict[int, str]:
        """How these rows begin, however long they are."""
        found = self._all(
            f"SELECT row, {first_bytes('instruction', str(LETTERS))} AS text FROM instructions"
            " WHERE pool = (SELECT pool FROM runs WHERE run = ?)"
            " AND row IN (SELECT value FROM json_each(?))",
            run,
            json.dumps(list(rows)),
        )
        return {row["row"]: _head(row) for row in found}


def _head(row: sqlite3.Row) -> str:
    return first_letters(row["text"], LETTERS) or ""


def _narrowed(faulty: bool, text: str) -> str:
    return (f" AND {FAULTY}" if faulty else "") + (TEXT if text else "")
