"""What a server tells of its tokens → the probability of every label, as a whole.

The tokenizer is the server's, so this goes by the texts of tokens: after what has been written of
an answer, every token with which a legal one goes on. What is not told is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from localsel.backends.openai_replies import Heard
from localsel.errors import AnswerError
from localsel.records import TERMINATOR

BESIDE = 8
"""Answers that are asked for together where a server tells of few tokens."""
NEGLIGIBLE = float(np.log(0.01))


@dataclass(frozen=True)
class Told:
    """What was heard on the way of one answer, by what was written of it before."""

    after: Mapping[str, Mapping[str, float]]


Asker = Callable[[str, Sequence[str]], Awaitable[Told]]
"""Has one of some answers completed, all of which begin with a text."""


def told(heard: Sequence[Heard], start: int, begun: str = "") -> Told:
    """The same from the tokens of a text: the label is written from `start` on."""
    after: dict[str, Mapping[str, float]] = {}
    text = ""
    for each in heard:
        if len(text) >= start:
            after[begun + text[start:]] = each.likely
        text += each.token
    return Told(after)


class Labels:
    """The labels of one choice, and what is known of them so far.

    `widest` is how many digits the tokenizer is known to write as one token.
    """

    def __init__(self, labels: Sequence[str], ask: Asker, widest: int = 1) -> None:
        self.widest = widest
        self._answers = [label + TERMINATOR for label in labels]
        self._ask = ask
        self._known: dict[str, dict[str, float]] = {}
        self._is_masked = True
        self._least: dict[str, float] = {}
        self._sought: set[tuple[str, str]] = set()

    async def score(self) -> NDArray[np.float64]:
        """Natural-log probability of each label; they sum to 1.

        Raises:
            AnswerError: the server does not tell enough.
        """
        while (step := self._next()) is not None:
            begun, missing = step
            await (self._seek(begun, missing) if missing else self._look(begun))
        totals = self._totals()[0]
        scores = np.array([totals[answer] for answer in self._answers])
        whole = np.logaddexp.reduce(scores)
        if not np.isfinite(scores).all() or abs(whole) > 1e-6 or self._hides():
            raise AnswerError("the server tells too little of its tokens")
        return np.asarray(scores - whole, dtype=np.float64)

    def _next(self) -> tuple[str, list[str]] | None:
        """What has to be asked: after which beginning, and for which answers that are missing."""
        _, reached = self._totals()
        for begun in reached:
            if begun not in self._known:
                return begun, []
            if missing := [a for a in self._missing(begun) if (begun, a) not in self._sought]:
                return begun, missing
        return None

    def _totals(self) -> tuple[dict[str, float], list[str]]:
        """Log-probability of each answer, as far as known, and the beginnings it goes through."""
        totals = dict.fromkeys(self._answers, -np.inf)
        reached: list[str] = []
        waiting = [("", 0.0)]
        while waiting:
            begun, mass = waiting.pop()
            fitting = self._fitting(begun)
            if len(fitting) == 1:
                totals[fitting[0]] = float(np.logaddexp(totals[fitting[0]], mass))
                continue
            reached.append(begun)
            legal = self._known.get(begun, {})
            whole = float(np.logaddexp.reduce([*legal.values()])) if legal else 0.0
            waiting += [(begun + token, mass + own - whole) for token, own in legal.items()]
        return totals, reached

    def _hides(self) -> bool:
        """Whether a token may be likely that was never told: as likely as the last that was."""
        for begun in self._totals()[1] if not self._is_masked else ():
            whole = np.logaddexp.reduce([*self._known[begun].values()])
            if self._missing(begun) and self._least.get(begun, -np.inf) > whole + NEGLIGIBLE:
                return True
        return False

    def _fitting(self, begun: str) -> list[str]:
        return [answer for answer in self._answers if answer.startswith(begun)]

    def _missing(self, begun: str) -> list[str]:
        """Answers of which no first token is known, or only a shorter one than others have."""
        legal = self._known[begun]
        return [
            answer
            for answer in self._fitting(begun)
            if not any(
                answer.startswith(begun + token)
                and digits(token) >= min(self.widest, digits(answer) - len(begun))
                for token in legal
            )
        ]

    # Questions.

    async def _look(self, begun: str) -> None:
        """Asks what may follow."""
        fitting = self._fitting(begun)
        said = await self._ask(begun, fitting)
        if begun not in said.after and begun + TERMINATOR in fitting:
            # "14" was written in one, and nothing was told of what follows "1".
            said = await self._ask(begun, [begun + TERMINATOR])
        if begun not in said.after:
            raise AnswerError("the server's tokens do not part where a label does")
        for place, likely in said.after.items():
            legal = self._legal(place, likely)
            self._is_masked &= len(legal) == len(likely)
            if place.startswith(begun) and place not in self._known:
                self._known[place] = legal
        self._keep(said)

    async def _seek(self, begun: str, missing: Sequence[str]) -> None:
        """Asks for answers of which the server did not tell by itself.

        Where its numbers are of all tokens, each is asked for alone. Where they are of the legal
        ones only, beside one that is known, to measure them by.
        """
        group = missing[: BESIDE if self._is_masked else 1]
        self._sought |= {(begun, answer) for answer in group}
        known = self._known[begun]
        beside = next((a for a in self._fitting(begun) if a not in self._missing(begun)), None)
        asked = [*([beside] if beside and self._is_masked else []), *group]
        said = await self._ask(begun, asked)
        self._keep(said)
        legal = self._legal(begun, said.after.get(begun, {}))
        common = [token for token in legal if token in known]
        if common and self._is_masked:
            scale = known[common[0]] - legal[common[0]]
            for token, own in legal.items():
                known.setdefault(token, own + scale)

    def _keep(self, said: Told) -> None:
        """Numbers that are of all tokens are the same whatever was legal."""
        for place, likely in () if self._is_masked else said.after.items():
            told_here = sorted(likely.values(), reverse=True)[:-1]
            # The token that came is told whatever its rank.
            self._least[place] = min(told_here, default=-np.inf)
            for token, own in self._legal(place, likely).items():
                self._known.setdefault(place, {}).setdefault(token, own)

    def _legal(self, begun: str, likely: Mapping[str, float]) -> dict[str, float]:
        """The tokens with which an answer goes on."""
        legal = {
            token: own
            for token, own in likely.items()
            if token and any(answer.startswith(begun + token) for answer in self._answers)
        }
        self.widest = max([self.widest, *map(digits, legal)])
        return legal


def digits(text: str) -> int:
    """Of a token, or of an answer."""
    return len(text.rstrip(TERMINATOR))
