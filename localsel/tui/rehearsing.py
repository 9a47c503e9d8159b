"""A command line → what its dry run tells as it goes, and the plan that it ends with."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from localsel.events import Event
from localsel.printable import visible
from localsel.tui.child import put_down, refused
from localsel.wording import counted, duration

LONGEST = 2**24
"""Bytes of one event; a warning quotes what it is about."""

DOING = {
    "load": "Reading the data",
    "embed": "Embedding",
    "index": "Looking for near-duplicates",
    "cluster": "Clustering",
    "plan": "Making the queries",
    "choose": "Timing three queries",
}

Plans = Mapping[str, Mapping[str, Any]]
"""By selector; of a run without one the name is empty."""


async def rehearse(line: Sequence[str], home: Path) -> AsyncGenerator[Event, None]:
    """Yields the events of `--dry-run`; whoever stops listening ends it.

    Raises:
        RefusedError: what the run itself would say.
    """
    with tempfile.TemporaryFile() as said:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "localsel", line[0]),
            *("--dry-run", "--display=json", f"--workspace={home}", *line[1:]),
            env=os.environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            limit=LONGEST,
            start_new_session=True,
        )
        assert child.stdout
        try:
            async for text in child.stdout:
                yield Event.from_json(json.loads(text))
            code = await child.wait()
        except BaseException:
            await put_down(child)
            raise
        if code:
            said.seek(0)
            raise refused(said.read().decode("utf-8", "replace"), code)


def plans_in(event: Event) -> Plans:
    """The plans that the last event holds; of any other, none."""
    details: Any = event.details
    if event.event != "done":
        return {}
    plans: Plans = details["plans"] if "plans" in details else {"": details["plan"]}
    return plans


def doing(event: Event | None) -> str:
    """What a dry run is busy with: `Embedding 12,000 of 52,002 rows`."""
    if event is None:
        return "Starting"
    whose = visible(event.details.get("selector", ""))
    says = DOING.get(event.stage, "Planning")
    if event.stage == "embed" and event.total:
        says += f" {event.done:,} of {event.total:,} rows"
    return f"{says} for {whose}" if whose and event.stage == "choose" else says


def shape(plans: Plans) -> str:
    """What all selectors will be asked, in one sentence."""
    plan = next(iter(plans.values()))
    if "queries" not in plan:
        return f"{counted(plan['budget'], 'pick')} of {counted(plan['open_rows'], 'row')}."
    parts = [
        counted(plan["clusters"], "cluster"),
        counted(plan["queries"], "query", "queries"),
        f"{counted(plan['candidates_shown'], 'candidate')} shown",
    ]
    return f"{', '.join(parts)}, {counted(plan['budget'], 'pick')} of {plan['open_rows']:,} rows."


def costs(plan: Mapping[str, Any]) -> str:
    """What one selector costs: tokens, time, memory."""
    memory = f"{plan['peak_memory'] / 2**20:,.0f} MiB"
    if "choose_seconds" not in plan:
        return memory
    lasts = f"about {duration(plan['choose_seconds'])}"
    if "prompt_tokens" not in plan:
        return f"{lasts} {memory:>10}"
    short = plan.get("shortened", 0)
    cut = f" {short:,} shortened" if short else ""
    tokens = f"{plan['prompt_tokens']:,}"
    return f"{tokens:>10} tokens {lasts:>13} {memory:>10}{cut}"
