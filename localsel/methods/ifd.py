"""A pool with responses and a model → the rows whose instruction helps the model least.

The variants: `cherry`, the ratio of mean losses; `superfiltering`, that of perplexities by a small
model, then the most typical of the best.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import ClassVar

from localsel.backends.base import Backend
from localsel.methods.base import Lesson, Method, Pool, Progress, Remark, Step, Unscored
from localsel.methods.experience import BATCH, EPOCHS, ROWS, experience
from localsel.methods.facility import facility_location
from localsel.methods.measuring import answered, best, refuse_too_few
from localsel.methods.scoring import LEARNING, Scoring
from localsel.records import Instruction, Pick
from localsel.settings import Settings
from localsel.wording import counted

SHARE = 0.2
"""Of the rows by their ratio, among whom the most typical are taken."""

Scores = Generator[Progress | Remark | Unscored, None, list[list[float] | None]]


class Ifd(Scoring):
    """The largest ratio of the answer's mean loss after its instruction to that after none.

    Both are over the same tokens of the answer; without the instruction it stands after the header
    of the response. A ratio above 1 says that the instruction misleads: such rows are picked only
    where the others do not fill the budget, the smallest ratio first. With --pre-experience the
    model is first tuned on a few diverse rows of the pool, as in the paper.

    Source: Li et al. 2023 (Cherry LLM), arXiv 2308.12032. `docs/methods.md` lists every difference
    from the released code.
    """

    about = "the instruction helps least: loss ratio (IFD)"
    source = "arXiv 2308.12032"
    cost = "2 N passes"
    needs_responses = True
    options: ClassVar[tuple[str, ...]] = ("variant", "pre_experience", "tune_length")
    variants: ClassVar[tuple[str, ...]] = ("cherry", "superfiltering")

    @classmethod
    def of(cls, settings: Settings) -> type[Method]:
        if settings.variant == "superfiltering":
            return Superfiltering
        return Experienced if settings.pre_experience else cls

    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        places, without = answered(pool.instructions)
        if without:
            yield without
        losses = yield from self.scored([pool.instructions[place] for place in places], pool)
        ratios = [None if each is None else self.ratio(*each) for each in losses]
        chosen = self.chosen(ratios, budget, pool, places)
        helped = sum(ratio is not None and self.helps(ratio) for ratio in ratios)
        if helped < budget:
            rows = counted(helped, "row")
            yield Remark(f"The instruction helps in {rows}: the other picks are those next to it.")
        for place in chosen:
            row = pool.instructions[places[place]].row
            yield Pick(row=row, chosen_by="method", score=ratios[place])

    def scored(self, instructions: Sequence[Instruction], pool: Pool) -> Scores:
        """Losses after the instruction and without it."""
        assert self.tools.backend is not None
        return (yield from self.losses(instructions, self.tools.backend, self.tools.selector))

    def ratio(self, after: float, alone: float) -> float:
        """Of the mean losses. An answer that is certain without any instruction needs none."""
        return after / alone if alone else math.inf

    def helps(self, ratio: float) -> bool:
        """Whether the instruction makes the answer more probable, or leaves it as it is."""
        return ratio <= 1

    def chosen(
        self, ratios: Sequence[float | None], budget: int, pool: Pool, places: Sequence[int]
    ) -> list[int]:
        """Places in `ratios`, best first."""
        helped = [None if ratio is None or not self.helps(ratio) else ratio for ratio in ratios]
        inside = sum(ratio is not None for ratio in helped)
        if inside >= budget:
            return best(helped, budget)
        refuse_too_few(sum(ratio is not None for ratio in ratios), budget)
        others = [
            None if kept is not None else all_ for kept, all_ in zip(helped, ratios, strict=True)
        ]
        return [*best(helped, inside), *best(others, budget - inside, largest=False)]


class Experienced(Ifd):
    """The same, by a model that was tuned on a few diverse rows of the pool."""

    cost = "3 N passes, 1 tuning"
    needs_vectors = True
    tunes = True
    draws = True
    options: ClassVar[tuple[str, ...]] = (
        *Ifd.options,
        *("tune_rows", "tune_epochs", "tune_rate", "tune_rank", "tune_batch"),
    )

    def _estimate(self, pool: Pool, backend: Backend) -> Mapping[str, object]:
        """Both passes, the one over the instructions, and the lesson, of average rows."""
        facts, settings = super()._estimate(pool, backend), self.tools.settings
        places, _ = answered(pool.instructions)
        taught = min(settings.tune_rows or ROWS, len(places)) * (settings.tune_epochs or EPOCHS)
        # One of the two passes reads a row once; learning from it takes three times that.
        once = float(str(facts["choose_seconds"])) / 2
        spent = once * (3 + LEARNING * taught / max(len(places), 1))
        return {**facts, "choose_seconds": round(spent, 1)}

    def scored(self, instructions: Sequence[Instruction], pool: Pool) -> Scores:
        assert self.tools.learner is not None
        rows = yield from experience(self, pool)
        settings = self.tools.settings
        if len(rows) < (wanted := settings.tune_rows or ROWS):
            most = f"{counted(len(rows), 'row')} to tune on instead of {wanted:,}"
            yield Remark(f"{most}: the clusters have no more that are neither easy nor hard.")
        lesson = Lesson(rows, settings.tune_epochs or EPOCHS, settings.tune_batch or BATCH)
        tuned = yield from self.tools.learner.tune(lesson)
        return (yield from self.losses(instructions, tuned.backend, tuned.digest))


class Superfiltering(Ifd):
    """The ratio of perplexities by a small model as it is, then the most typical of the best.

    Strictly below 1; of the fifth with the largest ratios, or of as many as the budget if that is
    more, facility location takes those that all others are near to.

    Source: Li et al. 2024 (Superfiltering), arXiv 2402.00530, with its second stage (.D).
    """

    source = "arXiv 2402.00530"
    needs_vectors = True
    embeds_responses = True
    options: ClassVar[tuple[str, ...]] = ("variant", "tune_length")

    def ratio(self, after: float, alone: float) -> float:
        """Of the perplexities."""
        return math.exp(after - alone)

    def helps(self, ratio: float) -> bool:
        return ratio < 1

    def chosen(
        self, ratios: Sequence[float | None], budget: int, pool: Pool, places: Sequence[int]
    ) -> list[int]:
        helped = sum(ratio is not None and self.helps(ratio) for ratio in ratios)
        if helped <= budget:
            return super().chosen(ratios, budget, pool, places)
        count = min(helped, max(budget, math.ceil(SHARE * len(ratios))))
        first = super().chosen(ratios, count, pool, places)
        assert pool.vectors is not None
        vectors = pool.vectors[[places[place] for place in first]]
        return [first[place] for place in facility_location(vectors, budget)]
