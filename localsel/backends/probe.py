"""The path of a model → what its files say, read in a child process.

llama.cpp aborts the whole process on some broken headers, and a configuration may ask for more
memory than there is; a child takes that fall.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localsel.backends.sandbox import ask
from localsel.errors import BackendError

SECONDS = 45.0


def probe(path: Path, context: int | None = None) -> Mapping[str, Any]:
    """Architecture, size, context, quantisation, chat template of an untrusted GGUF.

    llama.cpp also goes through all of loading it at this context but for the weights themselves.

    Raises:
        BackendError: the file is missing, is not a GGUF, or breaks llama.cpp.
    """
    start = _start(path)
    if start != b"GGUF":
        seen = f"it starts with {start!r}" if start else "it is empty"
        raise BackendError(f"{path} is not a GGUF file: {seen}.", "Name one that is.")
    return ask("gguf", path, SECONDS, path=str(path), context=context)


def probe_folder(folder: Path) -> Mapping[str, Any]:
    """The same of an untrusted Hugging Face folder: configuration, weights' headers, tokenizer.

    Raises:
        BackendError: something of it is missing or broken, or does not belong together.
    """
    if not (folder / "config.json").is_file():
        raise BackendError(
            f"{folder} is no Hugging Face folder: there is no config.json in it.",
            "Name a folder with config.json, the tokenizer and .safetensors files.",
        )
    if not any(folder.glob("*.safetensors")):
        raise BackendError(
            f"{folder} holds no .safetensors file.", "Weights in other formats are not read."
        )
    return ask("folder", folder, SECONDS, folder=str(folder))


def _start(path: Path) -> bytes:
    """The magic bytes, if they are those."""
    try:
        if not path.exists():
            hint = "Every model is a path to a file here."
            raise BackendError(f"There is no model at {path}.", hint)
        if path.is_dir():
            raise BackendError(
                f"{path} is a folder; llama.cpp wants one GGUF file.", "Name the file in it."
            )
        # A pipe that nobody writes to would be waited for.
        if not path.is_file():
            raise BackendError(f"{path} is not a regular file.", "Name a GGUF file.")
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise BackendError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
