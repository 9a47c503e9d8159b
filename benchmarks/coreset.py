"""Made-up sentence vectors → how much less CPU `localsel.kcenter` takes than the papers' loop.

Both pick k of n in one process, one after the other, warm at full shape; CPU seconds are summed
over all threads, and the picks must be the same.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from localsel.coreset import KCenter, kcenter
from localsel.errors import LocalselError

LARGE = 500_000
MEMORY_LIMIT_GB = 6.0

Result = TypeVar("Result")


def sentence_like(n: int, d: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors [n, d] as sentence embeddings lie: many topics of unequal size and width.

    The axes carry unequal shares of the variance, and one row in fifty belongs to no topic.
    """
    rng = np.random.default_rng(seed)
    axes = np.linspace(1.5, 0.5, d, dtype=np.float32)
    topics = rng.standard_normal((max(2, n // 100), d), dtype=np.float32)
    vectors = np.empty((n, d), np.float32)
    for start in range(0, n, 10_000):  # in parts: at 500,000 rows memory is what is measured
        part = vectors[start : start + 10_000]
        topic = (len(topics) * rng.random(len(part)) ** 2).astype(np.int64)
        width = rng.uniform(0.3, 1.0, (len(part), 1)).astype(np.float32)
        stray = rng.random((len(part), 1)) < 0.02
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        part[:] = (np.where(stray, 0, topics[topic]) + width * noise) * axes
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def plain_loop(vectors: NDArray[np.float32], k: int, seed: int) -> tuple[list[int], float]:
    """The k picks and their radius by the papers' code: every distance to each centre in turn."""
    from sklearn.metrics import pairwise_distances

    picks = [int(np.random.default_rng(seed).integers(len(vectors)))]
    nearest = np.full(len(vectors), np.inf, np.float32)
    while True:
        newest = vectors[picks[-1]].reshape(1, -1)
        nearest = np.minimum(nearest, pairwise_distances(vectors, newest).ravel())
        if len(picks) == k:
            return picks, float(nearest.max())
        picks.append(int(nearest.argmax()))


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """The result, CPU seconds over all threads, and seconds on the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - clock


def blas_threads() -> int:
    """How many threads the loop's matrix products may use; scikit-learn brings threadpoolctl."""
    pools = importlib.import_module("threadpoolctl").threadpool_info()
    return max((int(pool["num_threads"]) for pool in pools), default=1)


def run(
    n: int = 52_000,
    k: int = 1000,
    d: int = 384,
    seed: int = 0,
    repeats: int = 3,
    large: bool = False,
) -> dict[str, object]:
    """Both ways on the same vectors; with `large` also 500,000 rows in a process of their own.

    `kcenter` is the median of `repeats` runs and also labels every row, which the loop does not.
    Raises if the picks differ.
    """
    vectors = sentence_like(n, d, seed)
    _, first_cpu, _ = timed(lambda: kcenter(vectors, k, seed))
    ours = [timed(lambda: kcenter(vectors, k, seed)) for _ in range(repeats)]
    found: KCenter = ours[0][0]
    cpu = statistics.median(seconds for _, seconds, _ in ours)
    plain_loop(vectors, 3, seed)
    (picks, radius), loop_cpu, loop_clock = timed(lambda: plain_loop(vectors, k, seed))
    if found.centres.tolist() != picks or not np.isclose(found.radius, radius, rtol=1e-6):
        raise LocalselError("kcenter and the plain loop disagree.", "Please report this.")
    result: dict[str, object] = {
        "benchmark": "coreset",
        "n": n,
        "k": k,
        "d": d,
        "seed": seed,
        "cpus": os.cpu_count(),
        "kcenter_threads": 1,
        "loop_blas_threads": blas_threads(),
        "ratio": round(loop_cpu / cpu, 1),
        "ratio_worst_repeat": round(loop_cpu / max(seconds for _, seconds, _ in ours), 1),
        "kcenter_cpu_seconds": round(cpu, 3),
        "kcenter_clock_seconds": round(statistics.median(clock for _, _, clock in ours), 3),
        "kcenter_first_call_cpu_seconds": round(first_cpu, 3),
        "loop_cpu_seconds": round(loop_cpu, 3),
        "loop_clock_seconds": round(loop_clock, 3),
        "picks_equal": True,
        "radius": found.radius,
    }
    return {**result, "large": in_own_process(LARGE, k, d, seed)} if large else result


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = [[key.replace("_", " "), value] for key, value in result.items()]
    return ["coreset", ""], rows


def in_own_process(n: int, k: int, d: int, seed: int) -> dict[str, object]:
    """What `alone` says in a fresh process, so that the peak of memory is its own."""
    command = [sys.executable, str(Path(__file__)), "--alone"]
    sizes = [f"--n={n}", f"--k={k}", f"--d={d}", f"--seed={seed}"]
    done = subprocess.run(command + sizes, check=True, stdout=subprocess.PIPE, text=True)
    said: dict[str, object] = json.loads(done.stdout)
    return said


def alone(n: int, k: int, d: int, seed: int) -> dict[str, object]:
    """One run of `kcenter` without the loop: CPU seconds and the process's peak memory."""
    import resource

    vectors = sentence_like(n, d, seed)
    kcenter(vectors[: 2 * k], 2, seed)
    found, cpu, clock = timed(lambda: kcenter(vectors, k, seed))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    return {
        "n": n,
        "k": k,
        "d": d,
        "kcenter_cpu_seconds": round(cpu, 3),
        "kcenter_clock_seconds": round(clock, 3),
        "vectors_gb": round(vectors.nbytes / 1e9, 3),
        "peak_gb": round(peak, 3),
        "limit_gb": MEMORY_LIMIT_GB,
        "within_limit": peak < MEMORY_LIMIT_GB,
        "radius": found.radius,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--n", type=int, default=52_000)
    parser.add_argument("--k", type=int, default=1000)
    parser.add_argument("--d", type=int, default=384)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--large", action="store_true", help=f"also n = {LARGE:,}")
    parser.add_argument("--alone", action="store_true", help="kcenter only, with its peak memory")
    parser.add_argument("--json", action="store_true", help="one JSON document on one line")
    given = parser.parse_args()
    sizes = {name: getattr(given, name) for name in ("n", "k", "d", "seed")}
    result = alone(**sizes) if given.alone else run(**sizes, large=given.large)
    print(json.dumps(result, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
