"""The path of a GGUF → what its header says, read in a child process.

llama.cpp aborts the whole process on some broken headers; a child takes that fall.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from localsel.errors import BackendError

SECONDS = 120


def probe(path: Path) -> dict[str, str | int | None]:
    """Architecture, size, context, quantisation, chat template of an untrusted file.

    Raises:
        BackendError: the file is missing, is not a GGUF, or breaks llama.cpp.
    """
    if not path.exists():
        raise BackendError(f"There is no model at {path}.", "Every model is a path to a file here.")
    if path.is_dir():
        raise BackendError(f"{path} is a folder; llama.cpp wants one GGUF file.")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise BackendError(f"{path} cannot be read: {error.strerror}.") from error
    if magic != b"GGUF":
        raise BackendError(f"{path} is not a GGUF file: it starts with {magic!r}.")
    return _ask_child(path)


def _ask_child(path: Path) -> dict[str, str | int | None]:
    try:
        done = subprocess.run(
            # -P: a llama_cpp.py in the current folder must not be taken for the real one.
            [sys.executable, "-P", "-m", __name__, str(path)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        facts: dict[str, str | int | None] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise BackendError(f"{path} is broken: llama.cpp cannot read its header.") from error
    if done.returncode or "error" in facts:
        raise BackendError(f"{path} is broken: {facts.get('error', 'llama.cpp ended')}.")
    return facts


def read_header(path: Path) -> dict[str, str | int | None]:
    """Loads the vocabulary alone; runs in the child."""
    import llama_cpp

    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    metadata = llama.metadata
    architecture = metadata.get("general.architecture", "")
    context = metadata.get(f"{architecture}.context_length")
    file_type = metadata.get("general.file_type")
    return {
        "name": metadata.get("general.name"),
        "architecture": architecture,
        "context": int(context) if context else None,
        "vocabulary": llama.n_vocab(),
        "layers": int(metadata.get(f"{architecture}.block_count", 0)),
        "width": int(metadata.get(f"{architecture}.embedding_length", 0)),
        "quantisation": _quantisation(int(file_type)) if file_type else None,
        "tokenizer": metadata.get("tokenizer.ggml.pre") or metadata.get("tokenizer.ggml.model"),
        "chat_template": metadata.get("tokenizer.chat_template"),
    }


def _quantisation(file_type: int) -> str:
    """`Q4_K_M` and the like, as llama.cpp's own constants name them."""
    import llama_cpp

    for name in dir(llama_cpp):
        if name.startswith("LLAMA_FTYPE_") and getattr(llama_cpp, name) == file_type:
            return name.removeprefix("LLAMA_FTYPE_").removeprefix("ALL_").removeprefix("MOSTLY_")
    return f"type {file_type}"


def main() -> None:
    """`python -m localsel.backends.probe PATH`: one JSON object on stdout."""
    try:
        facts: dict[str, str | int | None] = read_header(Path(sys.argv[1]))
    except (ValueError, RuntimeError, OSError) as error:
        facts = {"error": str(error)}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
