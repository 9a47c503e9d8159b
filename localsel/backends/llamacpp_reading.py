"""Tokens → what llama.cpp says at the last of them, in a context beside the one for choosing.

Exact rather than quick: a float32 cache, no flash attention. One text is read at a time, from
nothing and in portions of one size. Several at once are no faster on a CPU, and who is read with
whom would change the last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from localsel.backends.constraint import Logits
from localsel.errors import AnswerError, BackendError

PORTION = 512
"""Tokens that are evaluated at once, fewer where the logits of so many would take too much."""
AT_ONCE = 2**25
"""Logits that are held at once: 128 MiB."""
SMALLEST = 1024
"""Tokens of the first context; it grows with what is read."""


class Reading:
    """Reads one text after another with the weights of an open `Llama`."""

    def __init__(self, llama: Any, context: int) -> None:
        self._llama, self._context = llama, context
        self._width = llama.n_vocab()
        self._portion = max(min(PORTION, AT_ONCE // self._width), 1)
        self._batch = Batch(self._portion)
        self._room, self._read = 0, 0
        self._opened: Any = None

    def close(self) -> None:
        """Gives the memory of the context back; the weights are the Llama's."""
        import llama_cpp

        if self._opened is not None:
            llama_cpp.llama_free(self._opened)
        self._room, self._opened = 0, None

    def begin(self, room: int) -> None:
        """Forgets what was read, to read at most `room` tokens."""
        import llama_cpp

        if room > self._room:
            self.close()
            self._open(room)
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._opened), False)
        self._read = 0

    def read(self, tokens: Sequence[int], last: int = 1) -> Iterator[Logits]:
        """Logits [places, vocabulary] at the `last` places, a portion at a time.

        They are llama.cpp's own memory: to be used before the next portion is asked for.
        """
        import llama_cpp

        for start in range(0, len(tokens), self._portion):
            portion = tokens[start : start + self._portion]
            told = min(max(last - (len(tokens) - start - len(portion)), 0), len(portion))
            self._batch.fill(portion, self._read, told)
            if failed := llama_cpp.llama_decode(self._opened, self._batch.native):
                raise AnswerError(f"llama.cpp could not evaluate a text: it returned {failed}")
            self._read += len(portion)
            if told:
                pointer = llama_cpp.llama_get_logits(self._opened)
                yield np.ctypeslib.as_array(pointer, shape=(told, self._width))

    def _open(self, room: int) -> None:
        import llama_cpp

        # Doubled, so that a long pool opens a few: what is read does not depend on the size.
        size = SMALLEST
        while size < room:
            size *= 2
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = min(size, -(-self._context // 256) * 256)
        options.n_batch = options.n_ubatch = self._portion
        options.n_seq_max = 1
        options.n_threads = self._llama.context_params.n_threads
        options.n_threads_batch = self._llama.context_params.n_threads_batch
        options.type_k = options.type_v = llama_cpp.GGML_TYPE_F32
        options.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._opened = llama_cpp.llama_init_from_model(self._llama.model, options)
        if self._opened is None:
            raise BackendError(
                f"llama.cpp cannot open a context of {options.n_ctx:,} tokens beside the first.",
                "Is there memory enough? A smaller --context takes less.",
            )
        self._room = int(options.n_ctx)


class Batch:
    """llama.cpp's batch of one sequence, written to as arrays."""

    def __init__(self, size: int) -> None:
        import llama_cpp

        self._tokens = np.zeros(size, dtype=np.int32)
        self._places = np.zeros(size, dtype=np.int32)
        self._told = np.zeros(size, dtype=np.int8)
        self.native = llama_cpp.llama_batch(n_tokens=0)
        # Without sequences named, all tokens are of the first.
        for name, array in (("token", self._tokens), ("pos", self._places), ("logits", self._told)):
            kind = type(getattr(self.native, name))
            setattr(self.native, name, array.ctypes.data_as(kind))

    def fill(self, tokens: Sequence[int], start: int, told: int) -> None:
        """Tokens from place `start` on, of which the last `told` get logits."""
        count = len(tokens)
        self._tokens[:count] = tokens
        self._places[:count] = np.arange(start, start + count)
        self._told[: count - told] = 0
        self._told[count - told : count] = 1
        self.native.n_tokens = count
