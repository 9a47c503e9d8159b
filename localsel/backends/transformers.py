"""A Hugging Face folder and prompts → scored choices, in batches, through transformers.

The backend that needs nothing more than the embedder does, and the reference for the others: every
logit is the model's own, in float32 on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from localsel.backends.base import READ_TOGETHER, Ask, Backend, Choice, Opening, Reader
from localsel.backends.constraint import Constraint, Logits
from localsel.backends.constraint import Path as TokenPath
from localsel.backends.hf_folder import found
from localsel.backends.hf_lane import Lane
from localsel.backends.hf_likelihood import failed
from localsel.backends.hf_tokens import HfTokens, first_line, load_tokenizer
from localsel.backends.hf_weights import CAUSAL, load_weights
from localsel.backends.hf_writing import HfWriting
from localsel.backends.open_query import OpenQuery
from localsel.errors import AnswerError, BackendError
from localsel.records import Prompt

TOKENS_AT_ONCE = 8192
"""Tokens of a batch on a GPU, padding included; a longer query is a batch of its own."""


class TransformersBackend(HfWriting, Backend):
    """One loaded model and its evaluated prompt head."""

    def __init__(
        self, model: Any, tokenizer: Any, context: int, tokens_at_once: int | None = None
    ) -> None:
        super().__init__(tokenizer, context, model)
        # Who shares a batch with whom changes the last bits, and a resumed run makes other
        # batches. A CPU gains nothing by them: there every query is read alone.
        on_gpu = model.device.type != "cpu"
        self._at_once = tokens_at_once or (TOKENS_AT_ONCE if on_gpu else 0)
        self.repeatable = not self._at_once
        self._head: tuple[int, ...] = ()
        self._cache: Any = None

    @property
    def numbers(self) -> str:
        return f"{super().numbers}/{self._model.device.type}/{self._model.dtype}"

    @property
    def facts(self) -> Mapping[str, object]:
        return {} if self.repeatable else {"why_not_repeatable": READ_TOGETHER}

    @classmethod
    def open(cls, opening: Opening) -> Self:
        folder, context = found(opening)
        tokenizer = load_tokenizer(folder)
        backend = cls(load(folder, opening.threads), tokenizer, context)
        backend.run_canary()
        return backend

    @classmethod
    def open_reader(cls, opening: Opening) -> Reader:
        folder, context = found(opening)
        return HfTokens(load_tokenizer(folder), context)

    @property
    def parameters(self) -> int:
        """Weights of the model, counted."""
        return int(self._model.num_parameters())

    def close(self) -> None:
        self._model = self._cache = None

    # What the model says.

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        for batch in self._batches(asks):
            try:
                yield from self._choose(batch)
            except AnswerError as error:
                yield from [error] * len(batch)
            except (RuntimeError, ValueError, IndexError) as error:
                yield from [failed(error)] * len(batch)

    def _batches(self, asks: Iterable[Ask]) -> Iterator[list[tuple[Ask, list[int]]]]:
        """As many queries as may be read at once, padded to the longest of them."""
        batch: list[tuple[Ask, list[int]]] = []
        longest, head = 0, None
        for ask in asks:
            tail = self._tail_tokens(ask.prompt)
            longest = max(longest, len(tail))
            if batch and (longest * (len(batch) + 1) > self._at_once or ask.prompt.head != head):
                yield batch
                batch, longest = [], len(tail)
            head = ask.prompt.head
            batch.append((ask, tail))
        if batch:
            yield batch

    def _choose(self, batch: Sequence[tuple[Ask, list[int]]]) -> list[Choice]:
        started = time.perf_counter()
        asks = [ask for ask, _ in batch]
        lane = self._lane(asks[0].prompt, len(batch))
        logits = lane.feed([tail for _, tail in batch])
        open_ = [OpenQuery(ask) for ask in asks]
        for turn in range(max(ask.quota for ask in asks)):
            if turn:
                # One that has all its picks reads on with nothing to say.
                logits = lane.feed([self._after_pick(each.last) for each in open_])
            scores = self._score([each.labels for each in open_], logits, lane)
            for each, own in zip(open_, scores, strict=True):
                each.take(own, turn)
        spent = (time.perf_counter() - started) / len(batch)
        return [
            each.choice(len(self._head) + len(tail), spent)
            for each, (_, tail) in zip(open_, batch, strict=True)
        ]

    def _score(
        self, labels: Sequence[Sequence[str]], logits: Logits, lane: Lane
    ) -> list[NDArray[np.float64]]:
        """Log-probabilities of each row's labels after what the lane has read."""
        paths = [self._constraint.paths(own) for own in labels]
        known: list[dict[TokenPath, Logits]] = [{(): row} for row in logits]
        for turn in range(max(map(len, paths))):
            asked = [own[turn] if turn < len(own) else () for own in paths]
            # Of those that ask nothing more, one token is read and what it says is left.
            said = lane.peek([path or (0,) for path in asked])
            for memory, path, row in zip(known, asked, said, strict=True):
                if path:
                    memory[path] = row
        return [
            self._constraint.score(own, memory.__getitem__)
            for own, memory in zip(labels, known, strict=True)
        ]

    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        for prompt in prompts:
            lane = self._lane(prompt, 1)
            tail = self._tail_tokens(prompt)
            room = min(limit, self.context - len(self._head) - len(tail))
            yield self._line(lane, lane.feed([tail]), room)

    def _line(self, lane: Lane, logits: Logits, room: int) -> str:
        """The most probable token again and again, to the end of the turn or of the line."""
        said: list[int] = []
        for _ in range(room):
            token = int(np.argmax(logits[0]))
            if token in self._ends or "\n" in self._text([*said, token]).lstrip():
                break
            said.append(token)
            logits = lane.feed([[token]])
        return self._text(said).strip().partition("\n")[0]

    def _lane(self, prompt: Prompt, count: int) -> Lane:
        self._evaluate_head(self._head_tokens(prompt))
        return Lane(self._model, self._cache, len(self._head), count)

    def _evaluate_head(self, head: tuple[int, ...]) -> None:
        import torch
        from transformers import DynamicCache

        if head != self._head:
            cache = DynamicCache()
            ids = torch.tensor([head], device=self._model.device)
            with torch.inference_mode():
                self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            self._head, self._cache = head, cache

    # What keeps the model to the labels.

    @cached_property
    def _constraint(self) -> Constraint:
        eos = self._tokenizer.eos_token_id
        return Constraint(self.spellings, self._width if eos is None else int(eos))

    def run_canary(self) -> None:
        """Asks for what the constraint forbids; see `Constraint.canary`."""
        prompt = Prompt("Say yes or no.", (), "", "Best: [")
        try:
            lane = self._lane(prompt, 1)
            logits = lane.feed([self._tail_tokens(prompt)])[0]
            again = lane.peek([[0]])[0], lane.peek([[0]])[0]
        except (RuntimeError, ValueError, AttributeError, TypeError, IndexError) as error:
            raise BackendError(
                f"transformers cannot evaluate a short prompt: {first_line(error)}.",
                "Models that make vectors of texts cannot choose.",
            ) from error
        if not np.allclose(*again, atol=1e-3):
            raise BackendError(
                "This model cannot go back to an earlier place of its prompt.",
                "Recurrent and hybrid models cannot be used.",
            )
        self._constraint.canary(logits)


def load(folder: Path, threads: int | None) -> Any:
    """Loads the weights: float32 on a CPU, as they are on a GPU. No code of the folder is run."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    on_gpu = torch.cuda.is_available()
    model = load_weights(CAUSAL, folder, "auto" if on_gpu else torch.float32)
    return model.to("cuda" if on_gpu else "cpu")
