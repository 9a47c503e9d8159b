"""A query and the scores of its labels, turn after turn → its picks and their probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from localsel.backends.base import Ask, Choice, take


class OpenQuery:
    """A query on its way: the labels left, and what was chosen."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._left = list(range(len(ask.prompt.labels)))
        self._chosen: list[int] = []
        self._probabilities: list[float] = []
        self._scores: tuple[float, ...] = ()

    @property
    def quota(self) -> int:
        return self._ask.quota

    @property
    def labels(self) -> list[str]:
        return [self._ask.prompt.labels[place] for place in self._left] or ["1"]

    @property
    def last(self) -> str:
        return self._ask.prompt.labels[self._chosen[-1]]

    def take(self, scores: NDArray[np.float64], turn: int) -> None:
        """Chooses one of the labels left, unless all that are wanted are chosen."""
        if turn >= self._ask.quota:
            return
        if not turn:
            self._scores = tuple(scores.tolist())
        place = take(scores, self._ask, turn)
        self._probabilities.append(float(np.exp(scores[place])))
        self._chosen.append(self._left.pop(place))

    def choice(self, prompt_tokens: int, seconds: float) -> Choice:
        made = tuple(self._chosen), tuple(self._probabilities), self._scores
        return Choice(*made, prompt_tokens=prompt_tokens, seconds=seconds)
