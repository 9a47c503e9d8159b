"""Questions and answers → how good the answers are, as a sequence-classification model rates them.

Any local Hugging Face folder of that kind, a reward model say: safetensors, and no code of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

from localsel.backends.hf_folder import DEFAULT_CONTEXT
from localsel.backends.hf_tokens import first_line, load_tokenizer
from localsel.backends.hf_weights import RATING, load_weights
from localsel.backends.probe import probe_folder
from localsel.errors import AnswerError, BackendError

TOKENS_AT_ONCE = 8192
"""Of a batch on a GPU, padding included; a longer pair is a batch of its own."""
WINDOW = 512
"""Pairs that are sorted by length, so that little of a batch is padding."""
OUTPUTS = 2
"""At most: two are read as one, the log-odds of the second over the first."""


class QualityModel:
    """One loaded model. Higher is better; the numbers of two models mean different things.

    Attributes:
        length: tokens that a question and its answer have together, at most; of the longer one
            the end is cut off until both fit.
    """

    def __init__(
        self, model: Any, tokenizer: Any, length: int, tokens_at_once: int | None = None
    ) -> None:
        self._model, self._tokenizer, self.length = model, tokenizer, length
        # As with selectors: on a CPU every pair is read alone, and no neighbour changes its bits.
        on_gpu = model.device.type != "cpu"
        self._at_once = tokens_at_once or (TOKENS_AT_ONCE if on_gpu else 0)
        self._padding = model.config.get_text_config().pad_token_id
        if self._padding is None:
            self._at_once = 0

    @classmethod
    def open(
        cls, folder: Path, threads: int | None = None, tokens_at_once: int | None = None
    ) -> Self:
        """Loads a folder: float32 on a CPU, the numbers of its files on a GPU.

        Raises:
            BackendError: it holds no such model, not all of its weights, or too many outputs.
        """
        import torch

        context = int(probe_folder(folder)["context"] or DEFAULT_CONTEXT)
        tokenizer = load_tokenizer(folder)
        if threads:
            torch.set_num_threads(threads)
        on_gpu = torch.cuda.is_available()
        model = load_weights(RATING, folder, "auto" if on_gpu else torch.float32)
        if model.config.num_labels > OUTPUTS:
            raise BackendError(
                f"{folder} has {model.config.num_labels:,} outputs: which one is the quality?",
                "A quality model has one, or two of which the second stands for good.",
            )
        # Of what a configuration calls positions; a tokenizer may know of fewer still.
        context -= _spoken_for(model)
        length = min(context, int(tokenizer.model_max_length), DEFAULT_CONTEXT)
        return cls(model.to("cuda" if on_gpu else "cpu"), tokenizer, length, tokens_at_once)

    @property
    def numbers(self) -> str:
        """Who computes, and in what: another score in the last bits."""
        return f"{self._model.device.type}/{self._model.dtype}"

    def close(self) -> None:
        """Gives the memory back."""
        self._model = None

    def scores(self, pairs: Iterable[tuple[str, str]]) -> Iterator[float | AnswerError]:
        """How good each answer is to its question, in the order of asking; a failed one is yielded.

        The model's one output, or the log-odds of the second over the first.
        """
        waiting = iter(pairs)
        while window := list(islice(waiting, WINDOW if self._at_once else 1)):
            tokens = self._encoded(window)
            found: dict[int, float | AnswerError] = {}
            for places in self._batches([len(each["input_ids"]) for each in tokens]):
                said = self._read([tokens[place] for place in places])
                found |= zip(places, said, strict=True)
            yield from (found[place] for place in range(len(window)))

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> list[dict[str, list[int]]]:
        """The two texts of each pair as the tokenizer lays them out; control tokens in them are
        text.
        """
        clean = [[text.encode("utf-8", "replace").decode() for text in pair] for pair in pairs]
        return [
            dict(
                self._tokenizer(
                    question,
                    answer,
                    truncation="longest_first",
                    max_length=self.length,
                    split_special_tokens=True,
                    verbose=False,
                )
            )
            for question, answer in clean
        ]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """The places of pairs that are read together, the shortest first."""
        batch: list[int] = []
        for place in sorted(range(len(lengths)), key=lengths.__getitem__):
            if batch and lengths[place] * (len(batch) + 1) > self._at_once:
                yield batch
                batch = []
            batch.append(place)
        if batch:
            yield batch

    def _read(self, rows: Sequence[dict[str, list[int]]]) -> list[float | AnswerError]:
        import torch

        width = max(len(row["input_ids"]) for row in rows)
        fill = {"input_ids": self._padding or 0}
        inputs = {
            name: torch.tensor(
                [row[name] + [fill.get(name, 0)] * (width - len(row[name])) for row in rows],
                device=self._model.device,
            )
            for name in rows[0]
        }
        try:
            with torch.inference_mode():
                logits = self._model(**inputs).logits.double().cpu().numpy()
        except (RuntimeError, ValueError, IndexError) as error:
            failed = AnswerError(f"the quality model failed: {first_line(error)}")
            return [failed] * len(rows)
        values = logits[:, -1] - (logits[:, 0] if logits.shape[1] == OUTPUTS else 0.0)
        return [
            float(value)
            if math.isfinite(value)
            else AnswerError(f"the quality model said {value}, which is no number")
            for value in values
        ]


def _spoken_for(model: Any) -> int:
    """Positions that no token has: RoBERTa and its kin begin to count behind that of padding."""
    for name, part in model.named_modules():
        padding = getattr(part, "padding_idx", None)
        if name.endswith("position_embeddings") and padding is not None:
            return int(padding) + 1
    return 0
