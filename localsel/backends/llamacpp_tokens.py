"""A loaded GGUF, or its vocabulary alone → tokens of texts, and texts of tokens."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from localsel.backends.chat import wrap
from localsel.backends.passages import TextTokens

# Characters tokenised at once: some 25,000 letters in a row overflow the stack in llama.cpp's
# regular expressions for DeepSeek and Falcon, and end the process.
PIECE = 8192


class LlamaTokens(TextTokens):
    """Tokens in and out of a loaded GGUF, or of its vocabulary alone; nothing is evaluated."""

    def __init__(self, llama: Any, context: int) -> None:
        self._llama = llama
        self.context = context
        before, after = self._wrapping()
        self._before = self._with_bos(self._tokens(before, special=True))
        self._after = self._tokens(after, special=True)
        self._marks = self._unmarked()

    def close(self) -> None:
        self._llama.close()

    def at_most(self, text: str) -> int:
        """Every token takes a byte or more of these tokenizers' texts; a piece may get a space."""
        if not self._by_bytes:
            return self.count(text)
        return len(text.encode("utf-8", "replace")) + len(list(self._pieces(self._apart(text))))

    @cached_property
    def _by_bytes(self) -> bool:
        # Not of unigram and word-piece models, which may spell a letter out before they cut.
        import llama_cpp

        kind = llama_cpp.llama_vocab_type(self._vocabulary)
        return kind in (llama_cpp.LLAMA_VOCAB_TYPE_SPM, llama_cpp.LLAMA_VOCAB_TYPE_BPE)

    def _tokens(self, text: str, special: bool = False) -> list[int]:
        # Never a string prompt: "<|eot_id|>" inside an instruction must stay eleven characters.
        tokens: list[int] = []
        for piece in self._pieces([text] if special else self._apart(text)):
            encoded = piece.encode("utf-8", "replace")
            tokens += self._llama.tokenize(encoded, add_bos=False, special=special)
        return tokens

    @staticmethod
    def _pieces(parts: Iterable[str]) -> Iterator[str]:
        for part in parts:
            for start in range(0, max(len(part), 1), PIECE):
                yield part[start : start + PIECE]

    def _unmarked(self) -> list[str]:
        """Tokens of the template that the file does not call control tokens."""
        import llama_cpp

        written = {*self._before, *self._after}
        attributes = {
            token: llama_cpp.llama_vocab_get_attr(self._vocabulary, token) for token in written
        }
        spelled = (
            self._text([token], special=True)
            for token, found in sorted(attributes.items())
            if found & llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
            and not found & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL
        )
        # Line ends may be such tokens, too, and are what a text is made of.
        return [mark for mark in spelled if len(mark) > 1 and not mark.isspace()]

    def _text(self, tokens: Sequence[int], special: bool = False) -> str:
        pieces = b"".join(self._piece(token, special) for token in tokens)
        return pieces.decode("utf-8", "replace" if special else "ignore")

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
        return tokens if tuple(tokens[:1]) == self._start else [*self._start, *tokens]

    @cached_property
    def _start(self) -> tuple[int, ...]:
        """What the vocabulary itself puts before a text that has no template around it."""
        import llama_cpp

        bos = self._llama.token_bos()
        # The key in the file is often missing; llama.cpp knows what its tokenizer does then.
        wanted = bos >= 0 and llama_cpp.llama_vocab_get_add_bos(self._vocabulary)
        return (bos,) if wanted else ()

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
