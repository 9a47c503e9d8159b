"""A Hugging Face folder and prompts → scored choices, all queries of a stage at once, through vLLM.

Every answer is generated under its own constraint and counts only if vLLM says that it came to its
end. The log-probabilities of the legal tokens are read off the way; for the other beginnings of
labels one short request each is answered from the prefix cache.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np

from localsel.backends.base import Ask, Backend, Choice, Opening, Reader
from localsel.backends.constraint import Constraint, Logits, pattern
from localsel.backends.constraint import Path as TokenPath
from localsel.backends.hf_folder import found
from localsel.backends.hf_tokens import HfTokens, first_line, load_tokenizer
from localsel.backends.open_query import OpenQuery
from localsel.errors import AnswerError, BackendError
from localsel.records import TERMINATOR, Prompt

AT_ONCE = 512
"""Queries handed over at once; what they answer is kept when all of them have."""

LONGEST = 16
"""Tokens of one answer; a label takes one to four."""

ENVIRONMENT = {
    # In this process: a worker of vLLM's own would open a socket, and outlive a kill.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}


class VllmBackend(HfTokens, Backend):
    """One engine. Who shares a batch with whom changes the last bits, and is its own affair."""

    repeatable = False

    def __init__(self, engine: Any, tokenizer: Any, context: int) -> None:
        super().__init__(tokenizer, context)
        self._engine = engine

    @classmethod
    def open(cls, opening: Opening) -> Self:
        folder, context = found(opening)
        backend = cls(load(str(folder), context, opening), load_tokenizer(folder), context)
        backend.run_canary()
        return backend

    @classmethod
    def open_reader(cls, opening: Opening) -> Reader:
        folder, context = found(opening)
        return HfTokens(load_tokenizer(folder), context)

    # What the model says.

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        waiting = iter(asks)
        while batch := list(islice(waiting, AT_ONCE)):
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
        self._look(lanes, [() for _ in lanes])
        paths = {id(lane): self._constraint.paths(lane.query.labels) for lane in lanes}
        missing = [
            (lane, path)
            for lane in lanes
            for path in paths[id(lane)]
            if path not in lane.known and not lane.failed
        ]
        self._look([lane for lane, _ in missing], [path for _, path in missing])
        for lane in lanes:
            lane.take(self._constraint, turn)

    def _look(self, lanes: Sequence[Lane], paths: Sequence[TokenPath]) -> None:
        """Has answers completed from these beginnings, and reads the log-probabilities there."""
        if not lanes:
            return
        texts = [self._text(path) for path in paths]
        rests = [rest(lane.query.labels, text) for lane, text in zip(lanes, texts, strict=True)]
        tokens = [(*lane.read, *path) for lane, path in zip(lanes, paths, strict=True)]
        for lane, path, said, legal in zip(
            lanes, paths, self._ask(tokens, rests), rests, strict=True
        ):
            lane.hear(path, said, legal, self._width)

    def _ask(self, prompts: Sequence[Sequence[int]], patterns: Sequence[str]) -> list[Any]:
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
        inputs = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        return [each.outputs[0] for each in self._engine.generate(inputs, wanted, use_tqdm=False)]

    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        from vllm import SamplingParams

        for prompt in prompts:
            tokens = [*self._head_tokens(prompt), *self._tail_tokens(prompt)]
            room = max(min(limit, self.context - len(tokens)), 1)
            wanted = SamplingParams(max_tokens=room, temperature=0, stop=["\n"])
            (said,) = self._engine.generate(
                [{"prompt_token_ids": tokens}], [wanted], use_tqdm=False
            )
            yield str(said.outputs[0].text).strip().partition("\n")[0]

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
        try:
            favourite = str(self._ask([tokens], [""])[0].text)[:1]
            labels = [each for each in ("7", "8", "12", "13") if each[0] != favourite]
            (said,) = self._ask([tokens], [pattern(labels)])
        except Exception as error:
            raise BackendError(
                f"vLLM cannot answer under a constraint: {first_line(error)}.",
                "Every answer would be a guess; see `localsel doctor`.",
            ) from error
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


LOGPROBS = 128
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


def load(folder: str, context: int, opening: Opening) -> Any:
    """Starts an engine in this process. No code of the folder is run.

    Raises:
        BackendError: vLLM is not installed, or cannot load the folder.
    """
    os.environ.update(ENVIRONMENT)
    if opening.threads:
        os.environ["OMP_NUM_THREADS"] = str(opening.threads)
    try:
        import torch
        from vllm import LLM
    except ImportError as error:
        raise BackendError(
            f"vLLM is not installed here: {first_line(error)}.",
            "pip install 'localsel[vllm]', or give --backend transformers.",
        ) from error
    on_gpu = torch.cuda.is_available()
    limits: dict[str, object] = {} if on_gpu else {"kv_cache_memory_bytes": 2**30}
    try:
        return LLM(
            folder,
            max_model_len=context,
            dtype="auto" if on_gpu else "float32",
            enforce_eager=not on_gpu,
            distributed_executor_backend="uni",
            structured_outputs_config={"backend": "outlines"},
            logprobs_mode="processed_logprobs",
            max_logprobs=LOGPROBS,
            enable_prefix_caching=True,
            trust_remote_code=False,
            load_format="safetensors",
            disable_log_stats=True,
            seed=0,
            **limits,
        )
    except Exception as error:
        raise BackendError(
            f"vLLM cannot load {folder}: {first_line(error)}.",
            "Is the folder whole, and is there memory enough? A smaller --context takes less.",
        ) from error
