"""The path of a GGUF → what its header says, read in a child process.

llama.cpp aborts the whole process on some broken headers; a child takes that fall.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from localsel.backends.chat import wrap
from localsel.errors import BackendError

SECONDS = 45
LONGEST = 160
"""Letters of llama.cpp's own words in a sentence."""

COMPLAINT = re.compile(
    r"^(?:gguf_init\w*|read|\w+: error loading model)(?:: error loading model vocabulary)?: (.+)",
    re.MULTILINE,
)
"""What llama.cpp logs where it refuses a file; its first complaint says most."""


def probe(path: Path) -> dict[str, str | int | None]:
    """Architecture, size, context, quantisation, chat template of an untrusted file.

    Raises:
        BackendError: the file is missing, is not a GGUF, or breaks llama.cpp.
    """
    start = _start(path)
    if start[:4] != b"GGUF":
        seen = f"it starts with {start[:4]!r}" if start else "it is empty"
        raise BackendError(f"{path} is not a GGUF file: {seen}.", "Name one that is.")
    facts = _ask_child(path)
    if start[8:] == bytes(8):
        raise BackendError(f"{path} holds no weights.", "Name the file that has them.")
    return facts


def _start(path: Path) -> bytes:
    """Magic, version and number of tensors."""
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
            return file.read(16)
    except OSError as error:
        raise BackendError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def _ask_child(path: Path) -> dict[str, str | int | None]:
    try:
        done = subprocess.run(
            # -P: a llama_cpp.py in the current folder must not be taken for the real one.
            [sys.executable, "-P", "-m", __name__, str(path)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        problem = f"{path} cannot be used: reading its header takes more than {SECONDS} s."
        raise BackendError(problem, ANOTHER) from error
    try:
        facts: dict[str, str | int | None] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise BackendError(f"{path} is broken: llama.cpp ends at its header.", ANOTHER) from error
    if "error" in facts:
        why = _reason(done.stderr) or facts["error"]
        raise BackendError(f"{path} is broken: {why}.", ANOTHER)
    return facts


ANOTHER = "Copy it again, or try another model."


def _reason(log: str) -> str:
    """Why llama.cpp refuses a file, from what it logs; nothing if it logs no reason."""
    reason = next((found[1].strip(" .?") for found in COMPLAINT.finditer(log)), "")
    return reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"


def read_header(path: Path) -> dict[str, str | int | None]:
    """Loads the vocabulary alone; runs in the child."""
    import llama_cpp

    # What it logs is the only place where it says why it refuses a file.
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=True)
    metadata = llama.metadata
    if template := metadata.get("tokenizer.chat_template"):
        # One that has no end is met here, where somebody watches the time.
        wrap(template)
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
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        facts = {"error": str(error).strip().rstrip(".") or type(error).__name__}
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
