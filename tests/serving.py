"""Weights → a real server of them on this machine: llama-cpp-python's own, or vLLM's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, Any

STARTS = 240.0
"""Seconds that a server may take until it answers."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


ALONE = {
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}


class Serving:
    """A server in a process of its own, which can be killed and started again at its address."""

    line: tuple[str, ...]

    def __init__(self, log: Path, *line: str) -> None:
        self.port, self.line, self._log = free_port(), line, log
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address, while it runs."""
        try:
            self.begin()
            self.wait()
            yield self.address
        finally:
            self.kill()

    def begin(self) -> None:
        """Starts it; it may take seconds to answer."""
        with self._log.open("ab") as log:
            self.process = self._open(log)

    def _open(self, log: IO[Any]) -> subprocess.Popen[bytes]:
        line = [*self.line, "--host", "127.0.0.1", "--port", str(self.port)]
        return subprocess.Popen(
            [sys.executable, "-m", *line],
            env=os.environ | ALONE,
            # Its own children go with it.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def wait(self) -> None:
        assert self.process
        until = time.monotonic() + STARTS
        while True:
            assert self.process.poll() is None, self._log.read_text()[-2000:]
            if self._answers():
                return
            assert time.monotonic() < until, self._log.read_text()[-2000:]
            time.sleep(0.1)

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/v1/models")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """As a power cut would."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def llama_server(gguf: Path, log: Path, context: int = 3072) -> Serving:
    """llama-cpp-python's server with a file."""
    limits = ("--n_ctx", str(context), "--n_threads", "1", "--n_threads_batch", "1")
    return Serving(log, "llama_cpp.server", "--model", str(gguf), *limits)


def vllm_server(folder: Path, log: Path, context: int = 3072) -> Serving:
    """vLLM's server with a Hugging Face folder, in float32."""
    limits = ("--dtype", "float32", "--max-model-len", str(context), "--enforce-eager")
    return Serving(log, "vllm.entrypoints.openai.api_server", "--model", str(folder), *limits)
