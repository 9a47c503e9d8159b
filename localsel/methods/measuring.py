"""Rows and what is to be measured of each → its value, from an earlier run where that is known.

A value that could not be had is missing, never 0: the row is named with the reason, and no method
picks it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from localsel.errors import AnswerError, LocalselError, UsageError
from localsel.methods.base import Progress, Scores, Unscored
from localsel.records import Instruction

T = TypeVar("T")
Measuring: TypeAlias = Generator[Progress | Unscored, None, list[T | None]]

AT_ONCE = 4096
"""Rows that one call is for; a backend makes batches of them."""
SECONDS = 2.0
"""Between two times that values are kept. Killed, a run loses what came since, and the batch that
its backend was at."""

NO_RESPONSE = "it has no response"


def key_of(*parts: str) -> bytes:
    """The digest of the texts that a value depends on."""
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "replace")).digest()


def measure(
    scores: Scores,
    name: str,
    rows: Sequence[int],
    keys: Sequence[bytes],
    compute: Callable[[Sequence[int]], Iterable[T | AnswerError]],
) -> Measuring[T]:
    """The value of each place in `rows`; None where there is none.

    Args:
        name: the measure, with all that a value depends on beside the row itself: model, limits.
        rows: row numbers, for those that have no value.
        keys: the digest of what is measured of each.
        compute: values of these places, in their order.
    """
    known = scores.known(name, keys)
    values: list[T | None] = [known.get(key) for key in keys]
    # Of equal texts one is measured.
    missing = list({key: place for place, key in enumerate(keys) if key not in known}.values())
    reasons: dict[bytes, str] = {}
    done = len(keys) - len(missing)
    yield Progress(done, len(keys))
    for place, value in _kept(scores, name, keys, missing, compute):
        if isinstance(value, AnswerError):
            reasons[keys[place]] = value.message
        else:
            values[place] = value
        done += 1
        yield Progress(done, len(keys))
    found = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    if reasons:
        yield Unscored(
            {row: reasons[key] for row, key in zip(rows, keys, strict=True) if key in reasons}
        )
    return [found.get(key) for key in keys]


def without_reasons(steps: Measuring[T]) -> Generator[Progress, None, list[T | None]]:
    """The same, where a row without a value is none the worse for it."""
    while True:
        try:
            step = next(steps)
        except StopIteration as ended:
            values: list[T | None] = ended.value
            return values
        if isinstance(step, Progress):
            yield step


def _kept(
    scores: Scores,
    name: str,
    keys: Sequence[bytes],
    missing: Sequence[int],
    compute: Callable[[Sequence[int]], Iterable[T | AnswerError]],
) -> Iterator[tuple[int, T | AnswerError]]:
    """Each place with its value; values are kept every few seconds, and when somebody stops."""
    fresh: dict[bytes, Any] = {}
    ahead, since = iter(missing), time.monotonic()
    try:
        while some := list(islice(ahead, AT_ONCE)):
            for place, value in zip(some, compute(some), strict=True):
                if not isinstance(value, AnswerError):
                    fresh[keys[place]] = value
                if fresh and time.monotonic() - since > SECONDS:
                    scores.keep(name, fresh)
                    fresh, since = {}, time.monotonic()
                yield place, value
    finally:
        if fresh:
            scores.keep(name, fresh)


def answered(instructions: Sequence[Instruction]) -> tuple[list[int], Unscored | None]:
    """Places of the rows that have a response; the others have no score."""
    places = [place for place, each in enumerate(instructions) if each.response.strip()]
    without = [each.row for each in instructions if not each.response.strip()]
    return places, Unscored(dict.fromkeys(without, NO_RESPONSE)) if without else None


def some_of(things: Sequence[T], count: int) -> list[T]:
    """`count` of them in their order, from all over; all where there are no more."""
    count = min(count, len(things))
    return [things[turn * len(things) // count] for turn in range(count)]


def best(values: Sequence[float | None], budget: int, largest: bool = True) -> list[int]:
    """Places of the `budget` largest or smallest values, best first; of equal ones the first.

    Raises:
        LocalselError: fewer rows than that have a value.
    """
    sign = -1 if largest else 1
    scored = [place for place, value in enumerate(values) if value is not None]
    refuse_too_few(len(scored), budget)
    return sorted(scored, key=lambda place: sign * (values[place] or 0.0))[:budget]


def refuse_too_few(scored: int, budget: int) -> None:
    """Raises LocalselError where fewer rows have a score than are wanted."""
    if scored < budget:
        raise LocalselError(
            f"Only {scored:,} rows have a score, fewer than the budget of {budget:,}.",
            "`left_out` in the record says why the others have none.",
        )


def refuse_filtered(left: int, budget: int, flag: str, value: float) -> None:
    """Raises UsageError where a threshold leaves fewer rows than are wanted."""
    if left < budget:
        raise UsageError(
            f"{flag} {value:g} leaves {left:,} rows, fewer than the budget of {budget:,}.",
            f"Give another {flag}, or a smaller --budget.",
        )
