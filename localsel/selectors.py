"""What the user calls a model → the weights that it stands for, wherever localsel looks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from localsel.errors import BackendError
from localsel.settings import model_folders

LONGEST = 100
"""Letters of a path that is too long."""

SCRIPTED = ("first", "random", "abstain")


def weights(workspace: Path) -> Iterator[Path]:
    """GGUF files in the folders where localsel looks; of several of one name the first."""
    seen = set()
    for folder in model_folders(workspace):
        for path in sorted(folder.rglob("*.gguf")):
            if path.stem not in seen and path.is_file():
                seen.add(path.stem)
                yield path


def is_scripted(model: str) -> bool:
    """`first`, `random:7`: a rule without weights, unless a file has that name."""
    rule = model.partition(":")[0]
    return rule in SCRIPTED and not Path(rule).exists()


def find_selector(model: str, workspace: Path) -> str:
    """The path that `model` means: a path itself, or a file's name, with or without .gguf.

    Raises:
        BackendError: nothing is there, and what is near.
    """
    try:
        path = Path(model).expanduser()
        exists = path.exists()
        str(path).encode()
    except (OSError, RuntimeError, UnicodeEncodeError) as error:  # too long, of nobody, not UTF-8
        raise BackendError(f"There is no model {model[:LONGEST]}.", "Check the path.") from error
    if exists or is_scripted(model):
        return model if is_scripted(model) else str(path)
    known = list(weights(workspace))
    named = [each for each in known if model in (each.name, each.stem)]
    if named:
        return str(named[0])
    raise BackendError(f"There is no model {model}.", _nearest(path, known))


def _nearest(path: Path, known: list[Path]) -> str:
    """A model of nearly that name, in the folder that was named or in those searched."""
    beside = sorted(path.parent.glob("*.gguf")) if path.parent.is_dir() else []
    candidates = {each.name: str(each) for each in [*known, *beside]}
    stems = {each.stem: str(each) for each in [*known, *beside]}
    near = difflib.get_close_matches(path.name, [*candidates, *stems], n=1, cutoff=0.5)
    if near:
        return f"Did you mean {(candidates | stems)[near[0]]}?"
    return "`localsel models` lists what is here."
