"""A server's address → its JSON answers, whatever happens to it for up to a minute.

What the server says is a stranger's: it is limited in size and time, no redirection is followed,
and no proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import PureWindowsPath
from typing import Any, TypeVar

import msgspec

from localsel.errors import AnswerError, BackendError
from localsel.servers import Address, Served
from localsel.settings import api_key

T = TypeVar("T")
S = TypeVar("S")

CONNECT, ANSWER = 5.0, 900.0
"""Seconds that a connection may take, and an answer."""
PATIENCE = 60.0
"""Seconds for which a server may be away before the run stops."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 4.0
LARGEST = 4 * 2**20
"""Bytes of one answer."""
SHOWN = 160
BUSY = frozenset({408, 425, 429, 502, 503, 504})
TRIES = 3
"""How often a question is put that makes the server fail."""


class Card(msgspec.Struct, frozen=True):
    """What a server says of one model."""

    id: str
    owned_by: str | None = None
    root: str | None = None
    max_model_len: int | None = None
    meta: dict[str, Any] | None = None

    @property
    def context(self) -> int | None:
        """Tokens that it reads, if the server says so."""
        told = self.max_model_len or (self.meta or {}).get("n_ctx")
        return told if isinstance(told, int) and told > 0 else None

    @property
    def identity(self) -> dict[str, object]:
        """What is the same wherever and whenever the server runs."""
        counted = {name: (self.meta or {}).get(name) for name in ("n_params", "n_vocab", "size")}
        told = {name: value for name, value in counted.items() if isinstance(value, int)}
        # A path on the server's disk: where its folder lies is nothing of the model's.
        root = self.root and PureWindowsPath(self.root).name
        fixed = (self.id, root, self.max_model_len)
        return {"served": fixed, **told}


class Cards(msgspec.Struct, frozen=True):
    """The answer of /v1/models."""

    data: list[Card]


def look(address: Address) -> Served:
    """What a server says of a model, asked at once and let go.

    Raises:
        BackendError: there is no server, or no such model.
    """
    server = Server(address, api_key())
    try:
        card = server.look()
        return Served(replace(address, name=card.id).model, card.identity)
    finally:
        server.close()


class Server:
    """A server, asked from a thread of its own, so that many questions can be on their way."""

    def __init__(
        self, address: Address, key: str = "", patience: float = PATIENCE, answer: float = ANSWER
    ) -> None:
        import httpx2

        self.address, self._patience, self._answer = address, patience, answer
        self._away: float | None = None
        self._is_open = False
        self._card: Card | None = None
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        self._client = httpx2.AsyncClient(
            headers=headers | ({"authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx2.Timeout(answer, connect=CONNECT),
            limits=httpx2.Limits(max_connections=None),
            trust_env=False,
            follow_redirects=False,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, steps: Coroutine[Any, Any, T]) -> Future[T]:
        """Sets something going; the future has its result."""
        return asyncio.run_coroutine_threadsafe(steps, self._loop)

    def wait(self, steps: Coroutine[Any, Any, T]) -> T:
        """The result of something."""
        return self.start(steps).result()

    def close(self) -> None:
        """Ends what is on its way, and the thread."""
        if self._thread.is_alive():
            self.wait(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()

    # What it serves.

    def look(self) -> Card:
        """The model that was named, or the only one; from now on it may be away for a while.

        Raises:
            BackendError: there is no server, or no such model.
        """
        try:
            cards = self.wait(self._cards())
        except AnswerError as error:
            raise BackendError(
                f"There is no OpenAI-compatible server at {self.address.base}: {error}.",
                "Is the address right? It often ends in /v1.",
            ) from error
        self._card, self._is_open = self._named(cards), True
        return self._card

    def _named(self, cards: list[Card]) -> Card:
        name = self.address.name
        found = [card for card in cards if card.id == name or not name]
        if len(found) == 1 and found[0].id.isprintable() and len(found[0].id) <= SHOWN:
            return found[0]
        served = ", ".join(shown(card.id) for card in cards[:5]) or "nothing"
        if found:
            problem = f"{self.address.base} serves several models: {served}."
            raise BackendError(problem, f"Name one: {self.address.base}#NAME.")
        wanted = repr(shown(name)) if name else "any model"
        problem = f"{self.address.base} does not serve {wanted}, but {served}."
        raise BackendError(problem, "Check the name, or what the server was started with.")

    async def _cards(self) -> list[Card]:
        return _read(await self._content("GET", f"{self.address.base}/models", None), Cards).data

    # Questions.

    async def ask(self, path: str, body: dict[str, object], kind: type[S]) -> S:
        """What the server answers to a body at a path under /v1, in this shape.

        Raises:
            AnswerError: it refuses this question, or what it says is not of this shape.
            BackendError: it is away for too long, or wants a key.
        """
        return _read(await self._content("POST", self.address.base + path, body), kind)

    async def ask_beside(self, path: str, body: dict[str, object], kind: type[S]) -> S:
        """The same of a path beside /v1."""
        return _read(await self._content("POST", self.address.root + path, body), kind)

    async def _content(self, method: str, url: str, body: dict[str, object] | None) -> bytes:
        wait, failures = FIRST_WAIT, 0
        while True:
            status, said = await self._try(method, url, body)
            if status is not None and status not in BUSY:
                self._away = None
                if status == 200:
                    return said
                failures += 1
                if status < 500 or failures == TRIES:
                    raise self._refused(status, said)
            else:
                why = f"it says {status}" if status else said.decode()
                self._note_absence(why)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
            if self._away is not None:
                await self._recognise()

    async def _try(
        self, method: str, url: str, body: dict[str, object] | None
    ) -> tuple[int | None, bytes]:
        """Status and content; without a status, why there is none."""
        import httpx2

        content = msgspec.json.encode(body) if body is not None else None
        kind = {"content-type": "application/json"} if body is not None else {}
        try:
            async with (
                asyncio.timeout(self._answer),
                self._client.stream(method, url, content=content, headers=kind) as response,
            ):
                return response.status_code, await _limited(response)
        except httpx2.InvalidURL as error:
            raise AnswerError(f"this is no address: {shown(str(error))}") from error
        except (httpx2.TransportError, TimeoutError) as error:
            return None, (str(error) or type(error).__name__).encode()

    def _note_absence(self, why: str) -> None:
        """Told once; raises BackendError when it has lasted too long."""
        base, patience = self.address.base, self._patience
        if not self._is_open:
            raise BackendError(f"No server answers at {base}: {shown(why)}.", "Start it first.")
        if self._away is None:
            # Not when the question was sent: a server may read it for minutes before it dies.
            self._away = time.monotonic()
            say = f"localsel: {base} does not answer; waiting for it, {patience:.0f} s at most."
            print(say, file=sys.stderr)
        if time.monotonic() - self._away > patience:
            raise BackendError(
                f"{base} has not answered for {patience:.0f} s: {shown(why)}.",
                "Start it again, and give the same command: what was answered is kept.",
            )

    async def _recognise(self) -> None:
        """A server that comes back has to serve the same model."""
        status, said = await self._try("GET", f"{self.address.base}/models", None)
        if status != 200 or self._card is None:
            return
        if self._card.identity not in [card.identity for card in _read(said, Cards).data]:
            raise BackendError(
                f"{self.address.base} came back with another model.",
                "Start the one that was there before, or give --resume never.",
            )

    def _refused(self, status: int, said: bytes) -> AnswerError | BackendError:
        base = self.address.base
        if status in (401, 403):
            return BackendError(
                f"{base} wants a key (HTTP {status}).", "Give it in the variable LOCALSEL_API_KEY."
            )
        if 300 <= status < 400:
            return AnswerError("it wants to send localsel elsewhere, which is not followed")
        return AnswerError(f"it says HTTP {status}: {shown(said.decode('utf-8', 'replace'))}")


async def _limited(response: Any) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerError("its answer is compressed, which was not asked for")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > LARGEST:
            raise AnswerError(f"its answer is larger than {LARGEST // 2**20} MiB")
    return bytes(content)


def _read(content: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AnswerError(f"its answer has another form: {shown(str(error))}") from error


def shown(text: str) -> str:
    """The beginning of what a stranger says, on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * SHOWN]).split())
    return line[:SHOWN].rstrip(".")
