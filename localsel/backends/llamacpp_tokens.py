"""A prompt → the tokens that a loaded GGUF reads of it, its chat template around them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from localsel.backends.base import CUT, Reader, keep_ends
from localsel.backends.chat import wrap
from localsel.records import Prompt, after_pick

# Characters tokenised at once: some 25,000 letters in a row overflow the stack in llama.cpp's
# regular expressions for DeepSeek and Falcon, and end the process.
PIECE = 8192


class LlamaTokens(Reader):
    """Tokens in and out of a loaded GGUF, or of its vocabulary alone; nothing is evaluated."""

    def __init__(self, llama: Any, context: int) -> None:
        self._llama = llama
        self.context = context
        before, after = self._wrapping()
        self._before = self._with_bos(self._tokens(before, special=True))
        self._after = self._tokens(after, special=True)

    def close(self) -> None:
        self._llama.close()

    def count(self, text: str) -> int:
        return len(self._tokens(text))

    def at_most(self, text: str) -> int:
        """Every token takes a byte or more of these tokenizers' texts; a piece may get a space."""
        if not self._by_bytes:
            return self.count(text)
        return len(text.encode("utf-8", "replace")) + len(text) // PIECE + 1

    @cached_property
    def _by_bytes(self) -> bool:
        # Not of unigram and word-piece models, which may spell a letter out before they cut.
        import llama_cpp

        kind = llama_cpp.llama_vocab_type(self._vocabulary)
        return kind in (llama_cpp.LLAMA_VOCAB_TYPE_SPM, llama_cpp.LLAMA_VOCAB_TYPE_BPE)

    def count_prompt(self, prompt: Prompt) -> int:
        return len(self._head_tokens(prompt)) + len(self._tail_tokens(prompt))

    def whole(self, prompt: Prompt) -> str:
        tokens = [*self._head_tokens(prompt), *self._tail_tokens(prompt)]
        return b"".join(self._piece(token, special=True) for token in tokens).decode(
            "utf-8", "replace"
        )

    def shorten(self, text: str, room: int) -> str:
        start, end = keep_ends(self._tokens(text), room)
        return self._text(start) + CUT + self._text(end)

    def _tokens(self, text: str, special: bool = False) -> list[int]:
        # Never a string prompt: "<|eot_id|>" inside an instruction must stay eleven characters.
        tokens: list[int] = []
        for start in range(0, max(len(text), 1), PIECE):
            encoded = text[start : start + PIECE].encode("utf-8", "replace")
            tokens += self._llama.tokenize(encoded, add_bos=False, special=special)
        return tokens

    def _text(self, tokens: Sequence[int]) -> str:
        return b"".join(map(self._piece, tokens)).decode("utf-8", "ignore")

    def _head_tokens(self, prompt: Prompt) -> tuple[int, ...]:
        return (*self._before, *self._tokens(prompt.head))

    def _tail_tokens(self, prompt: Prompt) -> list[int]:
        shown = [token for line in prompt.candidates for token in self._tokens(line)]
        return shown + self._tokens(prompt.tail) + self._after + self._tokens(prompt.answer)

    def _after_pick(self, label: str) -> list[int]:
        """What follows in the answer once `label` is chosen.

        Llama-2's tokenizer puts a space before every text; behind the bracket there is none.
        """
        bracket = self._tokens("[")
        both = self._tokens("[" + after_pick(label))
        return both[len(bracket) :] if both[: len(bracket)] == bracket else both[1:]

    def _wrapping(self) -> tuple[str, str]:
        template = self._llama.metadata.get("tokenizer.chat_template")
        if not template:
            return "", "\n"
        bos, eos = (
            self._piece(token, special=True).decode("utf-8", "replace")
            for token in (self._llama.token_bos(), self._llama.token_eos())
        )
        return wrap(template, bos, eos)

    def _with_bos(self, tokens: list[int]) -> list[int]:
        """A template may or may not write the start token itself: exactly one in the end."""
        import llama_cpp

        bos = self._llama.token_bos()
        # The key in the file is often missing; llama.cpp knows what its tokenizer does then.
        wanted = bos >= 0 and llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
        return [bos, *tokens] if wanted and tokens[:1] != [bos] else tokens

    @cached_property
    def _vocabulary(self) -> Any:
        import llama_cpp

        return llama_cpp.llama_model_get_vocab(self._llama.model)

    def _piece(self, token: int, special: bool = False) -> bytes:
        import llama_cpp

        if token < 0:
            return b""
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, 256, 0, special)
        return buffer.raw[:length] if length > 0 else b""
