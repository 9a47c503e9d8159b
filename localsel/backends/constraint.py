"""Logits of a model → the exact probability of every label, with Outlines deciding what is legal.

An answer is a label and its terminator. Where several tokens are legal, their logits are masked
by Outlines and normalised; where only one is, nothing needs to be evaluated. The probability of a
label is the sum over all its spellings ("14" as one token, or "1" and "4") of the product along
the spelling. This is the distribution that constrained sampling has; taking the best *token* first
would instead give "1" the mass of 1 and of 10 to 19.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localsel.errors import AnswerError, BackendError
from localsel.records import TERMINATOR

Logits = NDArray[np.float32]
Path = tuple[int, ...]
ALPHABET = frozenset(b"0123456789" + TERMINATOR.encode())


def pattern(labels: Sequence[str]) -> str:
    """The regular expression of one answer.

    Longest label first, since alternation in outlines-core is leftmost-first.
    """
    longest_first = sorted(labels, key=lambda label: (-len(label), label))
    return f"(?:{'|'.join(longest_first)})\\{TERMINATOR}"


class Constraint:
    """The legal tokens of an answer, for one tokenizer.

    Args:
        tokens: the ordinary tokens of the vocabulary, id → bytes. Control tokens and single-byte
            fall-back tokens must be left out: they are other ways to spell the same text.
        eos: id of the end token, which Outlines wants to know.
    """

    def __init__(self, tokens: Mapping[int, bytes], eos: int) -> None:
        from outlines_core import Vocabulary

        # Only these can occur in an answer; with them alone an index takes 0.15 ms instead of
        # seconds at a vocabulary of 128,000 tokens.
        self._texts = {
            token: spelling.decode("ascii")
            for token, spelling in tokens.items()
            if token != eos and spelling and ALPHABET.issuperset(spelling)
        }
        by_text: dict[str, list[int]] = {}
        for token, text in self._texts.items():
            by_text.setdefault(text, []).append(token)
        self._vocabulary = Vocabulary(eos, by_text)

    def score(
        self, labels: Sequence[str], evaluate: Callable[[Path], Logits]
    ) -> NDArray[np.float64]:
        """Natural-log probability of each label; they sum to 1.

        Args:
            labels: distinct, at least one.
            evaluate: logits [vocabulary] after the prompt, the answer so far and these tokens.

        Raises:
            AnswerError: a logit is not a number, or a token outside the constraint came through.
        """
        from outlines_core import Index

        index = Index(pattern(labels), self._vocabulary)
        total = dict.fromkeys(labels, -np.inf)
        waiting: list[tuple[Path, str, Any, float]] = [((), "", index.get_initial_state(), 0.0)]
        while waiting:
            path, text, state, score = waiting.pop()
            if text.endswith(TERMINATOR):
                label = text.removesuffix(TERMINATOR)
                total[label] = float(np.logaddexp(total[label], score))
                continue
            for token, gain in self._next(index, state, path, evaluate):
                following = index.get_next_state(state, token)
                waiting.append(((*path, token), text + self._texts[token], following, score + gain))
        return np.array([total[label] for label in labels])

    def paths(self, labels: Sequence[str]) -> list[Path]:
        """The beginnings of answers after which several tokens are legal, but for the empty one.

        They depend on the labels alone, so a backend can evaluate them together.
        """
        met: list[Path] = []
        nothing = np.zeros(max(self._texts, default=0) + 1, dtype=np.float32)

        def note(path: Path) -> Logits:
            met.append(path)
            return nothing

        self.score(labels, note)
        return [path for path in met if path]

    def _next(
        self, index: Any, state: Any, path: Path, evaluate: Callable[[Path], Logits]
    ) -> list[tuple[int, float]]:
        """The legal tokens after `path`, with their log-probabilities among themselves."""
        legal = sorted(index.get_allowed_tokens(state))
        if len(legal) == 1:
            return [(legal[0], 0.0)]
        logits = evaluate(path)
        values = held(mask(index, path, logits), logits, legal)
        return list(zip(legal, (values - np.logaddexp.reduce(values)).tolist(), strict=True))

    def canary(self, logits: Logits) -> None:
        """Asks for what the model wants to say while only other answers are legal.

        Raises:
            BackendError: the forbidden answer came through, or Outlines could not work at all.
        """
        try:
            scores = self.score(self.unwanted(logits), lambda path: logits.copy())
        except Exception as error:
            raise BackendError(
                f"Outlines cannot constrain this model: {error or type(error).__name__}.",
                "Every answer would be a guess; see `localsel doctor`.",
            ) from error
        if not np.isclose(np.exp(scores).sum(), 1.0):
            raise BackendError("Outlines let forbidden answers through.", "See `localsel doctor`.")

    def unwanted(self, logits: Logits) -> list[str]:
        """Labels that do not begin with what the model wants to say.

        Two first tokens are legal whatever that is: with one, nothing would be masked.
        """
        favourite = self._texts.get(int(np.argmax(logits)), "")
        return [each for each in ("7", "8", "12", "13") if not each.startswith(favourite or "x")]


def held(masked: Logits, logits: Logits, legal: Sequence[int]) -> NDArray[np.float64]:
    """The logits of the legal tokens, once it is certain that they alone came through.

    Raises:
        AnswerError: something else came through, they were changed, or one is not a number.
    """
    # Not "> -inf": what is not a number has to be seen, too.
    if not set(np.flatnonzero(masked != -np.inf).tolist()) <= set(legal):
        raise AnswerError("the constraint was lost: a token outside it kept its probability")
    values = masked[legal].astype(np.float64)
    if not np.isfinite(logits[legal]).all():
        raise AnswerError("a logit is not a number")
    if not np.array_equal(values, logits[legal]):
        raise AnswerError("the constraint was lost: it changed the logit of a legal token")
    return values


def mask(index: Any, path: Path, logits: Logits) -> Logits:
    """Outlines' own processor, walked along `path`: every illegal logit becomes minus infinity."""
    from outlines.backends.outlines_core import OutlinesCoreLogitsProcessor

    processor = OutlinesCoreLogitsProcessor(index, "numpy")
    for length in range(len(path) + 1):
        tokens = np.array([path[:length]], dtype=np.int64)
        masked: Any = processor(tokens, logits[np.newaxis].copy())
    result: Logits = masked[0]
    return result
