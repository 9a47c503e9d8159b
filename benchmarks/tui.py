"""How soon do the screens come up, and how do they scroll through a pool of a million rows?

First paint is on the clock, from the start of the process to the first words on a terminal, beside
`python -c "import textual"`; both take turns. The pool is opened and scrolled in a process of its
own, whose memory is the peak of all it does.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App

from benchmarks._measure import example_rows
from localsel.errors import LocalselError
from localsel.records import Instruction, text_digest
from localsel.store import Store
from localsel.tui.widgets.table import Table

MILLION = 1_000_000
POOL = "benchmark"
PRESSES = 100
FIRST_WORDS = b"Workspace"
PATIENCE = 60.0
LIMITS = {
    "paint_ratio": 2.0,
    "open_seconds": 3.0,
    "page_down_p95_seconds": 0.05,
    "peak_memory_bytes": 300 * 2**20,
}


def run(rows: int = MILLION, rounds: int = 5) -> dict[str, Any]:
    """Medians over `rounds` of first paint; of every 100 page-downs the 95th percentile."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "localsel"
        make_workspace(home, rows)
        paints = [(import_textual(), first_paint(home)) for _ in range(rounds + 1)][1:]
        scrolled = scroll(home)
    return {
        "benchmark": "tui",
        "rows": rows,
        "rounds": rounds,
        "import_textual_seconds": statistics.median(alone for alone, _ in paints),
        "paint_seconds": statistics.median(paint for _, paint in paints),
        "paint_ratio": round(statistics.median(paint / alone for alone, paint in paints), 3),
        **scrolled,
        "limits": LIMITS,
    }


def make_workspace(home: Path, rows: int) -> None:
    """A pool of distinct rows like those of the example, and no run of it."""
    texts = islice(cycle(example_rows()), rows)
    with (
        closing(Store(home)) as store,
        store.add_pool(POOL, home / "pool.jsonl", "", "made up") as pool,
    ):
        for row, each in enumerate(texts):
            instruction = Instruction(row, f"{row}: {each['instruction']}", each.get("input", ""))
            columns = {**each, "instruction": instruction.instruction}
            pool.add(instruction, text_digest(instruction.text), columns)


def import_textual() -> float:
    """Seconds that Python takes to start, and to import what draws the screens."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import textual"], check=True)
    return time.perf_counter() - started


def first_paint(home: Path) -> float:
    """Seconds from the start of `localsel` to its first words on a terminal of its own."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-P", "-m", "localsel"]
    started = time.perf_counter()
    # The usual workspace, as most people have it.
    environment = os.environ | {"TERM": "xterm-256color", "XDG_DATA_HOME": str(home.parent)}
    with subprocess.Popen(
        line, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            _wait_for_words(ours, started)
            return time.perf_counter() - started
        finally:
            process.kill()
            os.close(ours)


def _wait_for_words(terminal: int, started: float) -> None:
    seen = b""
    while FIRST_WORDS not in seen:
        left = PATIENCE - (time.perf_counter() - started)
        if left <= 0 or not select.select([terminal], [], [], left)[0]:
            raise LocalselError("`localsel` has painted nothing within a minute.")
        try:
            seen += os.read(terminal, 2**16)
        except OSError as error:  # the terminal was left
            said = seen[-300:].decode("utf-8", "replace")
            raise LocalselError(f"`localsel` ended before it painted: {said}") from error


def scroll(home: Path) -> dict[str, Any]:
    """What a process of its own measures of opening the pool and paging through it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tui", str(home)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def _scrolled(home: Path) -> dict[str, Any]:
    """Opens the pool as a person does, and turns pages at its beginning, middle and end."""
    from localsel.tui.app import Localsel
    from localsel.tui.screens.pool import PoolScreen

    app = Localsel(home)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.page("workspace").query_one("#pools").focus()
        await pilot.pause()
        started = time.perf_counter()
        await pilot.press("enter")
        while not (isinstance(app.screen, PoolScreen) and app.screen.table.line(0)):
            await pilot.pause(0.01)
        opened = time.perf_counter() - started
        table = app.screen.table
        spent: list[float] = []
        for place in (0, len(table.source) // 2, max(len(table.source) - 50 * PRESSES, 0)):
            table.cursor = place
            await pilot.pause()
            spent += [await page_down(app, table) for _ in range(PRESSES)]
        await pilot.press("G")
        assert table.cursor == len(table.source) - 1
    return {
        "open_seconds": round(opened, 4),
        "page_down_median_seconds": round(statistics.median(spent), 4),
        "page_down_p95_seconds": round(percentile(spent, 95), 4),
        "peak_memory_bytes": peak_memory(),
    }


async def page_down(app: App[None], table: Table) -> float:
    """Seconds from the key to the end of the frame that shows the next page.

    The pilot's own `press` waits longer than that, until nothing happens any more.
    """
    before, painted = table.cursor, asyncio.Event()
    pressed = time.perf_counter()
    app.post_message(events.Key("pagedown", None))
    while table.cursor == before:
        await asyncio.sleep(0)
    app.screen.call_after_refresh(painted.set)
    await painted.wait()
    return time.perf_counter() - pressed


def percentile(values: Sequence[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def peak_memory() -> int:
    """The most memory that this process ever had, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = [
        ["first paint, times `import textual`", result["paint_ratio"], LIMITS["paint_ratio"]],
        ["opening the pool, s", result["open_seconds"], LIMITS["open_seconds"]],
        ["page-down, median, s", result["page_down_median_seconds"], ""],
        ["page-down, 95 of 100, s", result["page_down_p95_seconds"], 0.05],
        ["peak memory, MiB", round(result["peak_memory_bytes"] / 2**20), 300],
    ]
    return [f"{result['rows']:,} rows", "measured", "limit"], rows


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_scrolled(Path(sys.argv[1])))))
