"""A small HTTP server that obeys a constraint or breaks the rules in a way that a test names."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FIELD = "answer"


@dataclass
class Stranger:
    """How a server behaves: which constraint it obeys, and what it does from the `after`th on.

    Attributes:
        obeys: the field of a question that it honours; it ignores all others.
        then: what it does with later questions; nothing odd if empty.
        after: of so many questions the odd ones come after.
        says: what it says where nothing that it honours holds it.
        reads: tokens that it counts of a question.
        keys: what came as a key with each question.
        seen: the questions that were asked.
    """

    obeys: str = "response_format"
    then: str = ""
    after: int = 0
    says: str = "Yes, of course!"
    reads: int = 12
    models: tuple[str, ...] = ("one",)
    keys: list[str | None] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, body: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
        self.seen.append(body)
        odd = self.then if len(self.seen) > self.after else ""
        kind = {"content-type": "application/json"}
        match odd:
            case "":
                return 200, self.chat(self.answer(body)), kind
            case "a label that is not there":
                return 200, self.chat(json.dumps({FIELD: "Best: [99]"})), kind
            case "no choices":
                return 200, b'{"choices": []}', kind
            case "other JSON":
                return 200, b'{"choices": [{"message": {"content": 7}}]}', kind
            case "no JSON":
                return 200, b"<html>\x1b[31mnginx</html>", kind
            case "deep JSON":
                return 200, b"[" * 100_000, kind
            case "half a letter":
                return 200, b'{"choices": "\xff"}', kind
            case "too much":
                return 200, b" " * (5 * 2**20), kind
            case "compressed":
                return 200, gzip.compress(b" " * 2**20), kind | {"content-encoding": "gzip"}
            case "no end":
                return 200, self.chat(self.answer(body), "length"), kind
            case "elsewhere":
                return 302, b"", {"location": "http://192.0.2.1/v1/chat/completions"}
            case "an error":
                return 500, b'{"error": "\x1b]0;gotcha\x07 out of memory"}', kind
            case "a refusal":
                return 400, b'{"error": "too long"}', kind
            case "a key":
                return 401, b"", kind
            case "busy":
                return 503, b"", kind
            case "dies over it":
                time.sleep(0.2)
                self.then = ""
                return 0, b"", {}
            case "slow":
                time.sleep(2)
        return 200, self.chat(self.answer(body)), kind

    def answer(self, body: dict[str, Any]) -> str:
        """The first of the legal answers; without a constraint that it knows, what it likes."""
        if self.obeys not in body:
            return self.says
        found = body[self.obeys]
        if self.obeys == "structured_outputs":
            first: str = found["choice"][0]
            return first
        properties = found["json_schema"]["schema"]["properties"]
        return json.dumps({FIELD: properties[FIELD]["enum"][0]})

    def chat(self, text: str, finish: str = "stop") -> bytes:
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        usage = {"usage": {"prompt_tokens": self.reads}} if self.reads else {}
        return json.dumps({"choices": [choice], **usage}).encode()


@contextmanager
def serving(stranger: Stranger) -> Iterator[str]:
    """The address of such a server, while it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            models = [{"id": name} for name in stranger.models]
            self.send(200, json.dumps({"data": models}).encode(), {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            stranger.keys.append(self.headers["authorization"])
            if self.path.endswith("/chat/completions"):
                self.send(*stranger.reply(body))
            else:
                self.send(404, b"", {})

        def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
