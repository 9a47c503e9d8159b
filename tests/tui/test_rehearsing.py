"""A dry run, followed: what it tells, what it refuses, and that nobody goes on unheard."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from localsel.events import Event
from localsel.tui.child import RefusedError
from localsel.tui.rehearsing import costs, doing, plans_in, rehearse, shape


async def told(home: Path, *line: str) -> list[Event]:
    async with aclosing(rehearse(line, home)) as events:
        return [event async for event in events]


def test_it_ends_with_a_plan(embedded: Path, example_pool: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(embedded, tmp_path / "own"))
    line = ("run", "--budget=9", "--model=first", "--", str(example_pool))
    *before, last = asyncio.run(told(home, *line))
    assert "Embedding 481 of 481 rows" in [doing(event) for event in before]
    (plan,) = plans_in(last).values()
    assert plan["budget"] == 9
    assert shape(plans_in(last)).endswith("9 picks of 481 rows.")
    assert f"{plan['prompt_tokens']:,} tokens" in costs(plan)


def test_a_refusal_has_its_words_and_code(example_pool: Path, tmp_path: Path) -> None:
    line = ("run", "--budget=9", "--model=none", "--", str(example_pool))
    with pytest.raises(RefusedError, match="There is no model none") as refused:
        asyncio.run(told(tmp_path / "own", *line))
    assert refused.value.exit_code == 3


def test_whoever_stops_listening_ends_it(example_pool: Path, tmp_path: Path) -> None:
    async def listen() -> None:
        line = ("run", "--budget=9", "--model=first", "--", str(example_pool))
        async with aclosing(rehearse(line, tmp_path / "own")) as events:
            async for _ in events:
                break

    before = psutil.Process().children()
    asyncio.run(listen())
    assert set(psutil.Process().children()) <= set(before)
