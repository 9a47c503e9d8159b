"""Hyper-parameters → how many steps there are, how fast each learns, and who comes when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from localsel.errors import UsageError


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is tuned. The defaults are MoDS's; rank and alpha are SelectLLM's.

    Attributes:
        epochs: times through all pairs.
        learning_rate: at its highest.
        warmup: the share of all steps in which it rises; then it falls as a cosine does.
        batch: pairs of one step; as many are read at once as fit, which changes no result but in
            the last bits.
        length: tokens of a pair, at most; what is beyond is cut off.
        rank, alpha: of the LoRA matrices, which are added with the weight alpha / rank.
        dropout: share of what enters the LoRA matrices that is left out. The model's own is off.
        weight_decay: of AdamW.
        most: the norm that gradients are cut down to.
        seed: of the matrices' beginning, of the order, of the dropout.
    """

    epochs: int = 3
    learning_rate: float = 2e-5
    warmup: float = 0.03
    batch: int = 512
    length: int = 512
    rank: int = 64
    alpha: float = 16.0
    dropout: float = 0.0
    weight_decay: float = 0.0
    most: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "length", "rank", "alpha", "learning_rate", "most"):
            _check(name, getattr(self, name), getattr(self, name) > 0, "more than 0")
        for name in ("warmup", "dropout"):
            _check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "from 0 to below 1")
        for name in ("weight_decay", "seed"):
            _check(name, getattr(self, name), getattr(self, name) >= 0, "0 or more")

    def steps_of_epoch(self, pairs: int) -> int:
        return math.ceil(pairs / self.batch)

    def steps(self, pairs: int) -> int:
        return self.epochs * self.steps_of_epoch(pairs)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step `step`, from 0. No step is lost: none has a rate of 0."""
        rising = math.ceil(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        done = (step - rising) / (steps - rising)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2

    def batches(self, pairs: int, after: int = 0) -> Iterator[tuple[int, ...]]:
        """The places of each step's pairs, from the step behind the first `after` on."""
        own = self.steps_of_epoch(pairs)
        for step in range(after, self.steps(pairs)):
            order = np.random.default_rng((self.seed, step // own)).permutation(pairs)
            start = step % own * self.batch
            yield tuple(int(place) for place in order[start : start + self.batch])


def _check(name: str, value: float, is_right: bool, wanted: str) -> None:
    if not (is_right and math.isfinite(value)):
        raise UsageError(f"The {name.replace('_', ' ')} of a fine-tuning is {wanted}, not {value}.")
