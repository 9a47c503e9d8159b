"""A Hugging Face model → how probable answers are.

What stands before a text is what the tokenizer itself puts there, and nothing else. Where texts are
not read together (on a CPU), each is evaluated alone and whole: the plain loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from localsel.backends.base import Likelihood, Passage
from localsel.backends.drawing import NO_NUMBER
from localsel.backends.hf_tokens import HfTokens, first_line
from localsel.backends.passages import LaidOut
from localsel.errors import AnswerError

WINDOW = 256
"""Passages that are sorted by length, so that texts of one batch are of about one."""
LOGITS = 2**28
"""Logits that a batch may have: 1 GiB in float32."""
ROWS = 256
"""Places whose logits are summed up at once."""

Text = tuple[tuple[int, ...], int]
"""Tokens, and how many of the last are the answer's."""


class HfLikelihood(HfTokens):
    """Reads in caches of its own, so that nothing is left of it for a choice.

    Attributes:
        _at_once: tokens of a batch, padding included; with 0 every text is read alone.
    """

    _at_once: int

    def __init__(self, tokenizer: Any, context: int, model: Any) -> None:
        super().__init__(tokenizer, context)
        self._model = model

    def logprobs(
        self, passages: Iterable[Passage], limit: int | None = None
    ) -> Iterator[Likelihood | AnswerError]:
        waiting = iter(passages)
        while window := list(islice(waiting, WINDOW if self._at_once else 1)):
            laid = [self.lay_out(passage, limit) for passage in window]
            told = self._told([each for each in laid if isinstance(each, LaidOut)])
            yield from (each if isinstance(each, AnswerError) else next(told) for each in laid)

    def _told(self, window: Sequence[LaidOut]) -> Iterator[Likelihood | AnswerError]:
        texts = [(text, laid.tokens) for laid in window for text in laid.texts]
        sums: list[float | AnswerError] = [0.0] * len(texts)
        for batch in self._batched([(len(text), answer) for text, answer in texts]):
            for place, each in zip(batch, self._sums([texts[i] for i in batch]), strict=True):
                sums[place] = each
        waiting = iter(sums)
        return (_likelihood(laid, list(islice(waiting, len(laid.texts)))) for laid in window)

    def _batched(self, sizes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
        """Places of the texts that are read together, the longest first.

        Of each text, `sizes` has its tokens and how many of them logits are kept of.
        """
        batch: list[int] = []
        for place in sorted(range(len(sizes)), key=lambda i: -sizes[i][0]):
            together = [sizes[i] for i in (*batch, place)]
            padded = len(together) * together[0][0]
            logits = len(together) * max(kept for _, kept in together) * self._width
            if batch and (padded > self._at_once or logits > LOGITS):
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _sums(self, texts: Sequence[Text]) -> Sequence[float | AnswerError]:
        """The summed log-probability of each answer."""
        import torch

        try:
            logits = self._answered(texts)
            told = []
            for row, (text, answer) in zip(logits, texts, strict=True):
                target = torch.tensor(text[-answer:], device=row.device)
                told.append(_sum(row[-answer:], target))
            return [_number(each) for each in torch.stack(told).tolist()]
        except (RuntimeError, ValueError, IndexError) as error:
            return [failed(error)] * len(texts)

    def _answered(self, texts: Sequence[Text]) -> Any:
        """Logits [texts, places, vocabulary]: the last places are those that tell of answers.

        The last token is told of, and tells of nothing.
        """
        import torch

        rows = [text[:-1] for text, _ in texts]
        width, device = max(map(len, rows)), self._model.device
        options: dict[str, Any] = {}
        if len(rows) > 1:
            pads = [width - len(row) for row in rows]
            mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads], device=device)
            options["attention_mask"] = mask
            options["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        ids = [[0] * (width - len(row)) + list(row) for row in rows]
        with torch.inference_mode():
            return self._model(
                input_ids=torch.tensor(ids, device=device),
                use_cache=False,
                logits_to_keep=max(answer for _, answer in texts),
                **options,
            ).logits

    def evaluate(self, laid: LaidOut) -> None:
        """Reads the same tokens as for a likelihood and does nothing else, to be timed."""
        for text in laid.texts:
            self._answered([(text, laid.tokens)])

    @property
    def _width(self) -> int:
        return int(self._model.get_output_embeddings().weight.shape[0])


def failed(error: Exception) -> AnswerError:
    """What transformers says of it, in a line."""
    return AnswerError(f"transformers failed: {first_line(error)}")


def _sum(logits: Any, target: Any) -> Any:
    """Float64 sum of the log-probabilities of `target` by [places, vocabulary] logits."""
    import torch

    pieces = [
        (part.float().log_softmax(-1).gather(1, own[:, None])).double().sum()
        for part, own in zip(logits.split(ROWS), target.split(ROWS), strict=True)
    ]
    return torch.stack(pieces).sum()


def _number(told: float) -> float | AnswerError:
    return told if np.isfinite(told) else AnswerError(NO_NUMBER)


def _likelihood(laid: LaidOut, sums: Sequence[float | AnswerError]) -> Likelihood | AnswerError:
    for each in sums:
        if isinstance(each, AnswerError):
            return each
    told = tuple(each for each in sums if not isinstance(each, AnswerError))
    return Likelihood(told, laid.tokens, sum(len(text) - 1 for text in laid.texts))
