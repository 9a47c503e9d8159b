"""A training that is killed before any call that touches its folder → the same files in the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from localsel.errors import UsageError
from tests.learning import child, trained

KILLED = """
import json, os, signal, sys, torch
from pathlib import Path
from localsel.training.keeping import PARTIAL, Keeper, State

def learn(keeper, inputs):
    "Four steps, a checkpoint behind each second one, a model; where it began, or 9 if at the end."
    with keeper.held():
        if (state := keeper.begin(inputs)) is None:
            return 9
        begun = state.done
        for done in (2, 4):
            if done > state.done:
                state = State(inputs, done, 4)
                keeper.keep(state, {"weight": torch.full((2,), float(len(inputs) + done))})
        made = keeper.folder / PARTIAL
        made.mkdir(exist_ok=True)
        weight = keeper.read(4)["weight"].tolist()
        (made / "config.json").write_text(inputs)
        (made / "model.safetensors").write_text(f"{weight}")
        keeper.finish(state, made)
    return begun

def dying(folder, inputs, at):
    "The same, killed before its call number `at` on that folder; whether it was."
    if not (child := os.fork()):
        calls = 0
        def watch(event, arguments):
            nonlocal calls
            if arguments and str(arguments[0]).startswith(str(folder)):
                calls += 1
                if calls == at:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        learn(Keeper(folder), inputs)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0

def files(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}

place, before, last = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
learn(Keeper(place / "whole"), last)
wanted, at, goes_on, same, begun = files(place / "whole"), 0, True, [], []
while goes_on:
    at += 1
    folder = place / str(at)
    if before:
        learn(Keeper(folder), before)
    goes_on = dying(folder, last, at)
    begun.append(learn(Keeper(folder), last))
    same.append(files(folder) == wanted)
print(json.dumps({"names": sorted(wanted), "same": same, "begun": begun}))
"""
"""What is written of a model is a line of text here, so that a training takes milliseconds."""


@pytest.mark.parametrize("before", ["", "another lesson"])
def test_killed_before_any_call_it_goes_on_to_the_same_files(before: str, tmp_path: Path) -> None:
    """In a new folder, and in one where another lesson was learnt to its end."""
    done = child(KILLED, tmp_path, before, "this one")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["names"] == ["config.json", "model.safetensors", "training.json"]
    assert all(found["same"]), [at for at, same in enumerate(found["same"], 1) if not same]
    # The later it is killed, the less it does again.
    assert found["begun"] == sorted(found["begun"])
    assert set(found["begun"]) == {0, 2, 4, 9}


def test_beside_what_is_finished_no_checkpoint_stays(learnt: Path, tmp_path: Path) -> None:
    """Who opens the folder would read it with the weights."""
    into = Path(shutil.copytree(learnt, tmp_path / "into"))
    shutil.copy(learnt / "model.safetensors", into / "checkpoint-00000012.safetensors")
    assert trained(into) == []
    assert {path.name for path in into.iterdir()} == {path.name for path in learnt.iterdir()}


def test_a_checkpoint_of_something_else_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint-00000004.safetensors"
    kept.write_text("somebody's")
    with pytest.raises(UsageError, match="is of no training"):
        trained(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["somebody's"]
