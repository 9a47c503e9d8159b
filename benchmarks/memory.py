"""How much more memory than a run of one model does a comparison of two of its size take?

Both models have Qwen2-0.5B's shape and random weights. Memory is the PSS of the command and all its
children, so that what they share counts once; the peak is the largest of what was seen every 50 ms.
The vectors of the texts are there before, so that no embedding hides what the models take.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks._measure import example_rows
from benchmarks._model import QWEN, Shape, parameters, random_model
from localsel.errors import LocalselError

LIMIT = 1.25
EVERY = 0.05
# Two questions of 14 candidates for each model: memory is at its height with the first.
TEXTS, QUESTIONS = 28, 2


def run(threads: int = 2, shape: Shape = QWEN) -> dict[str, Any]:
    """Peaks in bytes, and the comparison's as a multiple of the single run's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [made(folder / f"model-{seed}", seed, shape) for seed in range(2)]
        data = folder / "pool.jsonl"
        lines = map(json.dumps, example_rows()[:TEXTS])
        data.write_text("\n".join(lines), encoding="utf-8")
        shared = [str(data), "--budget", str(QUESTIONS), "--grouping", "random"]
        shared += ["--clusters", str(QUESTIONS), "--near-duplicates", "off", "--orders", "1"]
        shared += ["--threads", str(threads), "--workspace", str(folder / "workspace")]
        peak(["run", *shared, "--model", "first"])
        asked = [word for model in models for word in ("--model", str(model))]
        both = peak(["compare", *shared, "--queries", str(QUESTIONS), *asked, "--resume", "never"])
        alone = peak(["run", *shared, *asked[-2:], "--resume", "never"])
        size = models[0].stat().st_size
    return {
        "benchmark": "memory",
        "model": shape.name,
        "parameters": parameters(shape),
        "model_bytes": size,
        "peak_bytes": {"compare, two models": both, "run, one model": alone},
        "ratio": round(both / alone, 3),
        "limit": LIMIT,
        "within_limit": both <= LIMIT * alone,
    }


def made(folder: Path, seed: int, shape: Shape) -> Path:
    folder.mkdir()
    return random_model(folder, seed, shape)


def peak(line: Sequence[str]) -> int:
    """The most memory that `localsel` and all that it starts had at one time.

    Raises:
        LocalselError: it failed.
    """
    most = 0
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "localsel", *line, "--display", "none"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        ) as process,
    ):
        whole = psutil.Process(process.pid)
        while process.poll() is None:
            most = max(most, sum(map(pss, family(whole))))
            time.sleep(EVERY)
        if process.returncode:
            said.seek(0)
            raise LocalselError(f"`localsel {line[0]}` failed: {said.read().strip()[-300:]}")
    return most


def family(parent: psutil.Process) -> list[psutil.Process]:
    try:
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def pss(process: psutil.Process) -> int:
    """What is its own, and its part of what it shares; 0 once it has ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    peaks = result["peak_bytes"]
    alone = peaks["run, one model"]
    rows: list[list[object]] = [
        [name, round(peak / 2**20), round(peak / alone, 3)] for name, peak in peaks.items()
    ]
    head = f"{result['model']}, {result['parameters'] / 1e6:,.0f} million weights"
    return [head, "peak MiB", "times one"], rows
