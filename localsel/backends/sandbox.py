"""A question about somebody else's file → its answer, from a child process that may break over it.

A server is started at the first question. It opens no such file itself: it forks for each, so a
question takes milliseconds, and what a file breaks is a process that nobody needs.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from localsel.errors import BackendError

GRACE = 15.0
"""Seconds that the server may take beyond those of a question: for its start, on a busy machine."""

ENVIRONMENT = {
    # A process is forked safely while it has one thread.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # A header needs no GPU, and where llama.cpp aborts no debugger is called.
    "CUDA_VISIBLE_DEVICES": "",
    "GGML_NO_BACKTRACE": "1",
}


class Sandbox:
    """The server of this process, and who asks it: one at a time."""

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def ask(self, order: dict[str, object], seconds: float) -> dict[str, Any]:
        """The server's reply; one that says `died` if there was none.

        A server that something killed is started again, once.
        """
        # The server stays where it was started; its owner may have gone elsewhere since.
        order = order | {"seconds": seconds, "here": _here()}
        with self._lock:
            for _ in range(2):
                try:
                    return self._exchange(order, seconds + GRACE)
                except (OSError, EOFError):
                    self.close()
                except BaseException:
                    # Whoever asks next must not get this question's answer.
                    self.close()
                    raise
            return {"died": 0}

    def _exchange(self, order: dict[str, object], seconds: float) -> dict[str, Any]:
        server = self._running()
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(order).encode() + b"\n")
        said, end = bytearray(), time.monotonic() + seconds
        while not said.endswith(b"\n"):
            ready = select.select([server.stdout], [], [], max(end - time.monotonic(), 0))[0]
            piece = os.read(server.stdout.fileno(), 1 << 20) if ready else b""
            if not piece:
                raise EOFError
            said += piece
        reply: dict[str, Any] = json.loads(said)
        return reply

    def _running(self) -> subprocess.Popen[bytes]:
        # A server that came along through a fork is still its first owner's.
        if self._server is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._server = subprocess.Popen(
                # -P: a llama_cpp.py in the current folder must not be taken for the real one.
                [sys.executable, "-P", "-m", "localsel.backends.sandbox_server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=os.environ | ENVIRONMENT,
                # ctrl+c is for whoever asks; the server ends when its stdin does.
                start_new_session=True,
            )
        return self._server

    def close(self) -> None:
        """Ends the server, if there is one."""
        server, self._server = self._server, None
        if server is None or self._owner != os.getpid():
            return
        server.kill()
        server.wait()
        for stream in (server.stdin, server.stdout):
            with suppress(OSError):
                if stream:
                    stream.close()


def _here() -> str:
    """The current folder; where it was removed, one that relative paths mean nothing in."""
    try:
        return os.getcwd()
    except OSError:
        return os.sep


SANDBOX = Sandbox()
atexit.register(SANDBOX.close)


def ask(task: str, subject: object, seconds: float, **question: object) -> dict[str, Any]:
    """The answer to one of the tasks of `sandbox_server`.

    Args:
        task: its name in the server's table.
        subject: what a sentence calls the thing that is looked at.
        seconds: how long that may take.

    Raises:
        BackendError: the thing is refused, takes too long, or ends the process that reads it; or
            the library that would read it cannot be imported.
    """
    reply = SANDBOX.ask({"task": task, "question": question}, seconds)
    if "refused" in reply:
        raise BackendError(*reply["refused"])
    if "missing" in reply:
        raise BackendError(f"{reply['missing']}.", "See `localsel doctor`.")
    if "late" in reply:
        problem = f"{subject} cannot be used: reading it takes more than {seconds:.0f} s."
        raise BackendError(problem, ANOTHER)
    if "broken" in reply:
        raise BackendError(f"{subject} is broken: {reply['broken']}.", ANOTHER)
    if "answer" not in reply:
        problem = f"{subject} is broken: it ends the process that reads it."
        raise BackendError(problem, ANOTHER)
    answer: dict[str, Any] = reply["answer"]
    return answer


ANOTHER = "Copy it again, or try another model."
