"""A pool with responses and a model → the rows whose responses it rates highest, from 0 to 5.

The variants: `accuracy`, and `helpfulness`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from localsel.errors import UsageError
from localsel.methods.base import Method, Pool, Remark, Step
from localsel.methods.measuring import answered, refuse_filtered, refuse_too_few
from localsel.methods.rating import Parts, Rating, expected, pair
from localsel.records import Pick
from localsel.settings import Settings

OPTIONS = ("0", "1", "2", "3", "4", "5")
"""The ratings, as its templates have them."""


class AlpaGasus(Rating):
    """The highest rating of a response by one thing, its accuracy or its helpfulness.

    The rating is the most probable of 0 to 5. Ratings are few and rows many, so that most are
    equal to others: the expected value over all six decides among these, then the order of the
    file. --threshold keeps the rows whose rating is at least that (the paper: 4.5, which of whole
    numbers is 5), and changes nothing in their order; it is an error if they do not fill the
    budget.

    Source: Chen et al. 2023 (AlpaGasus), arXiv 2307.08701. Otherwise than there, any model rates
    and not ChatGPT; the question is in our words, without a system message and without a
    justification after the rating; the model is held to a rating, so none is unreadable and taken
    for -1; and there is a budget.
    """

    about = "the highest rating of the response, 0 to 5"
    source = "arXiv 2307.08701"
    cost = "N calls"
    options: ClassVar[tuple[str, ...]] = ("variant", "threshold")
    variants: ClassVar[tuple[str, ...]] = ("accuracy", "helpfulness")
    templates: ClassVar[tuple[str, ...]] = ("ratings/accuracy",)
    questions: ClassVar[Mapping[str, Parts]] = {"ratings/accuracy": pair}

    @classmethod
    def of(cls, settings: Settings) -> type[Method]:
        """
        Raises:
            UsageError: no row could be rated as high as the threshold.
        """
        if settings.threshold is not None and settings.threshold > float(OPTIONS[-1]):
            raise UsageError(
                f"--threshold {settings.threshold:g} is more than any rating.",
                f"The highest rating is {OPTIONS[-1]}.",
            )
        return Helpfulness if settings.variant == "helpfulness" else cls

    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        places, without = answered(pool.instructions)
        if without:
            yield without
        (found,) = yield from self.ratings([pool.instructions[place] for place in places])
        rated = [
            Rated.of(place, likely)
            for place, likely in zip(places, found, strict=True)
            if likely is not None
        ]
        refuse_too_few(len(rated), budget)
        whole, mean = tied([each.rating for each in rated]), tied([each.mean for each in rated])
        yield Remark(
            f"{whole:.1%} of the rows have the rating of another row; {mean:.1%} its expected"
            " value, too."
        )
        threshold = self.tools.settings.threshold
        if threshold is not None:
            rated = [each for each in rated if each.rating >= threshold]
            refuse_filtered(len(rated), budget, "--threshold", threshold)
        for each in sorted(rated, key=lambda each: (-each.rating, -each.mean))[:budget]:
            row = pool.instructions[each.place].row
            yield Pick(row=row, chosen_by="method", score=each.mean)


class Helpfulness(AlpaGasus):
    """The same, by how helpful the response is."""

    templates: ClassVar[tuple[str, ...]] = ("ratings/helpfulness",)
    questions: ClassVar[Mapping[str, Parts]] = {"ratings/helpfulness": pair}


@dataclass(frozen=True, slots=True)
class Rated:
    """A row by its place in the pool: its most probable rating, and the expected value of all."""

    place: int
    rating: int
    mean: float

    @classmethod
    def of(cls, place: int, likely: Sequence[float]) -> Rated:
        """Of equally probable ratings the lowest."""
        rating = int(OPTIONS[max(range(len(likely)), key=likely.__getitem__)])
        return cls(place, rating, expected(likely, OPTIONS))


def tied(values: Sequence[float]) -> float:
    """The share of values that occur more than once."""
    counts = Counter(values)
    return sum(count for count in counts.values() if count > 1) / max(len(values), 1)
