"""A query and some legal answers → the one that a server gives, and what it tells of its tokens.

A server that takes tokens is given the whole prompt as tokens, its answer begun. Any other is sent
a message, and is held to beginning its answer in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from localsel.backends.openai_constraint import STRUCTURED, WRAPPING, Constraint
from localsel.backends.openai_http import Card, Server
from localsel.backends.openai_labels import Told, told
from localsel.backends.openai_replies import Chat, Said, Text, from_chat, from_text
from localsel.backends.openai_tokens import ServerTokens, neutral
from localsel.errors import AnswerError
from localsel.records import Prompt, after_pick

TELLS = 20
"""Tokens of which a server is asked for the probability; many allow no more."""
BIAS = 100


@dataclass
class Lane:
    """A query on its way.

    Attributes:
        written: the answer so far, up to the next label; `ids` are all tokens up to there, for a
            server that takes them.
        prompt_tokens: what the server read, by its own count.
    """

    prompt: Prompt
    ids: tuple[int, ...] = ()
    written: str = ""
    chosen: list[str] = field(default_factory=list)
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer without what was written before it, which ends at `start` in what was said."""

    answer: str
    said: Said
    start: int


class Asking(ServerTokens):
    """Puts questions to one model at a server.

    Attributes:
        constraint: what holds it to the legal answers.
        is_scored: whether it tells log-probabilities.
    """

    def __init__(self, server: Server, card: Card, context: int | None) -> None:
        super().__init__(server, card, context)
        self.constraint: Constraint = STRUCTURED
        self.is_scored = True
        self._biases: dict[str, dict[str, int]] = {}

    async def begin(self, prompt: Prompt) -> Lane:
        ids = await self.prompt_ids(prompt) if self.around else ()
        return Lane(prompt, ids, prompt.answer)

    async def write(self, lane: Lane, label: str) -> None:
        """Goes on behind a pick."""
        lane.chosen.append(label)
        lane.written += after_pick(label)
        if self.around:
            # As it would be spelled behind the bracket that is there.
            bracket, both = await self.ids("["), await self.ids("[" + after_pick(label))
            lane.ids += both[len(bracket) :]

    async def told(self, lane: Lane, begun: str, answers: Sequence[str]) -> Told:
        """What follows after an answer is begun like this; see `Labels`."""
        reply = await self.reply(lane, begun, answers)
        if reply.said.heard is None:
            raise AnswerError("the server tells nothing of its tokens")
        text = "".join(each.token for each in reply.said.heard)
        # The space before a first word may be in its token, and not in the text.
        start = 0 if text.startswith(reply.said.text) else len(text) - len(text.lstrip())
        if not text[start:].startswith(reply.said.text):
            raise AnswerError("the server's tokens do not make up its text")
        return told(reply.said.heard, start + reply.start, begun if self.around else "")

    async def reply(self, lane: Lane, begun: str, answers: Sequence[str]) -> Reply:
        """One of these answers, all of which begin with what is begun.

        Raises:
            AnswerError: it is not one of them.
        """
        if self.around:
            return await self._complete(lane, begun, [a.removeprefix(begun) for a in answers])
        return await self._chat(lane, [lane.written + answer for answer in answers])

    async def _complete(self, lane: Lane, begun: str, rests: Sequence[str]) -> Reply:
        body = self._body(rests) | {"prompt": [*lane.ids, *await self.ids(begun)]}
        if self.is_scored:
            body["logprobs"] = TELLS
        said = from_text(await self._server.ask("/completions", body, Text))
        lane.prompt_tokens = lane.prompt_tokens or said.prompt_tokens
        return Reply(begun + self.constraint.read(said, rests), said, 0)

    async def _chat(self, lane: Lane, wholes: Sequence[str]) -> Reply:
        body = self._body(wholes) | {"messages": messages(lane.prompt)}
        if self.is_scored:
            body |= {"logprobs": True, "top_logprobs": TELLS}
        if bias := await self._bias(lane.prompt.answer):
            body["logit_bias"] = bias
        said = from_chat(await self._server.ask("/chat/completions", body, Chat))
        if said.prompt_tokens > self.context:
            raise AnswerError(
                f"the prompt took {said.prompt_tokens:,} tokens, more than the {self.context:,} of"
                " --context: it may have been cut"
            )
        text = self.constraint.read(said, wholes)
        lane.prompt_tokens = lane.prompt_tokens or said.prompt_tokens
        start = self.constraint.start(said, lane.written)
        return Reply(text.removeprefix(lane.written), said, start)

    def _body(self, answers: Sequence[str]) -> dict[str, object]:
        room = max(map(len, answers)) + 2 + (WRAPPING if self.constraint.is_json else 0)
        fixed = {"model": self.name, "temperature": 0, "max_tokens": room}
        return {**fixed, **self.constraint.fields(answers)}

    async def _bias(self, answer: str) -> dict[str, int]:
        """Has the beginning of an answer spelled as the tokenizer does; labels stay as they are."""
        if not self._way:
            return {}
        if answer not in self._biases:
            wanted = {*await self.ids(answer), *await self.ids(answer + after_pick("1"))}
            try:
                spelled = {each: await self.spelled((each,)) for each in wanted}
            except AnswerError:
                spelled = {}
            kept = [each for each, text in spelled.items() if text.strip("0123456789]")]
            self._biases[answer] = {str(each): BIAS for each in kept}
        return self._biases[answer]


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """What is sent: no system message, which Gemma-2's template refuses."""
    return [{"role": "user", "content": neutral(prompt.content)}]
