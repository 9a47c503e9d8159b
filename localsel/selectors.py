"""What the user calls a model → the weights that it stands for, wherever localsel looks."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from localsel.errors import BackendError
from localsel.servers import is_server, short_name
from localsel.settings import model_folders, resource

LONGEST = 100
"""Letters of a path that is too long."""

SCRIPTED = ("first", "random", "abstain")


def weights(workspace: Path) -> Iterator[Path]:
    """GGUF files and Hugging Face folders where localsel looks; of several of one name the first.

    In one place files come before folders: where both have a name, it means the file.
    """

    def here(folder: Path) -> Iterator[Path]:
        yield from (path for path in sorted(folder.rglob("*.gguf")) if path.is_file())
        yield from sorted(path for path in _folders(folder) if not is_quality_model(path))

    return _first_of_each_name(workspace, here)


def quality_models(workspace: Path) -> Iterator[Path]:
    """Hugging Face folders that rate answers, where localsel looks; the first of each name."""
    return _first_of_each_name(
        workspace, lambda folder: iter(sorted(filter(is_quality_model, _folders(folder))))
    )


def _first_of_each_name(workspace: Path, here: Callable[[Path], Iterator[Path]]) -> Iterator[Path]:
    seen = set()
    for folder in model_folders(workspace):
        for path in here(folder):
            if model_name(path) not in seen:
                seen.add(model_name(path))
                yield path


def is_quality_model(path: Path) -> bool:
    """Whether a folder says that it rates texts: then it chooses nothing."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        named = config.get("architectures") or ()
        return any(str(each).endswith("ForSequenceClassification") for each in named)
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return False


def _folders(folder: Path) -> Iterator[Path]:
    """Those with a model in them; embedders are models of another kind."""
    # A link to a folder is followed by none of Python's walks, and `models add` makes such links.
    linked = (path for path in folder.glob("*") if path.is_symlink() and path.is_dir())
    below = (path.parent for path in folder.rglob("config.json"))
    for path in {*linked, *below} - {folder}:
        is_embedder = (path / "modules.json").exists()
        if not is_embedder and (path / "config.json").is_file() and any(path.glob(WEIGHTS)):
            yield path


WEIGHTS = "*.safetensors"


def model_name(path: Path) -> str:
    """What a model is called without its path: a file's stem, a folder's name."""
    return path.stem if path.suffix == ".gguf" else path.name


def model_size(path: Path) -> int:
    """Bytes of its weights.

    Raises:
        OSError: it is gone.
    """
    files = path.glob(WEIGHTS) if path.is_dir() else [path]
    return sum(each.stat().st_size for each in files)


def shown_name(model: str, is_rule: bool = False) -> str:
    """A short name for a selector as a record shows it."""
    if is_rule:
        return model
    return short_name(model) if is_server(model) else model_name(Path(model))


def place_of(model: str, is_rule: bool = False) -> str:
    """Where a selector is, from any folder: its path, its address, or the rule itself."""
    return model if is_rule or is_server(model) else str(Path(model).resolve())


def is_scripted(model: str) -> bool:
    """`first`, `random:7`: a rule without weights, unless a file has that name."""
    rule = model.partition(":")[0]
    return rule in SCRIPTED and not Path(rule).exists()


def is_served(model: str | None, backend: str = "auto") -> bool:
    """Whether a server answers for the model, and not a process of ours."""
    return backend == "openai" or (backend == "auto" and is_server(model or ""))


def find_selector(model: str, workspace: Path) -> str:
    """The path that `model` means: a path itself, or a name, of a file with or without .gguf.

    The address of a server is what it is.

    Raises:
        BackendError: nothing is there, and what is near; or it is a model that chooses nothing.
    """
    found = find_model(model, workspace)
    if is_quality_model(Path(found)):
        raise BackendError(
            f"{found} is a quality model: it rates answers and chooses nothing.",
            "--quality-model takes it.",
        )
    return found


OWN_QUALITY_MODEL = "nano-quality"
"""The one that comes with localsel."""


def find_quality_model(model: str | None, workspace: Path) -> Path:
    """The folder that `model` means: a path, or a name; without one, that of localsel itself.

    Raises:
        BackendError: nothing is there, and what is near.
    """
    if model is None:
        return resource("models") / OWN_QUALITY_MODEL
    return Path(find_model(model, workspace))


def find_model(model: str, workspace: Path) -> str:
    """What a name or a path means, a selector or a quality model. For the rest as above."""
    if is_server(model):
        return model
    try:
        path = Path(model).expanduser()
        exists = path.exists()
        str(path).encode()
    except (OSError, RuntimeError, UnicodeEncodeError) as error:  # too long, of nobody, not UTF-8
        raise BackendError(f"There is no model {model[:LONGEST]}.", "Check the path.") from error
    if exists or is_scripted(model):
        return model if is_scripted(model) else str(path)
    known = [*weights(workspace), *quality_models(workspace)]
    named = [each for each in known if model in (each.name, model_name(each))]
    if named:
        return str(named[0])
    raise BackendError(f"There is no model {model}.", _nearest(path, known))


def _nearest(path: Path, known: list[Path]) -> str:
    """A model of nearly that name, in the folder that was named or in those searched."""
    beside = sorted(path.parent.glob("*.gguf")) if path.parent.is_dir() else []
    candidates = {each.name: str(each) for each in [*known, *beside]}
    stems = {model_name(each): str(each) for each in [*known, *beside]}
    near = difflib.get_close_matches(path.name, [*candidates, *stems], n=1, cutoff=0.5)
    if near:
        return f"Did you mean {(candidates | stems)[near[0]]}?"
    return "`localsel models` lists what is here."
