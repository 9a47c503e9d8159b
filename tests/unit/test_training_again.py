"""The same training again, or one that was interrupted → the same weights, bit for bit."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.errors import UsageError
from localsel.training import Recipe, train
from tests.learning import NANO, PAIRS, RECIPE, STEPS, child, name_of, same, trained


def test_the_same_inputs_give_the_same_bits(learnt: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    losses = [each.loss for each in trained(again)]
    assert losses == json.loads((learnt.parent / "said.json").read_text())
    assert same(again, learnt)


@pytest.mark.parametrize(
    "other",
    [
        lambda: (PAIRS, replace(RECIPE, seed=6)),
        lambda: (PAIRS, replace(RECIPE, dropout=0.2)),
        lambda: ([*PAIRS[1:], PAIRS[0]], RECIPE),
    ],
    ids=["seed", "dropout", "order"],
)
def test_other_inputs_give_other_weights(
    other: Callable[[], tuple[Any, Recipe]], learnt: Path, tmp_path: Path
) -> None:
    pairs, recipe = other()
    trained(tmp_path / "other", pairs, recipe)
    assert not same(tmp_path / "other", learnt)


def test_nobody_elses_random_numbers_change(tmp_path: Path) -> None:
    import random

    import torch

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    recipe = replace(RECIPE, dropout=0.5)
    for each in train(NANO, PAIRS[:4], recipe, tmp_path / "into", "some", threads=1):
        assert each.loss is None or each.loss > 0
        # Also in between: whoever watches may draw.
        assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]  # type: ignore[index,union-attr]


def test_dropout_draws_the_same_whoever_else_draws(tmp_path: Path) -> None:
    import torch

    recipe = replace(RECIPE, dropout=0.3, epochs=1)
    trained(tmp_path / "quiet", recipe=recipe)
    for _ in train(NANO, PAIRS, recipe, tmp_path / "disturbed", "some", threads=1):
        torch.rand(3)
    assert same(tmp_path / "quiet", tmp_path / "disturbed")


def test_what_is_finished_is_not_done_again(learnt: Path, tmp_path: Path) -> None:
    into = Path(shutil.copytree(learnt, tmp_path / "into"))
    before = {path: path.stat().st_mtime_ns for path in into.iterdir()}
    assert trained(into) == []
    assert {path: path.stat().st_mtime_ns for path in into.iterdir()} == before
    (into / "model.safetensors").write_bytes(b"cut off")
    assert len(trained(into)) == STEPS
    assert same(into, learnt)


def test_other_inputs_begin_anew_where_others_ended(learnt: Path, tmp_path: Path) -> None:
    into = Path(shutil.copytree(learnt, tmp_path / "into"))
    assert len(trained(into, recipe=replace(RECIPE, epochs=1))) == 4
    assert not same(into, learnt)


# Interrupted.

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.learning import NANO, PAIRS, RECIPE, name_of
from localsel.training import train

for each in train(NANO, PAIRS, RECIPE, Path(sys.argv[1]), name_of(), threads=1, often=2):
    print(each.done, flush=True)
    if each.done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("at", "left"), [(1, STEPS), (7, STEPS - 6), (STEPS, 0)])
def test_killed_it_goes_on_to_the_same_bits(
    at: int, left: int, learnt: Path, tmp_path: Path
) -> None:
    """Before the first checkpoint, behind one, and before the model is written."""
    into = tmp_path / "into"
    done = child(KILLED, into, at)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (into / "config.json").exists()
    # Killed in the middle of writing, it would leave this.
    (into / "checkpoint-00000099.safetensors.partial").write_bytes(b"half")
    assert [each.done for each in trained(into)] == list(range(STEPS - left + 1, STEPS + 1))
    assert same(into, learnt)
    kept = {path.name for path in into.iterdir()}
    assert not {name for name in kept if name.startswith("checkpoint-") and "partial" not in name}


def test_who_stops_listening_may_go_on_later(learnt: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    steps = train(NANO, PAIRS, RECIPE, into, name_of(), threads=1)
    assert [next(steps).done for _ in range(6)] == [0, 1, 2, 3, 4, 5]
    steps.close()
    # Four steps make an epoch, and there is a checkpoint behind each.
    assert [each.done for each in trained(into)] == list(range(5, STEPS + 1))
    assert same(into, learnt)


NO_ROOM = """
import sys
from pathlib import Path
from tests.learning import NANO, PAIRS, RECIPE, name_of
from localsel.errors import WorkspaceError
from localsel.training import train

try:
    for each in train(NANO, PAIRS, RECIPE, Path(sys.argv[1]), name_of(), threads=1):
        if each.loss:
            print(each.done)
except WorkspaceError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("size", "said"), [(100_000, "checkpoint-00000004.safetensors"), (2_000_000, "into")]
)
def test_without_room_it_says_so_and_goes_on_with_room(
    size: int, said: str, learnt: Path, tmp_path: Path
) -> None:
    """No file may grow beyond the size: first no checkpoint, then no model."""
    into = tmp_path / "into"
    done = child(NO_ROOM, into, prefix=("prlimit", f"--fsize={size}"))
    *steps, last = done.stdout.splitlines()
    assert f"{said} cannot be written: File too large" in last, done.stderr
    assert len(steps) == (3 if said.startswith("check") else STEPS)
    assert not list(into.glob("*partial*"))
    trained(into)
    assert same(into, learnt)


def test_two_do_not_train_into_one_folder(tmp_path: Path) -> None:
    into = tmp_path / "into"
    steps = train(NANO, PAIRS, RECIPE, into, name_of(), threads=1)
    next(steps)
    with pytest.raises(UsageError, match="Another process trains into"):
        trained(into)
    steps.close()
