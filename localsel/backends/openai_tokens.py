"""A server's tokenizer, if it lends it → tokens counted, texts cut; else an estimate.

What would be a control token inside an instruction is taken apart by a space: a server reads whole
texts, and knows no difference between what a template writes and what a stranger did.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from localsel.backends.base import CUT, Reader, keep_ends
from localsel.backends.openai_http import Card, Server
from localsel.backends.openai_replies import Chat
from localsel.errors import AnswerError, BackendError
from localsel.records import Prompt

LEAST_CONTEXT, MOST_CONTEXT = 2048, 8192
"""What is read where a server does not say how much it can, and where it can more."""
BRACKETED = r"\[(?=/?[0-9]*[A-Za-z_])(?=/?[A-Za-z_0-9]{3,32}\])"
CONTROL = re.compile(rf"<(?=[^\s<>]{{1,64}}>)|{BRACKETED}|<(?=<)")
REMEMBERED = 4096
TEMPLATE = 32
"""Tokens of a chat template, where they cannot be counted."""
MARK = "LOCALSELxCONTENTxHERE"


def neutral(text: str) -> str:
    """The same without anything that a tokenizer could take for one of its control tokens."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return CONTROL.sub(lambda found: found[0] + " ", clean)


class Tokens(msgspec.Struct, frozen=True):
    tokens: list[int]


class Spelled(msgspec.Struct, frozen=True):
    prompt: str | None = None
    text: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Where a server tokenises, how it wants to be asked, and where the way back is."""

    path: str
    name: str
    back: str
    fixed: dict[str, bool] = field(default_factory=dict)


# vLLM's, that of llama-cpp-python, llama.cpp's.
WAYS = (
    Way("/tokenize", "prompt", "/detokenize", {"add_special_tokens": False}),
    Way("/extras/tokenize", "input", "/extras/detokenize"),
    Way("/tokenize", "content", "/detokenize"),
)


class ServerTokens(Reader):
    """Reads as the model at a server does.

    Attributes:
        name: what the server calls the model.
        around: tokens of the chat template before and after the user's words, of a server that
            takes tokens for a prompt.
    """

    def __init__(self, server: Server, card: Card, context: int | None) -> None:
        self._server, self.name = server, card.id
        self.context = context_of(server.address.model, card, context)
        self._known: dict[str, tuple[int, ...]] = {}
        self._way: Way | None = None
        self._start, self._template = 0, TEMPLATE
        self.around: tuple[tuple[int, ...], tuple[int, ...]] | None = None
        server.wait(self._learn())

    def close(self) -> None:
        self._server.close()

    async def _learn(self) -> None:
        """Finds out where the server tokenises, and what its chat template costs."""
        for way in WAYS:
            try:
                self._way = way if await self._fetch(way, MARK) else None
            except AnswerError:
                continue
            if self._way:
                break
        if self._way:
            with suppress(AnswerError):
                # Some begin every text with a token of its own.
                self._start = len(await self._fetch(self._way, ""))
            self.around = await self._find_around()
            self._template = await self._measure()

    async def ids(self, text: str) -> tuple[int, ...]:
        """Tokens of a text, without one that begins every text."""
        assert self._way
        if not text:
            return ()
        if (known := self._known.get(text)) is None:
            known = (await self._fetch(self._way, text))[self._start :]
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[text] = known
        return known

    async def _fetch(self, way: Way, text: str) -> tuple[int, ...]:
        body = {"model": self.name, way.name: text, **way.fixed}
        return tuple((await self._server.ask_beside(way.path, body, Tokens)).tokens)

    async def spelled(self, ids: tuple[int, ...]) -> str:
        """The way back, control tokens included."""
        assert self._way
        body: dict[str, object] = {"model": self.name, "tokens": list(ids)}
        told = await self._server.ask_beside(self._way.back, body, Spelled)
        return told.prompt or told.text or told.content or ""

    async def _find_around(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """What the template makes of a message, if the server shows it."""
        messages = [{"role": "user", "content": MARK}]
        body = {"model": self.name, "messages": messages, "add_generation_prompt": True}
        try:
            told = await self._server.ask_beside("/tokenize", body, Tokens)
            text = await self.spelled(tuple(told.tokens))
            before, found, after = text.partition(MARK)
            parts = await self.ids(before), await self.ids(MARK), await self.ids(after)
            # Tokens of the whole may join where those of the parts do not; the text is the same.
            is_whole = found and await self.spelled(sum(parts, ())) == text
        except AnswerError:
            return None
        return (parts[0], parts[2]) if is_whole else None

    async def _measure(self) -> int:
        """Tokens that the template adds to a message."""
        if self.around:
            return sum(map(len, self.around))
        body = {"model": self.name, "messages": [{"role": "user", "content": MARK}]}
        try:
            said = await self._server.ask("/chat/completions", {**body, "max_tokens": 1}, Chat)
            told = said.usage.prompt_tokens if said.usage else 0
            return max(told - len(await self.ids(MARK)), 0) or TEMPLATE
        except AnswerError:
            return TEMPLATE

    async def prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        """The whole prompt as tokens, its answer begun; every part is tokenised by itself."""
        assert self.around
        texts = (prompt.head, "".join(prompt.candidates), prompt.tail)
        parts = [await self.ids(neutral(text)) for text in texts]
        answer = await self.ids(prompt.answer)
        return sum([self.around[0], *parts, self.around[1], answer], ())

    # What a reader promises.

    def count(self, text: str) -> int:
        return self._counted(neutral(text)) if self._way else estimate(text)

    def _counted(self, text: str) -> int:
        try:
            return len(self._server.wait(self.ids(text)))
        except AnswerError as error:
            problem = f"{self._server.address.base} does not count tokens any more: {error}."
            raise BackendError(problem, "Start it again, and give the same command.") from error

    def at_most(self, text: str) -> int:
        return len(neutral(text).encode()) + 1 if self._way else estimate(text)

    def count_prompt(self, prompt: Prompt) -> int:
        parts = (prompt.head, "".join(prompt.candidates), prompt.tail, prompt.answer)
        return self._template + sum(self.count(part) for part in parts)

    def shorten(self, text: str, room: int) -> str:
        """By characters, in the proportion of its tokens."""
        keep = len(text) * max(room, 0) // max(self.count(text), 1)
        while True:
            start, end = keep_ends(range(len(text)), keep)
            short = text[: len(start)] + CUT + text[len(text) - len(end) :]
            if keep <= 1 or self.count(short) <= room + 4:
                return short
            keep = keep * 9 // 10


def estimate(text: str) -> int:
    """More tokens than tokenizers of today make: one for two ASCII letters or one other byte.

    Several families take a token for every digit, and code is full of signs.
    """
    clean = neutral(text)
    letters = sum(letter.isascii() and letter.isalpha() for letter in clean)
    return (letters + 1) // 2 + len(clean.encode()) - letters


def context_of(model: str, card: Card, wanted: int | None) -> int:
    """The context to use.

    Raises:
        BackendError: the server says that it reads less.
    """
    most = card.context
    if most and wanted and wanted > most:
        raise BackendError(
            f"{model} reads at most {most} tokens, not {wanted}.", "Give a smaller --context."
        )
    return wanted or min(most or LEAST_CONTEXT, MOST_CONTEXT)
