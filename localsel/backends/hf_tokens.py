"""The tokenizer of a Hugging Face folder → tokens of texts, and texts of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from localsel.backends.chat import wrap
from localsel.backends.passages import TextTokens
from localsel.errors import BackendError


class HfTokens(TextTokens):
    """Reads as the model of a folder does, without its weights."""

    def __init__(self, tokenizer: Any, context: int) -> None:
        self._tokenizer = tokenizer
        self.context = context
        before, after = self._wrapping()
        self._before = self._with_bos(self._tokens(before, special=True))
        self._after = self._tokens(after, special=True)
        self._marks = self._unmarked()

    def _tokens(self, text: str, special: bool = False) -> list[int]:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        tokens: list[int] = []
        for part in [clean] if special else self._apart(clean):
            coded = self._tokenizer(
                part, add_special_tokens=False, split_special_tokens=not special, verbose=False
            )
            tokens += coded["input_ids"]
        return tokens

    def _unmarked(self) -> list[str]:
        """Tokens of the template that were added to the vocabulary without being called special."""
        added = self._tokenizer.added_tokens_decoder
        written = {*self._before, *self._after} & added.keys()
        spelled = (added[token].content for token in sorted(written) if not added[token].special)
        return [mark for mark in spelled if len(mark) > 1 and not mark.isspace()]

    def _text(self, tokens: Sequence[int], special: bool = False) -> str:
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=not special, clean_up_tokenization_spaces=False
        )
        return text if special else text.replace("�", "")

    def _wrapping(self) -> tuple[str, str]:
        template = self._tokenizer.chat_template
        if isinstance(template, Mapping):
            template = template.get("default") or next(iter(template.values()), "")
        if not template:
            return "", "\n"
        return wrap(template, self._tokenizer.bos_token or "", self._tokenizer.eos_token or "")

    def _with_bos(self, tokens: list[int]) -> list[int]:
        """A template may or may not write the start token itself: exactly one in the end."""
        bos = self._tokenizer.bos_token_id
        return [bos, *tokens] if bos is not None and tokens[:1] != [bos] else tokens

    @cached_property
    def _start(self) -> tuple[int, ...]:
        """What the tokenizer itself puts before a text that has no template around it."""
        bos = self._tokenizer.bos_token_id
        begun = self._tokenizer("", verbose=False)["input_ids"][:1]
        return (int(bos),) if bos is not None and begun == [bos] else ()

    @cached_property
    def spellings(self) -> Mapping[int, bytes]:
        """The ordinary tokens that are plain ASCII, by id: all that labels are spelled with."""
        special = set(self._tokenizer.added_tokens_decoder)
        vocabulary: Mapping[str, int] = self._tokenizer.get_vocab()
        return {
            token: spelling.encode()
            for spelling, token in vocabulary.items()
            if token not in special and spelling.isascii()
        }


def load_tokenizer(folder: Path) -> Any:
    """Opens the tokenizer of a folder; nothing in it is run.

    Raises:
        BackendError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer
    from transformers.utils import logging

    # What it says of a broken file it says again in its error.
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        return AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise BackendError(
            f"{folder} has no tokenizer that can be read: {first_line(error)}.",
            "The folder needs tokenizer.json or tokenizer.model, and tokenizer_config.json.",
        ) from error


def first_line(error: Exception) -> str:
    """The beginning of what a library says, which may be pages."""
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
