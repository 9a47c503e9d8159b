"""Pieces of work → CPU seconds of each, taken in turns within one process."""

from __future__ import annotations

import json
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from localsel import settings
from localsel.stages.load import BadRow, open_rows

Work = Callable[[], object]


def spent() -> float:
    """CPU seconds so far of this process and of the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def cpu(work: Work) -> float:
    """CPU seconds of one piece of work, over all its threads."""
    before = spent()
    work()
    return spent() - before


def in_turns(works: Mapping[str, Work], start: int) -> dict[str, float]:
    """CPU seconds of each; who begins depends on `start`, so that no one is always first."""
    names = list(works)
    order = names[start % len(names) :] + names[: start % len(names)]
    return {name: cpu(works[name]) for name in order}


def median(rounds: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in rounds)


def median_ratio(rounds: list[dict[str, float]], name: str, base: str) -> float:
    """Of the ratios within each round: whatever else the machine did then, both felt it."""
    return statistics.median(each[name] / each[base] for each in rounds)


def example_rows() -> list[dict[str, str]]:
    """The example pool as it stands in its file."""
    path: Path = settings.resource("examples") / "pool.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts_of(data: Path | None) -> list[str]:
    """The distinct texts of a file of instructions, or of the example pool."""
    path = data or settings.resource("examples") / "pool.jsonl"
    _, rows = open_rows(path)
    found = [
        f"{row.instruction}\n{row.input}".strip() for row in rows if not isinstance(row, BadRow)
    ]
    return list(dict.fromkeys(found))
