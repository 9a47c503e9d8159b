"""Pairs of a text and the answer to it → tokens to learn from, and how many are read at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from localsel.backends.hf_tokens import HfTokens
from localsel.errors import InputError

IGNORED = -100
"""The target of a token that nothing is learnt from, as torch has it."""


@dataclass(frozen=True, slots=True)
class Example:
    """Tokens of a pair; those from `answer` on are learnt, all before are only read."""

    tokens: tuple[int, ...]
    answer: int

    @property
    def learnt(self) -> int:
        """Tokens in the loss. The first token of all follows from nothing."""
        return len(self.tokens) - max(self.answer, 1)


@dataclass(frozen=True, slots=True)
class Side:
    """Examples side by side, padded on the right.

    `targets[i][t]` is what row i is to say at place `first` + t; before `first` no row learns.
    """

    ids: list[list[int]]
    mask: list[list[int]]
    targets: list[list[int]]
    first: int


class Laying(HfTokens):
    """Lays pairs out as backends lay passages out, with the token behind that ends an answer."""

    def examples(self, pairs: Sequence[tuple[str, str]], length: int) -> list[Example]:
        """Those of which a token of the answer is left within `length`.

        Raises:
            InputError: there is none.
        """
        length = min(length, self.context)
        found = [example for pair in pairs if (example := self._example(*pair, length))]
        if not found:
            why = f"none of {len(pairs):,} answers has a token within {length:,}" if pairs else ""
            raise InputError(
                f"There is nothing to learn from: {why or 'no row was chosen'}.",
                "Give more tokens a row, or rows with responses.",
            )
        return found

    def _example(self, before: str, answer: str, length: int) -> Example | None:
        read, said = [*self._start, *self._tokens(before)], self._tokens(answer)
        example = Example((*read, *said, *self._end)[:length], len(read))
        return example if said and example.learnt > 0 else None

    @cached_property
    def _end(self) -> tuple[int, ...]:
        end = self._tokenizer.eos_token_id
        return () if end is None else (int(end),)


def sides(examples: Sequence[Example], at_once: int) -> Iterator[Side]:
    """The examples of one step, shortest first, about `at_once` tokens together with padding."""
    some: list[Example] = []
    for example in sorted(examples, key=lambda each: len(each.tokens)):
        if some and len(example.tokens) * (len(some) + 1) > at_once:
            yield _side(some)
            some = []
        some.append(example)
    if some:
        yield _side(some)


def _side(examples: Sequence[Example]) -> Side:
    width = max(len(example.tokens) for example in examples)
    first = min(max(example.answer, 1) for example in examples) - 1
    ids, mask, targets = [], [], []
    for tokens, answer in ((list(each.tokens), max(each.answer, 1)) for each in examples):
        padding = width - len(tokens)
        ids.append(tokens + [0] * padding)
        mask.append([1] * len(tokens) + [0] * padding)
        # What is said at a place is the token behind it; behind the last there is none.
        learnt = [IGNORED] * (answer - 1 - first) + tokens[answer:]
        targets.append(learnt + [IGNORED] * (padding + 1))
    return Side(ids, mask, targets, first)


def loss_of(model: Any, side: Side) -> Any:
    """The summed negative log-probability of what is learnt, in natural logs and float32."""
    import torch
    from torch.nn.functional import cross_entropy

    device = model.device
    targets = torch.tensor(side.targets, device=device)
    logits = model(
        input_ids=torch.tensor(side.ids, device=device),
        attention_mask=torch.tensor(side.mask, device=device),
        use_cache=False,
        logits_to_keep=targets.shape[1],
    ).logits
    return cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
