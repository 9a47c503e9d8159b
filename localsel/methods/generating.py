"""Rows and an open model → what the model answers to them itself, kept as words.

What every method that has a model write answers has in common.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import ClassVar

from localsel.alpaca import before
from localsel.backends.base import Backend, Beginning
from localsel.errors import AnswerError
from localsel.methods.base import Method, Pool, Unscored
from localsel.methods.measuring import Measuring, key_of, measure, some_of
from localsel.methods.scoring import LAYOUT
from localsel.records import Instruction

TIMED = 3
"""Rows that a dry run has answered; more where a backend goes on with more of them side by side."""
SIZED = 24
"""Rows whose longest question says how many those are."""
HEAT = 1.0
"""The temperature at which answers are drawn."""

NOTHING = "the model wrote nothing"


class Writing(Method):
    """A method that has a model answer its rows.

    Attributes:
        turns: answers that are drawn for a row; without any it is one, of most probable tokens.
    """

    needs_backend = True
    reads_texts = True
    options: ClassVar[tuple[str, ...]] = ("new_tokens",)
    turns: ClassVar[int] = 0

    def written(
        self, instructions: Sequence[Instruction], backend: Backend, model: str
    ) -> Measuring[list[str]]:
        """The answers to each row, an empty one included. `model` names the weights."""
        settings = self.tools.settings
        name = f"written/{LAYOUT}/{model}/{backend.numbers}"
        name += f"/{backend.context}/{settings.new_tokens}"
        if self.turns:
            name += f"/{self.turns}/{HEAT}/{settings.seed}"
        return measure(
            self.tools.scores,
            name,
            [each.row for each in instructions],
            [key_of(before(each)) for each in instructions],
            lambda places: self.answers(backend, [instructions[place] for place in places]),
        )

    def answers(
        self, backend: Backend, instructions: Sequence[Instruction]
    ) -> Iterator[list[str] | AnswerError]:
        """All answers of a row together, in the order of the rows; a failed one is yielded."""
        beginnings = (each for row in instructions for each in self.beginnings(row))
        said = backend.complete(beginnings, self.tools.settings.new_tokens)
        for _ in instructions:
            yield _together(islice(said, self.turns or 1))

    def beginnings(self, instruction: Instruction) -> Iterator[Beginning]:
        """What the model goes on with. A row's draws depend on the seed and on its text alone."""
        text = before(instruction)
        if not self.turns:
            yield Beginning(text)
        digest = int.from_bytes(key_of(text)[:8])
        for turn in range(self.turns):
            yield Beginning(text, HEAT, (self.tools.settings.seed, digest, turn))

    def estimate(self, pool: Pool) -> Mapping[str, object]:
        """Counts the tokens of all questions, has a few answered, and multiplies."""
        if self.tools.backend is None:
            return {}
        return self.estimated(pool.instructions, self.tools.backend)

    def estimated(self, instructions: Sequence[Instruction], backend: Backend) -> dict[str, object]:
        """Of answers to all these rows. `new_tokens` is what they have at most.

        Where many are written side by side, one batch is timed: it takes about as long as one row.
        """
        turns, limit = self.turns or 1, self.tools.settings.new_tokens
        lengths = [backend.count(before(each)) for each in instructions]
        abreast = backend.side_by_side(max(some_of(lengths, SIZED), default=0) + limit)
        some = some_of(instructions, max(TIMED, abreast // turns))
        started = time.perf_counter()
        self.try_out(backend, some)
        spent = time.perf_counter() - started
        return {
            "prompt_tokens": turns * sum(lengths),
            "longest_prompt": max(lengths, default=0),
            "context": backend.context,
            "new_tokens": turns * limit * len(instructions),
            "choose_seconds": round(spent / max(len(some), 1) * len(instructions), 1),
        }

    def try_out(self, backend: Backend, instructions: Sequence[Instruction]) -> None:
        """All that is asked of the model about these rows, to be timed."""
        list(self.answers(backend, instructions))


def wordless(
    instructions: Sequence[Instruction], written: Sequence[list[str] | None]
) -> Unscored | None:
    """The rows to which an answer of the model has not one character."""
    rows = [
        each.row
        for each, answers in zip(instructions, written, strict=True)
        if answers is not None and not all(answers)
    ]
    return Unscored(dict.fromkeys(rows, NOTHING)) if rows else None


def _together(said: Iterable[str | AnswerError]) -> list[str] | AnswerError:
    answers: list[str] = []
    failed: AnswerError | None = None
    # Whatever failed, all of them are taken: the next row's come behind.
    for each in said:
        if isinstance(each, AnswerError):
            failed = failed or each
        else:
            answers.append(each)
    return failed or answers
