"""A pool with responses → good rows that cover it, and those that a model tuned on these fails."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from localsel.alpaca import before
from localsel.backends.base import Backend, Passage
from localsel.errors import UsageError
from localsel.methods.base import Lesson, Method, Pool, Progress, Remark, Step, Unscored
from localsel.methods.farthest import farthest
from localsel.methods.generating import TIMED, Writing
from localsel.methods.measuring import (
    Measuring,
    answered,
    key_of,
    measure,
    refuse_filtered,
    refuse_too_few,
    some_of,
)
from localsel.methods.scoring import LEARNING, losses_of
from localsel.records import Instruction, Pick, Vectors
from localsel.settings import Settings
from localsel.wording import counted

EPOCHS, BATCH = 3, 512
RATED_AS = 1
"""Raised whenever the same answer would be read otherwise than before."""
RATED = 24
"""Rows that a dry run rates."""

Ratings = Sequence[float | None]
Told = Progress | Remark | Unscored
Places = Generator[Told, None, list[int]]


class Mods(Writing):
    """Good rows, then a few that cover them, then those that a model tuned on the few still fails.

    1. Quality: rows whose own response is rated above --quality-above.
    2. Coverage: k-center greedy among them, --tune-rows of them, by default half of the budget.
    3. The model is tuned on these: 3 epochs, 512 rows a step, unless said otherwise.
    4. Necessity: it answers all the others, and rows whose answer is rated below --necessity-below
       are needed; of equally rated ones the earlier first.
    5. K-center greedy among these, away from the rows of step 2, for the rest of the budget.

    Where fewer are needed than wanted, the lowest rated of the others fill the budget, and the run
    says so. Rows of --given and --include are centres from the start.

    Source: Du et al. 2023, arXiv 2311.15653. `docs/methods.md` lists every difference from the
    released code.
    """

    about = "good rows that cover the pool, and those a model tuned on them fails (MoDS)"
    source = "arXiv 2311.15653"
    cost = "2 N ratings, N answers, 1 tuning"
    needs_vectors = True
    needs_responses = True
    needs_quality = True
    tunes = True
    draws = True
    options: ClassVar[tuple[str, ...]] = (
        *("quality_model", "quality_above", "necessity_below", "new_tokens"),
        *("tune_rows", "tune_epochs", "tune_rate", "tune_rank", "tune_batch", "tune_length"),
    )

    @classmethod
    def of(cls, settings: Settings) -> type[Method]:
        if (settings.tune_rows or 0) > settings.budget:
            raise UsageError(
                f"--tune-rows {settings.tune_rows:,} is more than the budget of"
                f" {settings.budget:,}, and all of them are picked.",
                "Leave some of the budget to the rows that the tuned model fails.",
            )
        return cls

    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        rated = yield from self.good(pool, budget)
        good = list(rated)
        seeds = self.seeds(pool, good, budget)
        chosen = (yield from self.rest(pool, good, seeds, budget)) if len(seeds) < budget else []
        for place in (*seeds, *chosen):
            row = pool.instructions[place].row
            yield Pick(row=row, chosen_by="method", score=rated[place])

    def rest(self, pool: Pool, good: Sequence[int], seeds: Sequence[int], budget: int) -> Places:
        """Places of what the tuned model fails, as many as the seeds leave of the budget."""
        others = sorted(set(good) - set(seeds))
        ratings = yield from self.necessity(pool, seeds, others)
        refuse_too_few(len(seeds) + sum(each is not None for each in ratings), budget)
        ordered = lowest(others, ratings)
        below = self.tools.settings.necessity_below
        needed = [place for place, rating in ordered if rating < below]
        yield Remark(f"The tuned model fails {len(needed):,} of {counted(len(others), 'row')}.")
        wanted = budget - len(seeds)
        if missing := max(0, wanted - len(needed)):
            picks = counted(missing, "pick")
            yield Remark(f"{picks} of rows that it does not fail: what it answers worst of those.")
        chosen = self.away(pool, seeds, needed, wanted)
        return [*chosen, *(place for place, _ in ordered[len(needed) :])][:wanted]

    def good(self, pool: Pool, budget: int) -> Generator[Told, None, dict[int, float]]:
        """Places of the rows whose own response is good enough, and how good it is."""
        places, without = answered(pool.instructions)
        if without:
            yield without
        rows = [pool.instructions[place] for place in places]
        ratings = yield from self.rated(rows, [each.response for each in rows])
        refuse_too_few(sum(rating is not None for rating in ratings), budget)
        least = self.tools.settings.quality_above
        above = {
            place: rating
            for place, rating in zip(places, ratings, strict=True)
            if rating is not None and rating > least
        }
        refuse_filtered(len(above), budget, "--quality-above", least)
        yield Remark(f"{len(above):,} of {counted(len(rows), 'row')} are rated above {least:g}.")
        return above

    def rated(self, rows: Sequence[Instruction], answers: Sequence[str]) -> Measuring[float]:
        """How good an answer to each row is: to its instruction and, below that, its input."""
        rater = self.tools.rater
        assert rater is not None
        pairs = [(row.text, answer) for row, answer in zip(rows, answers, strict=True)]
        return measure(
            self.tools.scores,
            f"quality/{RATED_AS}/{self.tools.rater_name}",
            [row.row for row in rows],
            [key_of(*pair) for pair in pairs],
            lambda places: rater.scores(pairs[place] for place in places),
        )

    def seeds(self, pool: Pool, good: Sequence[int], budget: int) -> list[int]:
        """Places of the rows to tune on, in the order of picking."""
        count = min(self.tools.settings.tune_rows or max(1, budget // 2), budget)
        assert pool.vectors is not None
        seed = self.tools.settings.seed
        found = farthest(pool.vectors[list(good)], count, seed, pool.given)
        return [good[int(place)] for place in found]

    def necessity(
        self, pool: Pool, seeds: Sequence[int], others: Sequence[int]
    ) -> Generator[Told, None, list[float | None]]:
        """How good the answers are that a model tuned on the seeds writes to the others."""
        assert self.tools.learner is not None
        settings = self.tools.settings
        taught = [pool.instructions[place] for place in seeds]
        lesson = Lesson(
            tuple((before(each), each.response) for each in taught),
            settings.tune_epochs or EPOCHS,
            settings.tune_batch or BATCH,
        )
        tuned = yield from self.tools.learner.tune(lesson)
        rows = [pool.instructions[place] for place in others]
        written = yield from self.written(rows, tuned.backend, tuned.digest)
        told = [place for place, answers in enumerate(written) if answers is not None]
        answers = [(written[place] or [""])[0] for place in told]
        ratings = yield from self.rated([rows[place] for place in told], answers)
        found = dict(zip(told, ratings, strict=True))
        return [found.get(place) for place in range(len(rows))]

    def away(
        self, pool: Pool, seeds: Sequence[int], needed: Sequence[int], wanted: int
    ) -> list[int]:
        """Of the rows that are needed, those farthest from the seeds and from each other."""
        if not needed:
            return []
        assert pool.vectors is not None
        centres: list[Vectors] = [pool.vectors[list(seeds)]]
        if pool.given is not None:
            centres.append(pool.given)
        ordered = sorted(needed)
        given = np.concatenate(centres)
        count = min(wanted, len(ordered))
        found = farthest(pool.vectors[ordered], count, self.tools.settings.seed, given)
        return [ordered[int(place)] for place in found]

    def estimate(self, pool: Pool) -> Mapping[str, object]:
        """As if every response were good: how many are, only the ratings say."""
        places, _ = answered(pool.instructions)
        rows = [pool.instructions[place] for place in places]
        settings = self.tools.settings
        assert self.tools.learner is not None
        started = time.perf_counter()
        some = some_of(rows, RATED)
        list(self.rated_anew(some))
        rating = (time.perf_counter() - started) / max(len(some), 1)
        with self.tools.learner.untuned() as backend:
            facts = self.estimated(rows, backend)
            reading = seconds_to_read(backend, some_of(rows, TIMED), settings.tune_length)
        taught = settings.tune_rows or max(1, settings.budget // 2)
        tuning = LEARNING * reading * taught * (settings.tune_epochs or EPOCHS)
        spent = float(str(facts["choose_seconds"])) + 2 * rating * len(rows) + tuning
        return {**facts, "choose_seconds": round(spent, 1)}

    def rated_anew(self, rows: Sequence[Instruction]) -> Iterator[object]:
        """What rating these responses yields, whatever is known of them."""
        assert self.tools.rater is not None
        return self.tools.rater.scores((each.text, each.response) for each in rows)


def lowest(places: Sequence[int], ratings: Ratings) -> list[tuple[int, float]]:
    """Each place with its rating, the lowest first; those without are left out."""
    rated = [
        (place, rating) for place, rating in zip(places, ratings, strict=True) if rating is not None
    ]
    return sorted(rated, key=lambda each: each[1])


def seconds_to_read(backend: Backend, rows: Sequence[Instruction], length: int) -> float:
    """Of a row with its response."""
    passages = [Passage((before(each),), each.response) for each in rows]
    started = time.perf_counter()
    list(losses_of(backend, passages, length))
    return (time.perf_counter() - started) / max(len(rows), 1)
