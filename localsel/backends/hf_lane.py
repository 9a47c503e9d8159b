"""Tokens of several texts → what a Hugging Face model says after each, read side by side."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from localsel.backends.constraint import Logits


class Lane:
    """Several queries that are read side by side, each behind the same head.

    Rows are padded on the left and the padding is masked, so the last column is every row's last
    token.
    """

    def __init__(self, model: Any, cache: Any, head: int, count: int) -> None:
        import torch

        self._torch, self._model = torch, model
        self._cache = copy.deepcopy(cache)
        self._cache.batch_repeat_interleave(count)
        self._mask = torch.ones((count, head), dtype=torch.long, device=model.device)
        self._read = [head] * count

    def feed(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """Logits [rows, vocabulary] after each row's tokens; of a row without tokens, anything."""
        torch, width = self._torch, max(map(len, tokens))
        pads = [width - len(row) for row in tokens]
        ids = [[0] * pad + list(row) for pad, row in zip(pads, tokens, strict=True)]
        fresh = [[0] * pad + [1] * (width - pad) for pad in pads]
        places = [
            [0] * pad + list(range(read, read + width - pad))
            for pad, read in zip(pads, self._read, strict=True)
        ]
        device = self._model.device
        mask = torch.cat([self._mask, torch.tensor(fresh, device=device)], dim=1)
        with torch.inference_mode():
            said = self._model(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=mask,
                position_ids=torch.tensor(places, device=device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self._mask = mask
        self._read = [read + len(row) for read, row in zip(self._read, tokens, strict=True)]
        logits: Logits = said.logits[:, -1].float().cpu().numpy()
        return logits

    def peek(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """The same, and then as if it had not been read."""
        mask, read = self._mask, self._read
        logits = self.feed(tokens)
        self._cache.crop(mask.shape[1] - self._mask.shape[1])
        self._mask, self._read = mask, read
        return logits
