"""Lines of JSON on stdin → one reply a line: each question is answered by a forked child.

The child has limits: seconds, memory, nothing written to any file. `python -m` runs this as a
process of its own; see `sandbox.ask`.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from localsel.errors import BackendError

MEMORY = 3 * 2**30
"""Bytes beyond those of the server: a tokenizer of 256,000 tokens takes half a gigabyte."""

LARGEST = 4 * 2**20
"""Bytes of a reply."""

LONGEST = 160
"""Letters of a library's own words."""

TASKS: Mapping[str, tuple[str, str, str]] = {
    "gguf": ("localsel.backends.probe_gguf", "read", "llama_cpp"),
    "folder": ("localsel.backends.probe_folder", "read", "tokenizers"),
    "template": ("localsel.backends.chat", "wrap_here", "jinja2.sandbox"),
}
"""Name → module, function, and the library that is worth importing once for all questions."""


def main() -> None:
    """Answers until stdin ends, which is when its owner does."""
    replies = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        reply = json.dumps(answer(order)).encode() + b"\n"
        write(replies, reply)


def answer(order: Mapping[str, Any]) -> dict[str, Any]:
    """What the child said, or how it ended."""
    module, name, library = TASKS[order["task"]]
    try:
        work = getattr(import_module(module), name)
        import_module(library)
    except Exception as error:  # noqa: BLE001 - a library may fail in any way, also while it starts
        return {"missing": f"{library.partition('.')[0]} cannot be imported: {first_line(error)}"}
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        answer_here(work, order, writer)
    os.close(writer)
    try:
        said = listen(reader, order["seconds"])
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if said is None:
        return {"late": order["seconds"]}
    try:
        reply: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"died": os.waitstatus_to_exitcode(status)}
    return reply


def listen(reader: int, seconds: float) -> bytes | None:
    """Everything up to the end of the pipe; None where it takes longer."""
    said, end = bytearray(), time.monotonic() + seconds
    while len(said) < LARGEST:
        if not select.select([reader], [], [], max(end - time.monotonic(), 0))[0]:
            return None
        piece = os.read(reader, 1 << 16)
        if not piece:
            break
        said += piece
    return bytes(said)


def answer_here(work: Callable[..., object], order: Mapping[str, Any], writer: int) -> None:
    """The child: works, says what came of it, and is gone."""
    code = 1
    try:
        limit(order["seconds"])
        os.chdir(order["here"])
        try:
            reply: dict[str, Any] = {"answer": work(**order["question"])}
        except BackendError as error:
            reply = {"refused": [error.message, error.hint]}
        except MemoryError:
            reply = {"broken": f"reading it takes more than {MEMORY // 2**30} GiB"}
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is none of Exception
            reply = {"broken": first_line(error)}
        write(writer, json.dumps(reply).encode())
        code = 0
    finally:
        os._exit(code)


def first_line(error: BaseException) -> str:
    """The beginning of what a library says, which may be pages."""
    lines = str(error).strip().splitlines()
    return lines[0][:LONGEST].rstrip(" .") if lines else type(error).__name__


def limit(seconds: float) -> None:
    """Holds this process to what reading a header may take."""
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    processor = int(seconds) + 1
    limits = {
        resource.RLIMIT_CPU: processor,
        resource.RLIMIT_CORE: 0,
        # Of regular files; what goes through a pipe is not meant.
        resource.RLIMIT_FSIZE: 0,
    }
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + MEMORY
    for kind, most in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def write(file: int, content: bytes) -> None:
    """All of it, however little a pipe takes at once."""
    while content:
        content = content[os.write(file, content) :]


if __name__ == "__main__":
    main()
