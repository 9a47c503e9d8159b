"""Prompts in, constrained answers with their probabilities out: what every backend promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from localsel.errors import AnswerError, BackendError
from localsel.records import Prompt

CUT = " […] "
CAN_TELL = "llamacpp, transformers and vllm do: give a GGUF file or a Hugging Face folder."
READ_TOGETHER = "queries are read together, and who is read with whom changes the last bits"


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open a selector: `model` as the user named it, and the limits of this machine.

    `exact`: in the numbers of its files, where a backend would take shorter ones on a GPU.
    """

    model: str
    context: int | None = None
    threads: int | None = None
    gpus: int = 1
    gpu_memory: float | None = None
    constraint: str = "outlines"
    hosts: tuple[str, ...] = ()
    concurrency: int | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One query for a backend: choose `quota` of the prompt's labels, best first.

    `temperature` 0 takes the most probable label; above 0 labels are drawn from `seed`, a tuple
    that names this query and order.
    """

    prompt: Prompt
    quota: int
    temperature: float = 0.0
    seed: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Choice:
    """What came back: positions (from 0) of the chosen labels, best first.

    `probabilities[i]` is that of choice i among the labels left for it; `scores` holds the
    natural-log probability of every label at the first choice.
    """

    positions: tuple[int, ...]
    probabilities: tuple[float, ...]
    scores: tuple[float, ...]
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Passage:
    """How probable is `answer` after each of `befores`? The same tokens of it after all of them.

    The model reads the token that its vocabulary begins every text with, if it has one; then
    `before`; then `answer`. Each is tokenised by itself, special tokens not parsed and without a
    chat template, so the answer's tokens do not depend on what comes before it.
    """

    befores: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Summed natural-log probability of an answer's first `tokens` tokens after each `before`.

    `read` counts all tokens that were evaluated for it.
    """

    logprobs: tuple[float, ...]
    tokens: int
    read: int

    @property
    def losses(self) -> tuple[float, ...]:
        """Mean negative log-probability of a token, after each `before`."""
        return tuple(-each / self.tokens for each in self.logprobs)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A text to go on with, read as a `Passage` reads it.

    `temperature` 0 takes the most probable token; above 0 tokens are drawn from `seed`.
    """

    text: str
    temperature: float = 0.0
    seed: tuple[int, ...] = (0,)


class Reader(ABC):
    """The half of a backend that reads: counts tokens and cuts texts, and asks nothing.

    Attributes:
        context: tokens that a prompt and its answer may have together.
    """

    context: int

    @abstractmethod
    def count(self, text: str) -> int:
        """Tokens of `text`, special tokens not parsed."""

    def at_most(self, text: str) -> int:
        """A number that `count` does not exceed, cheaper to have where a backend knows one."""
        return self.count(text)

    @abstractmethod
    def count_prompt(self, prompt: Prompt) -> int:
        """Tokens of a whole rendered query, the chat template included."""

    def whole(self, prompt: Prompt) -> str:
        """Everything that the model reads, its chat template included."""
        return prompt.content + "\n" + prompt.answer

    @abstractmethod
    def shorten(self, text: str, room: int) -> str:
        """`text` cut to about `room` tokens: two thirds from its start, one third from its end."""

    def close(self) -> None:
        """Gives the memory back. The default has none to give."""


class Backend(Reader):
    """Runs one selector. Opened by `pipeline`, handed to a method, closed by `pipeline`.

    `repeatable` says whether the same prompts give the same bits; the run record passes it on.
    `is_scored`: whether its choices come with their log-probabilities.
    `honours` names the limits of an `Opening` that it can keep, beside those that all can.
    """

    repeatable: bool = True
    is_scored: bool = True
    honours: frozenset[str] = frozenset()

    @property
    def numbers(self) -> str:
        """Who computes, and in what: a score of another is another score, in the last bits."""
        return type(self).__name__

    @property
    def facts(self) -> Mapping[str, object]:
        """What the run record says of how it answers. The default has nothing to say."""
        return {}

    def side_by_side(self, tokens: int) -> int:
        """How many texts it goes on with together, of so many tokens each with what it writes."""
        return 1

    @classmethod
    @abstractmethod
    def open(cls, opening: Opening) -> Self:
        """Loads the model and runs the canary.

        Raises:
            BackendError: the model cannot be used, or its answers cannot be constrained.
        """

    @classmethod
    def open_reader(cls, opening: Opening) -> Reader:
        """What reads as the open model does, without its weights where that can be had.

        Raises:
            BackendError: the model cannot be used.
        """
        return cls.open(opening)

    def refuse_unfit(self, query_size: int, temperature: float) -> None:
        """Raises BackendError for queries that it could not answer. The default can all."""

    @abstractmethod
    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        """Answers in the order of asking. A failed one is yielded, not raised: others go on."""

    @abstractmethod
    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        """Free text, one line of at most `limit` tokens for each prompt, most probable first.

        Nothing constrains it, and nothing that is chosen may depend on it.
        """

    def logprobs(
        self, passages: Iterable[Passage], limit: int | None = None
    ) -> Iterator[Likelihood | AnswerError]:
        """How probable the answers are, in the order of asking; a failed one is yielded.

        An answer is cut so that the longest of its texts has at most `limit` tokens [the context].
        One of which nothing is left, or that has no tokens, fails.

        Raises:
            BackendError: this backend cannot tell.
        """
        raise BackendError("This backend does not tell how probable a text is.", CAN_TELL)

    def complete(self, beginnings: Iterable[Beginning], limit: int) -> Iterator[str | AnswerError]:
        """What the model goes on with: at most `limit` tokens, up to the end that it sets itself.

        One that leaves no room in the context fails: it is yielded, and others go on.

        Raises:
            BackendError: this backend cannot.
        """
        raise BackendError("This backend does not go on with a text.", CAN_TELL)


def take(scores: NDArray[np.float64], ask: Ask, turn: int) -> int:
    """The place of the chosen label in `scores` [labels], natural logs that sum to 1."""
    if ask.temperature == 0:
        return int(np.argmax(scores))
    heat = np.exp((scores - scores.max()) / ask.temperature)
    generator = np.random.default_rng((*ask.seed, turn))
    return int(generator.choice(len(scores), p=heat / heat.sum()))


def keep_ends(pieces: Sequence[int], room: int) -> tuple[Sequence[int], Sequence[int]]:
    """Two thirds of `room` from the start of `pieces` and one third from their end."""
    end = room // 3
    return pieces[: room - end], pieces[len(pieces) - end :] if end else ()
