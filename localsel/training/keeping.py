"""How far a training is → files that it goes on from, each whole whenever the process ends.

Tensors are in safetensors, numbers in JSON. A checkpoint counts once `training.json` names it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localsel.errors import UsageError, WorkspaceError

STATE = "training.json"
PARTIAL = "merging.partial"
CHECKPOINT = "checkpoint-*.safetensors"


@dataclass(frozen=True, slots=True)
class State:
    """What `training.json` says.

    Attributes:
        inputs: the digest of all that decides the result.
        done: steps whose weights are in the checkpoint.
        files: the names and sizes of the finished model; none before it is.
    """

    inputs: str
    done: int = 0
    steps: int = 0
    files: Mapping[str, int] | None = None


class Keeper:
    """The folder of one training: first its checkpoint, in the end the model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else trains into the folder meanwhile; the lock ends with the process.

        Raises:
            UsageError: somebody does, or the folder is for something else.
            WorkspaceError: it cannot be made.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            place = os.open(self.folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(
                    f"Another process trains into {self.folder}.", "Wait for it, or end it."
                ) from error
            self._refuse_others()
            yield
        finally:
            os.close(place)

    def _refuse_others(self) -> None:
        there = [path for path in self.folder.iterdir() if not path.name.endswith(".partial")]
        if there and not (self.folder / STATE).exists():
            raise UsageError(
                f"{self.folder} holds {there[0].name}, which is of no training.",
                "Name a folder that is empty or new.",
            )

    def state(self) -> State | None:
        """How far it is; None where that cannot be read."""
        try:
            return State(**json.loads((self.folder / STATE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, inputs: str) -> State | None:
        """Where to go on: behind the last checkpoint of these inputs, or at the beginning; None
        where their model is there, whole.

        From here on `training.json` is there, and says whose folder it is.
        """
        state = self.state()
        if state and state.inputs == inputs:
            if self._is_whole(state):
                # Who was killed at the end has left one beside the weights.
                self._clear()
                return None
            if self.checkpoint(state.done).exists():
                return state
        self._clear()
        with writing(self.folder):
            for name in (state and state.files) or ():
                (self.folder / name).unlink(missing_ok=True)
        begun = State(inputs)
        self._write(begun)
        return begun

    def _is_whole(self, state: State) -> bool:
        sizes = (state.files or {}).items()
        return bool(sizes) and all(_size(self.folder / name) == size for name, size in sizes)

    def checkpoint(self, done: int) -> Path:
        return self.folder / f"checkpoint-{done:08}.safetensors"

    def keep(self, state: State, tensors: Mapping[str, Any]) -> None:
        """Keeps what the steps so far have made, and lets go of what was kept before."""
        from safetensors.torch import save

        path = self.checkpoint(state.done)
        replace(path, save(dict(tensors), metadata={"format": "pt"}))
        self._write(state)
        self._clear(path)

    def read(self, done: int) -> dict[str, Any]:
        """The tensors of a checkpoint.

        Raises:
            WorkspaceError: the file is broken.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.checkpoint(done)
        try:
            return dict(load_file(path))
        except (OSError, SafetensorError) as error:
            raise WorkspaceError(
                f"{path} cannot be read.", f"Remove {self.folder}, and it is trained again."
            ) from error

    def finish(self, state: State, made: Path) -> None:
        """Takes the files of a model over from `made`; what was for going on is gone then."""
        names = sorted(path.name for path in made.iterdir())
        # The configuration last: without it, no folder is taken for a model.
        names.sort(key="config.json".__eq__)
        with writing(self.folder):
            sizes = {name: (made / name).stat().st_size for name in names}
            for name in names:
                (made / name).replace(self.folder / name)
            made.rmdir()
        self._write(State(state.inputs, state.done, state.steps, sizes))
        self._clear()

    def _write(self, state: State) -> None:
        text = json.dumps(asdict(state), indent=2) + "\n"
        replace(self.folder / STATE, text.encode())

    def _clear(self, besides: Path | None = None) -> None:
        for path in self.folder.glob(CHECKPOINT):
            if path != besides:
                path.unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Writes a file of which never a part is seen.

    Raises:
        WorkspaceError: it cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says in a sentence what the system says when there is no room, or no right to write."""
    try:
        yield
    except OSError as error:
        raise unwritten(path, error.strerror or str(error)) from error


def unwritten(path: Path, why: str) -> WorkspaceError:
    return WorkspaceError(
        f"{path} cannot be written: {why}.", "What was trained is kept: make room, and go on."
    )


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
