"""Rows and questions about them → how probable a model finds each rating, and what that will cost.

What every method that has a model rate rows has in common. A template names the ratings that there
are; the model is held to them, and all their probabilities are had at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np

from localsel.backends.base import Ask, Backend, Choice
from localsel.errors import AnswerError
from localsel.methods.base import Method, Pool, Progress, Remark, Unscored
from localsel.methods.fitting import Fitter
from localsel.methods.measuring import answered, key_of, measure, some_of
from localsel.records import Instruction, Prompt
from localsel.stages.prompt import find_template
from localsel.wording import counted

TIMED = 6
"""Questions that a dry run asks."""
ASKED_AS = 1
"""Raised whenever the same question would be read otherwise than before."""

Parts: TypeAlias = Callable[[Instruction], list[str]]
Ratings: TypeAlias = list[list[float] | None]


def asked(instruction: Instruction) -> list[str]:
    """The parts of a row that ask, for a question about them alone."""
    given = [f"Input:\n{instruction.input}"] if instruction.input else []
    return [f"Instruction:\n{instruction.instruction}", *given]


def pair(instruction: Instruction) -> list[str]:
    """The same, and the response."""
    return [*asked(instruction), f"Response:\n{instruction.response}"]


class Rating(Method):
    """A method that has a model rate rows.

    Attributes:
        questions: the templates that it asks with, and what of a row each is filled with.
    """

    needs_backend = True
    needs_responses = True
    questions: ClassVar[Mapping[str, Parts]]

    def ratings(
        self, instructions: Sequence[Instruction]
    ) -> Generator[Progress | Remark | Unscored, None, list[Ratings]]:
        """For each question the probabilities of its ratings, lowest first, by each row."""
        backend, put = self._backend, self._put(instructions)
        keys, cut = [], set[int]()
        for each in put:
            ask, shortened = each.ask()
            keys.append(key_of_prompt(ask.prompt))
            if shortened:
                cut.add(each.instruction.row)
        if cut:
            context = f"the context of {backend.context:,} tokens"
            yield Remark(
                f"{counted(len(cut), 'row')} did not fit {context}, and lost their middle."
            )
        values = yield from measure(
            self.tools.scores,
            f"rating/{ASKED_AS}/{self.tools.selector}/{backend.numbers}"
            f"/{backend.context}/{self.tools.settings.constraint}",
            [each.instruction.row for each in put],
            keys,
            lambda places: rated(backend, (put[place].ask()[0] for place in places)),
        )
        size = len(instructions)
        return [values[at * size : (at + 1) * size] for at in range(len(self.questions))]

    def estimate(self, pool: Pool) -> Mapping[str, object]:
        """Counts the tokens of all questions, asks a few, and multiplies."""
        if self.tools.backend is None:
            return {}
        places, _ = answered(pool.instructions)
        put = self._put([pool.instructions[place] for place in places])
        fitted = [each.ask() for each in put]
        tokens = [self._backend.count_prompt(ask.prompt) for ask, _ in fitted]
        said = self._backend.choose(ask for ask, _ in some_of(fitted, TIMED))
        choices = [each for each in said if isinstance(each, Choice)]
        seconds = sum(each.seconds for each in choices)
        read = sum(each.prompt_tokens for each in choices)
        return {
            "prompt_tokens": sum(tokens),
            "longest_prompt": max(tokens, default=0),
            "context": self._backend.context,
            "shortened": sum(shortened for _, shortened in fitted),
            "timed_queries": len(choices),
            "tokens_per_second": round(read / seconds, 1) if seconds else None,
            "choose_seconds": round(sum(tokens) * seconds / read, 1) if read else 0.0,
        }

    @property
    def _backend(self) -> Backend:
        assert self.tools.backend is not None
        return self.tools.backend

    def _put(self, instructions: Sequence[Instruction]) -> list[Question]:
        """Every question about every row: one after the other, since all rows share its head."""
        readers = self.tools.readers or (self._backend,)
        fitters = {
            name: Fitter(readers, find_template(name), criteria=None) for name in self.questions
        }
        return [
            Question(each, parts, fitters[name])
            for name, parts in self.questions.items()
            for each in instructions
        ]


@dataclass(frozen=True, slots=True)
class Question:
    """A row, the parts of it that are shown, and the template that they are put into."""

    instruction: Instruction
    parts: Parts
    fitter: Fitter

    def ask(self) -> tuple[Ask, bool]:
        """What the backend is asked, and whether the row was shortened."""
        prompt, cut = self.fitter.fit(self.parts(self.instruction), 1)
        return Ask(prompt, 1, seed=(self.instruction.row,)), bool(cut)


def key_of_prompt(prompt: Prompt) -> bytes:
    """The digest of all that a model reads, and of what it may answer."""
    return key_of(prompt.head, *prompt.candidates, prompt.tail, prompt.answer, *prompt.options)


def rated(backend: Backend, asks: Iterable[Ask]) -> Iterator[list[float] | AnswerError]:
    """The probabilities of the ratings, in the order of asking; what fails is asked once more."""
    waiting: deque[Ask] = deque()

    def noted() -> Iterator[Ask]:
        for ask in asks:
            waiting.append(ask)
            yield ask

    for said in backend.choose(noted()):
        ask = waiting.popleft()
        if isinstance(said, AnswerError):
            said = next(iter(backend.choose([replace(ask, seed=(*ask.seed, 1))])))
        yield said if isinstance(said, AnswerError) else probabilities(said)


def probabilities(choice: Choice) -> list[float] | AnswerError:
    """Of every rating, as floats that add up to 1."""
    if not choice.scores:
        return AnswerError("what runs the model does not tell how probable an answer is")
    found: list[float] = np.exp(choice.scores).tolist()
    return found


def expected(likely: Sequence[float], options: Sequence[str]) -> float:
    """The mean of the ratings, each counted as much as it is probable."""
    return float(np.average([float(each) for each in options], weights=likely))
