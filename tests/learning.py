"""Made-up pairs that the nano selector learns in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localsel.training import Progress, Recipe, train
from tests.conftest import CHECKOUT

NANO = CHECKOUT / "models" / "nano-llama"
COLOURS = ("red", "green", "blue", "yellow")
PAIRS = [
    (f"### Instruction:\nColour {number % 4}?\n\n### Response:\n", COLOURS[number % 4])
    for number in range(32)
]
RECIPE = Recipe(epochs=3, batch=8, learning_rate=3e-3, rank=8, alpha=16, seed=5)
STEPS = 12

Pairs = Sequence[tuple[str, str]]


def trained(
    into: Path,
    pairs: Pairs = PAIRS,
    recipe: Recipe = RECIPE,
    folder: Path = NANO,
    often: int = 25,
) -> list[Progress]:
    """The steps of a training to its end, each with its loss."""
    name = name_of(pairs, recipe)
    return steps_of(train(folder, pairs, recipe, into, name, threads=1, often=often))


def steps_of(told: Iterable[Progress]) -> list[Progress]:
    """All but the first, which says where it begins."""
    return [each for each in told if each.loss is not None]


def name_of(pairs: Pairs = PAIRS, recipe: Recipe = RECIPE) -> str:
    """What a training is told from others by."""
    return repr((recipe, pairs))


def weights(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors.numpy import load_file

    return dict(load_file(folder / "model.safetensors"))


def same(one: Path, other: Path) -> bool:
    """Bit for bit."""
    return (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def child(*line: object, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """A script and its arguments, in a process of its own."""
    whole_line = [*prefix, sys.executable, "-c", *map(str, line)]
    return subprocess.run(whole_line, cwd=CHECKOUT, capture_output=True, text=True, check=False)
