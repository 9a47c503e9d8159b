"""A Hugging Face folder and prompts → scored choices, all queries of a stage at once, through vLLM.

Every answer is generated under its own constraint and counts only if vLLM says that it came to its
end. The log-probabilities of the legal tokens are read off the way; for the other beginnings of
labels one short request each is answered from the prefix cache.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np

from localsel.backends.base import (
    READ_TOGETHER,
    Ask,
    Backend,
    Beginning,
    Choice,
    Likelihood,
    Opening,
    Passage,
    Reader,
)
from localsel.backends.constraint import Constraint, Logits, pattern
from localsel.backends.constraint import Path as TokenPath
from localsel.backends.hf_folder import found
from localsel.backends.hf_tokens import HfTokens, load_tokenizer
from localsel.backends.open_query import OpenQuery
from localsel.backends.passages import LaidOut
from localsel.backends.vllm_engine import LOGPROBS, end, gpus_here, replies, start
from localsel.backends.vllm_likelihood import continuations, likelihoods
from localsel.errors import AnswerError, BackendError
from localsel.records import TERMINATOR, Prompt

AT_ONCE, AT_ONCE_ON_CPU = 512, 16
"""Queries handed over at once; what they answer is kept when all of them have.

A GPU needs many to be busy. A CPU does not, and takes seconds for each that a kill would lose.
"""

LONGEST = 16
"""Tokens of one answer; a label takes one to four."""


class VllmBackend(HfTokens, Backend):
    """One engine. Who shares a batch with whom is its own affair."""

    repeatable = False
    honours = frozenset({"gpus", "gpu_memory", "constraint"})

    def __init__(self, engine: Any, tokenizer: Any, context: int, at_once: int) -> None:
        super().__init__(tokenizer, context)
        self._engine, self._at_once = engine, at_once

    @property
    def numbers(self) -> str:
        kind = self._engine.llm_engine.model_config.dtype
        return f"{super().numbers}/{kind}/{self._at_once}"

    @property
    def facts(self) -> Mapping[str, object]:
        return {"why_not_repeatable": READ_TOGETHER}

    def side_by_side(self, tokens: int) -> int:
        return self._at_once

    @classmethod
    def open(cls, opening: Opening) -> Self:
        folder, context = found(opening)
        here = gpus_here(opening)
        tokenizer = load_tokenizer(folder)
        engine = start(folder, context, opening, here)
        backend = cls(engine, tokenizer, context, AT_ONCE if here else AT_ONCE_ON_CPU)
        try:
            backend.run_canary()
        except BaseException:
            backend.close()
            raise
        return backend

    @classmethod
    def open_reader(cls, opening: Opening) -> Reader:
        folder, context = found(opening)
        return HfTokens(load_tokenizer(folder), context)

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            end(engine)

    # What the model says.

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        waiting = iter(asks)
        while batch := list(islice(waiting, self._at_once)):
            yield from self._choose(batch)

    def _choose(self, asks: Sequence[Ask]) -> list[Choice | AnswerError]:
        started = time.perf_counter()
        prompts = [(*self._head_tokens(a.prompt), *self._tail_tokens(a.prompt)) for a in asks]
        lanes = [Lane(OpenQuery(ask), prompt) for ask, prompt in zip(asks, prompts, strict=True)]
        for turn in range(max(ask.quota for ask in asks)):
            self._take_turn([lane for lane in lanes if lane.wants(turn)], turn)
        spent = (time.perf_counter() - started) / len(asks)
        return [
            lane.failed or lane.query.choice(len(prompt), spent)
            for lane, prompt in zip(lanes, prompts, strict=True)
        ]

    def _take_turn(self, lanes: Sequence[Lane], turn: int) -> None:
        """One more pick for each of these queries."""
        for lane in lanes:
            if turn:
                lane.read += tuple(self._after_pick(lane.query.last))
        self._look([(lane, ()) for lane in lanes])
        self._look(
            [
                (lane, path)
                for lane in lanes
                for path in self._constraint.paths(lane.query.labels)
                if path not in lane.known and not lane.failed
            ]
        )
        for lane in lanes:
            lane.take(self._constraint, turn)

    def _look(self, wanted: Sequence[tuple[Lane, TokenPath]]) -> None:
        """Has answers completed from these beginnings, and reads the log-probabilities there."""
        asked = [(lane, path) for lane, path in wanted if lane.fits(path, self.context)]
        if not asked:
            return
        rests = [rest(lane.query.labels, self._text(path)) for lane, path in asked]
        said = self._ask([(*lane.read, *path) for lane, path in asked], rests)
        for (lane, path), each, legal in zip(asked, said, rests, strict=True):
            lane.hear(path, each, legal, self._width)

    def _ask(self, prompts: Sequence[Sequence[int]], patterns: Sequence[str]) -> list[Any]:
        """What the model says after each of these, under its pattern unless that is empty.

        Raises:
            BackendError: the engine cannot answer; after that it answers nothing at all.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        wanted = [
            SamplingParams(
                max_tokens=LONGEST,
                temperature=0,
                logprobs=LOGPROBS,
                structured_outputs=StructuredOutputsParams(regex=each) if each else None,
            )
            for each in patterns
        ]
        return [each.outputs[0] for each in replies(self._engine, prompts, wanted)]

    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        from vllm import SamplingParams

        for prompt in prompts:
            tokens = [*self._head_tokens(prompt), *self._tail_tokens(prompt)]
            room = max(min(limit, self.context - len(tokens)), 1)
            wanted = SamplingParams(max_tokens=room, temperature=0, stop=["\n"])
            (said,) = replies(self._engine, [tokens], [wanted])
            yield str(said.outputs[0].text).strip().partition("\n")[0]

    def logprobs(
        self, passages: Iterable[Passage], limit: int | None = None
    ) -> Iterator[Likelihood | AnswerError]:
        waiting = iter(passages)
        while batch := list(islice(waiting, self._at_once)):
            laid = [self.lay_out(each, limit) for each in batch]
            told = iter(likelihoods(self._engine, [e for e in laid if isinstance(e, LaidOut)]))
            yield from (next(told) if isinstance(each, LaidOut) else each for each in laid)

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        waiting = iter(beginnings)
        while batch := list(islice(waiting, self._at_once)):
            texts = [self.begun(each) for each in batch]
            begun = [(t, b) for t, b in zip(texts, batch, strict=True) if isinstance(t, tuple)]
            told = iter(continuations(self._engine, begun, limit, self.context))
            said = (next(told) if isinstance(text, tuple) else text for text in texts)
            yield from (e if isinstance(e, AnswerError) else self._text(e) for e in said)

    # What keeps the model to the labels.

    @cached_property
    def _width(self) -> int:
        return int(self._engine.llm_engine.model_config.get_vocab_size())

    @cached_property
    def _constraint(self) -> Constraint:
        eos = self._tokenizer.eos_token_id
        return Constraint(self.spellings, self._width if eos is None else int(eos))

    def run_canary(self) -> None:
        """Asks for what the constraint forbids.

        Raises:
            BackendError: vLLM delivers it, or cannot answer at all.
        """
        prompt = Prompt("Say yes or no.", (), "", "Best: [")
        tokens = (*self._head_tokens(prompt), *self._tail_tokens(prompt))
        favourite = str(self._ask([tokens], [""])[0].text)[:1]
        labels = [each for each in ("7", "8", "12", "13") if each[0] != favourite]
        (said,) = self._ask([tokens], [pattern(labels)])
        if said.finish_reason != "stop" or not re.fullmatch(pattern(labels), said.text):
            raise BackendError(
                f"vLLM let a forbidden answer through: {said.text[:40]!r}.",
                "See `localsel doctor`.",
            )


class Lane:
    """A query on its way through vLLM: what it has read, and what was heard after it.

    Attributes:
        known: logits by what of the next answer is there already; reset with every pick.
        failed: why it got no answer.
    """

    def __init__(self, query: OpenQuery, read: tuple[int, ...]) -> None:
        self.query, self.read = query, read
        self.known: dict[TokenPath, Logits] = {}
        self.failed: AnswerError | None = None

    def wants(self, turn: int) -> bool:
        """Whether another pick of it is missing."""
        return self.failed is None and turn < self.query.quota

    def fits(self, path: TokenPath, context: int) -> bool:
        """Whether there is room to answer after `path`: one prompt too many fails the batch."""
        read = len(self.read) + len(path)
        if read >= context:
            self.failed = AnswerError(f"the prompt takes {read} tokens of a context of {context}")
        return read < context

    def hear(self, path: TokenPath, said: Any, legal: str, width: int) -> None:
        """Keeps what was told of every token of an answer that came to its end."""
        if said.finish_reason != "stop":
            self.failed = AnswerError(f"vLLM ended an answer with {said.finish_reason!r}")
        elif not re.fullmatch(legal, said.text):
            self.failed = AnswerError("the constraint was lost: another answer came through")
        else:
            for place, heard in enumerate(said.logprobs):
                self.known[(*path, *said.token_ids[:place])] = logits_of(heard, width)

    def take(self, constraint: Constraint, turn: int) -> None:
        """Makes the pick of this turn."""
        if self.failed:
            return
        try:
            self.query.take(constraint.score(self.query.labels, self.known.__getitem__), turn)
        except (AnswerError, KeyError) as error:
            self.failed = AnswerError(f"vLLM did not say enough: {error}")
        self.known = {}


NEVER = np.float32(-1e30)


def logits_of(heard: Mapping[int, Any], width: int) -> Logits:
    """Log-probabilities [vocabulary] of what vLLM told; of the rest, as good as none."""
    logits = np.full(width, NEVER, dtype=np.float32)
    for token, each in heard.items():
        if token < width and each.logprob > -np.inf:
            logits[token] = each.logprob
    return logits


def rest(labels: Sequence[str], begun: str) -> str:
    """The regular expression of what completes an answer that begins like this."""
    ends = [
        f"{label}{TERMINATOR}".removeprefix(begun)
        for label in labels
        if f"{label}{TERMINATOR}".startswith(begun)
    ]
    return f"(?:{'|'.join(sorted(map(re.escape, ends), key=lambda end: (-len(end), end)))})"
