"""The address of a server on this machine, and prompts → scored choices, through its OpenAI API.

Every answer is held to its labels by whatever the canary found the server to obey, and is checked
against them. Nothing is assumed of a server that it did not show.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Self

from localsel.backends.base import Ask, Backend, Choice, Opening, Reader
from localsel.backends.open_query import OpenQuery
from localsel.backends.openai_asking import Asking, Lane, messages
from localsel.backends.openai_constraint import CONSTRAINTS, STRUCTURED, WRAPPING
from localsel.backends.openai_http import Card, Server
from localsel.backends.openai_labels import Labels
from localsel.backends.openai_replies import Chat, Text, from_chat, from_text
from localsel.backends.openai_tokens import ServerTokens
from localsel.errors import AnswerError, BackendError
from localsel.records import TERMINATOR, Prompt
from localsel.servers import address_of
from localsel.settings import api_key

TOGETHER = 16
"""Queries on their way to a server that reads them together; others read one after another."""
FAIR = 9
"""Candidates among which a choice token by token is one by whole labels: those of one digit."""
CANARY = Prompt("Say yes or no.", (), "", "Best: [")
FORBIDDING = ((("7", "8"), ("4", "5")), (("12", "13"), ("23", "24")))
"""Labels to ask for, and others in case the model would say one of them."""
WANTED = 8
"""Tokens of what it would say."""


class OpenAIBackend(Asking, Backend):
    """One model at a server. What else the server reads at the same time is its own affair."""

    repeatable = False

    def __init__(self, server: Server, card: Card, opening: Opening) -> None:
        super().__init__(server, card, opening.context)
        self._widest = 1
        self.run_canary()
        together = TOGETHER if self.constraint is STRUCTURED else 1
        self._at_once = opening.concurrency or together

    @classmethod
    def open(cls, opening: Opening) -> Self:
        server = connect(opening)
        try:
            return cls(server, server.look(), opening)
        except BaseException:
            server.close()
            raise

    @classmethod
    def open_reader(cls, opening: Opening) -> Reader:
        server = connect(opening)
        try:
            return ServerTokens(server, server.look(), opening.context)
        except BaseException:
            server.close()
            raise

    @property
    def facts(self) -> Mapping[str, object]:
        return {
            "address": self._server.address.base,
            "constraint": self.constraint.name,
            "reads": "tokens" if self.around else "text",
            "log_probabilities": self.is_scored,
            "weights": "not hashed: only the server has them",
            "why_not_repeatable": "what else the server reads at the same time is its own affair",
        }

    def refuse_unfit(self, query_size: int, temperature: float) -> None:
        if self.is_scored:
            return
        problem = f"{self._server.address.base} tells no log-probabilities"
        if query_size > FAIR:
            raise BackendError(
                f"{problem}: among labels of two digits it could not choose the likeliest.",
                f"Have it tell them, or give --query-size {FAIR}.",
            )
        if temperature:
            raise BackendError(
                f"{problem}: there is nothing to draw from.",
                "Have it tell them, or leave --temperature away.",
            )

    # What the model says.

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        waiting: deque[tuple[Ask, float, Future[Choice]]] = deque()
        free = 0.0
        try:
            for ask in asks:
                self.refuse_unfit(len(ask.prompt.labels), ask.temperature)
                waiting.append((ask, time.perf_counter(), self._server.start(self._choose(ask))))
                if len(waiting) >= self._at_once:
                    yield self._result(*waiting[0], free)
                    free = time.perf_counter()
                    waiting.popleft()
            while waiting:
                yield self._result(*waiting[0], free)
                free = time.perf_counter()
                waiting.popleft()
        finally:
            for _, _, future in waiting:
                future.cancel()

    def _result(
        self, ask: Ask, began: float, future: Future[Choice], free: float
    ) -> Choice | AnswerError:
        """Of queries that overlap, each second counts for one: the first that was waited for."""
        try:
            choice = future.result()
        except AnswerError as error:
            return error
        # What a server counts of a text leaves out the answer's beginning, which it reads as well.
        told = choice.prompt_tokens if self.around or not self._way else 0
        # Without its tokenizer only an estimate could stand in, which is no count.
        read = told or (self.count_prompt(ask.prompt) if self._way else 0)
        spent = time.perf_counter() - max(began, free)
        return replace(choice, prompt_tokens=read, seconds=spent)

    async def _choose(self, ask: Ask) -> Choice:
        lane = await self.begin(ask.prompt)
        if not self.is_scored:
            return await self._choose_unscored(ask, lane)
        query = OpenQuery(ask)
        for turn in range(ask.quota):
            labels = Labels(query.labels, partial(self.told, lane), self._widest)
            query.take(await labels.score(), turn)
            if turn + 1 < ask.quota:
                await self.write(lane, query.last)
        return query.choice(lane.prompt_tokens, 0.0)

    async def _choose_unscored(self, ask: Ask, lane: Lane) -> Choice:
        """The picks alone: there are no probabilities to tell."""
        left = list(ask.prompt.labels)
        for _ in range(ask.quota):
            reply = await self.reply(lane, "", [label + TERMINATOR for label in left])
            label = reply.answer.removesuffix(TERMINATOR)
            left.remove(label)
            await self.write(lane, label)
        places = tuple(ask.prompt.labels.index(label) for label in lane.chosen)
        return Choice(places, (), (), lane.prompt_tokens, 0.0)

    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        for prompt in prompts:
            room = max(min(limit, self.context - self.count_prompt(prompt)), 1)
            yield self._server.wait(self._line(prompt, room))

    async def _line(self, prompt: Prompt, limit: int) -> str:
        body = {"model": self.name, "temperature": 0, "max_tokens": limit}
        try:
            said = from_chat(
                await self._server.ask(
                    "/chat/completions", {**body, "messages": messages(prompt)}, Chat
                )
            )
        except AnswerError:
            return ""
        return said.text.strip().partition("\n")[0]

    # What keeps the model to the labels.

    def run_canary(self) -> None:
        """Asks for what nobody would say, in every way until the server does say it.

        Raises:
            BackendError: it never does, so that every answer would be a guess.
        """
        why = ""
        for takes_tokens in (True, False) if self.around else (False,):
            self.around = self.around if takes_tokens else None
            wanted = self._server.wait(self._wanted())
            for constraint in (STRUCTURED,) if takes_tokens else CONSTRAINTS:
                for is_scored in (True, False):
                    self.constraint, self.is_scored = constraint, is_scored
                    try:
                        self._server.wait(self._sing(wanted))
                    except AnswerError as error:
                        why = why or str(error)
                        continue
                    self.context -= WRAPPING if constraint.is_json else 0
                    return
        raise BackendError(
            f"{self._server.address.model} cannot be held to valid answers: {why}.",
            "docs/servers.md says which servers can.",
        )

    async def _wanted(self) -> str:
        """What it says to the canary when nothing is forbidden; empty if nothing."""
        body: dict[str, object] = {"model": self.name, "temperature": 0, "max_tokens": WANTED}
        try:
            if self.around:
                body["prompt"] = list(await self.prompt_ids(CANARY))
                return from_text(await self._server.ask("/completions", body, Text)).text.strip()
            body["messages"] = messages(CANARY)
            said = from_chat(await self._server.ask("/chat/completions", body, Chat))
        except AnswerError:
            return ""
        return said.text.strip().removeprefix(CANARY.answer)

    async def _sing(self, wanted: str) -> None:
        for either, other in FORBIDDING:
            would_say = any(label[0] == wanted[:1] for label in either)
            labels = other if would_say else either
            lane = await self.begin(CANARY)
            if self.is_scored:
                known = Labels(labels, partial(self.told, lane), self._widest)
                await known.score()
                self._widest = known.widest
            else:
                await self.reply(lane, "", [label + TERMINATOR for label in labels])


def connect(opening: Opening) -> Server:
    """The server that a model's name means.

    Raises:
        UsageError: localsel may not ask there.
    """
    return Server(address_of(opening.model, opening.hosts), api_key())
