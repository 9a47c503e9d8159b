"""A path → a Hugging Face folder that may be read: a configuration and safetensors, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localsel.backends.base import Opening
from localsel.backends.hf_tokens import first_line
from localsel.backends.probe import probe_folder
from localsel.errors import BackendError

DEFAULT_CONTEXT = 8192


def found(opening: Opening) -> tuple[Path, int]:
    """The folder, and the context to use it with.

    Raises:
        BackendError: it is no model folder, or one whose weights would have to be unpickled.
    """
    folder = Path(opening.model).expanduser()
    trained = int(probe_folder(folder)["context"] or DEFAULT_CONTEXT)
    if opening.context is not None and opening.context > trained:
        raise BackendError(
            f"{folder} reads at most {trained} tokens, not {opening.context}.",
            "Give a smaller --context.",
        )
    return folder, opening.context or min(trained, DEFAULT_CONTEXT)


def read_config(folder: Path) -> Mapping[str, Any]:
    """config.json of a folder.

    Raises:
        BackendError: there is none, or it is not a JSON object.
    """
    path = folder / "config.json"
    if not folder.is_dir() or not path.is_file():
        raise BackendError(
            f"{folder} is no Hugging Face folder: there is no {path}.",
            "Name a folder with config.json, the tokenizer and .safetensors files.",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BackendError(f"{path} cannot be read: {first_line(error)}.") from error
    if not isinstance(config, dict):
        raise BackendError(f"{path} does not hold a JSON object.")
    return config
