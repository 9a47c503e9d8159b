"""Logits of a vocabulary → the next token, or how probable the one that came was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from localsel.backends.base import Beginning
from localsel.backends.constraint import Logits
from localsel.errors import AnswerError

NO_NUMBER = "the model's own numbers are no numbers"


class Drawing:
    """Takes one token after another for one beginning."""

    def __init__(self, beginning: Beginning) -> None:
        self._temperature = beginning.temperature
        self._generator = np.random.default_rng(beginning.seed)

    def take(self, logits: Logits) -> int:
        """The most probable token, or one that is drawn from [vocabulary] logits."""
        if not np.isfinite(best := logits.max()):
            raise AnswerError(NO_NUMBER)
        if self._temperature == 0:
            return int(logits.argmax())
        with np.errstate(over="ignore"):
            heights = (logits.astype(np.float64) - best) / self._temperature
        sums = np.exp(heights).cumsum()
        drawn = np.searchsorted(sums, self._generator.random() * sums[-1], side="right")
        return int(min(drawn, len(sums) - 1))


def log_probabilities(logits: Logits, tokens: Sequence[int]) -> NDArray[np.float64]:
    """Natural-log probability of token i by row i of [tokens, vocabulary], which is overwritten."""
    asked = logits[np.arange(len(tokens)), tokens].astype(np.float64)
    best = logits.max(axis=1)
    if not (np.isfinite(best).all() and np.isfinite(asked).all()):
        raise AnswerError(NO_NUMBER)
    np.subtract(logits, best[:, None], out=logits)
    np.exp(logits, out=logits)
    told: NDArray[np.float64] = asked - best - np.log(logits.sum(axis=1, dtype=np.float64))
    return told
