"""Does MoDS find the rows whose skill its seed set does not teach, the same after a kill?

The pool is made up (`_planted.py`): one row of ten has a skill that no row of the seed set has.
nano-llama is really tuned on the seed set, answers the others, and is rated by a small model that
was really trained to tell right answers from wrong ones. A run is made twice: whole, and killed
while it tunes and started again. Chance would find one planted row in ten.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks._model import nano
from benchmarks._planted import planted, pool, train_quality
from localsel.alpaca import before
from localsel.methods.measuring import key_of
from localsel.records import Instruction

ROWS = 2000
SHARE = 10
"""The budget is one row of so many; half of it is the seed set."""
EPOCHS, RATE, STEPS, NEW = 10, 2e-3, 7, 12
"""The learning rate is a nano model's; so many steps make an epoch."""
LEAST = 0.8

Row = dict[str, Any]


def run(rows: int = ROWS) -> dict[str, Any]:
    """Among the lowest rated rows, as many as there are planted ones, how many are planted?"""
    with tempfile.TemporaryDirectory() as name:
        place, instructions = Path(name), made_of(rows)
        data = place / "pool.jsonl"
        data.write_text("\n".join(map(json.dumps, pool(rows, 0))), encoding="utf-8")
        line = command(data, train_quality(place / "quality"), rows)
        started = time.monotonic()
        whole = [*events([*line, "--workspace", str(place / "whole"), "--out", f"{place}/a.jsonl"])]
        seconds = time.monotonic() - started
        again = [*line, "--workspace", str(place / "killed"), "--out", f"{place}/b.jsonl"]
        killed_at = kill_while_tuning(again)
        kept = kept_step(place / "killed")
        resumed = [*events(again)]
        picks = [read(place / each) for each in ("a.jsonl", "b.jsonl")]
        found = necessity(place / "whole" / "localsel.db", instructions)
    budget, many = rows // SHARE, rows // SHARE
    seeds, rest = picks[0][: budget // 2], picks[0][budget // 2 :]
    first = [each.instruction for each in found[:many]]
    share = sum(map(planted, first)) / max(len(first), 1)
    return {
        "benchmark": "mods",
        "rows": rows,
        "planted": sum(planted(each.instruction) for each in instructions),
        "budget": budget,
        "seed_rows": len(seeds),
        "planted_seed_rows": _planted(seeds),
        "needed": len(found),
        "first": len(first),
        "planted_among_first": sum(map(planted, first)),
        "share": round(share, 4),
        "planted_among_other_picks": _planted(rest),
        "distinct_picks": len({each["instruction"] for each in picks[0]}),
        "killed_at_step": killed_at,
        "kept_step": kept,
        "went_on_behind_step": tuning(resumed)[0] - 1,
        "steps": len(tuning(whole)),
        "identical": _instructions(picks[0]) == _instructions(picks[1]),
        "seconds": round(seconds, 1),
        "within_limit": share >= LEAST,
    }


def made_of(rows: int) -> list[Instruction]:
    return [
        Instruction(row, each["instruction"], "", each["output"])
        for row, each in enumerate(pool(rows, 0))
    ]


def command(data: Path, quality: Path, rows: int) -> list[str]:
    """One run, on one thread."""
    seeds = rows // SHARE // 2
    options = {
        "method": "mods",
        "backend": "transformers",
        "model": nano().parent,
        "quality-model": quality,
        "budget": rows // SHARE,
        "tune-epochs": EPOCHS,
        "tune-rate": RATE,
        "tune-batch": max(1, seeds // (STEPS - 1)),
        "new-tokens": NEW,
        "threads": 1,
        "display": "json",
    }
    flags = [word for flag, value in options.items() for word in (f"--{flag}", str(value))]
    return [sys.executable, "-m", "localsel", "run", str(data), *flags]


def events(line: Sequence[str]) -> Iterator[Row]:
    """What a run tells, to its end."""
    with told_by(line) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line)


def told_by(line: Sequence[str]) -> subprocess.Popen[bytes]:
    """A run that waits whenever nobody has read its last 4096 bytes, which are some 45 steps."""
    return subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        pipesize=4096,
    )


def kill_while_tuning(line: Sequence[str]) -> int:
    """Starts a run and kills it early in its third epoch; the last step that it has told of."""
    told: list[Row] = []
    with told_by(line) as process:
        assert process.stdout is not None
        for text in process.stdout:
            told.append(json.loads(text))
            if max(tuning(told), default=0) > 2 * STEPS:
                process.kill()
                # It went on until the signal came; of what it said last, there may be a part.
                rest = process.stdout.read().splitlines(keepends=True)
                told += [json.loads(each) for each in rest if each.endswith(b"\n")]
                last = tuning(told)[-1]
                assert last < EPOCHS * STEPS, "It had learnt everything before it was killed."
                return last
    raise AssertionError("The run ended before it was killed.")


def kept_step(workspace: Path) -> int:
    """Where the one tuning in a workspace goes on."""
    (state,) = workspace.glob("tuned/*/training.json")
    return int(json.loads(state.read_text(encoding="utf-8"))["done"])


def tuning(told: Sequence[Row]) -> list[int]:
    """The steps that a run told of, from 1; none before it began to tune."""
    texts = [each.get("text", "") if each["event"] == "note" else "" for each in told]
    begun = next((at for at, text in enumerate(texts) if text.startswith("Tuning ")), len(told))
    steps: list[int] = []
    for event in told[begun + 1 :]:
        if event["event"] != "progress" or event["done"] <= (steps[-1] if steps else 0):
            break
        steps.append(event["done"])
    return steps


def necessity(database: Path, instructions: Sequence[Instruction]) -> list[Instruction]:
    """The rows whose answer by the tuned model was rated below 0, the lowest first."""
    kept: dict[str, dict[bytes, Any]] = {"written": {}, "quality": {}}
    opened = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for measure, text, value in opened.execute("SELECT measure, text, value FROM scores"):
        if (kind := measure.partition("/")[0]) in kept:
            kept[kind][text] = json.loads(value)
    opened.close()
    rated = []
    for each in instructions:
        if (answers := kept["written"].get(key_of(before(each)))) is not None:
            rated.append((kept["quality"][key_of(each.text, answers[0])], each))
    return [each for rating, each in sorted(rated, key=lambda pair: pair[0]) if rating < 0]


def read(picks: Path) -> list[Row]:
    return [json.loads(line) for line in picks.read_text(encoding="utf-8").splitlines()]


def _instructions(picks: Sequence[Row]) -> list[str]:
    return [each["instruction"] for each in picks]


def _planted(picks: Sequence[Row]) -> int:
    return sum(map(planted, _instructions(picks)))


def table(result: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    names = [
        *("rows", "planted", "planted_seed_rows", "needed", "first", "planted_among_first"),
        *("planted_among_other_picks", "identical", "went_on_behind_step", "seconds"),
    ]
    return ["", "found"], [[name.replace("_", " "), result[name]] for name in names]
