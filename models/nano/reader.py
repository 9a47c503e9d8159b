"""A GGUF file and a prompt → the labels it chooses, by llama.cpp, one after the other.

Every choice is the label of greatest probability: the product of the steps that spell
`LABEL]`, each step a softmax over the tokens that some remaining label still allows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2.sandbox
import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localsel.stages.prompt import Prompt, after_pick

MARK = "\u241f"


class Reader:
    """One loaded GGUF file."""

    def __init__(self, path: Path, context: int = 8192, threads: int = 1) -> None:
        with quiet():
            self.llm = llama_cpp.Llama(
                str(path), n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False
            )
        self.prefix, self.suffix = self.wrapping()
        self.asked: list[int] = []

    def wrapping(self) -> tuple[list[int], list[int]]:
        """What the file's own chat template puts before and after a user's words."""
        template = self.llm.metadata["tokenizer.chat_template"]
        text = (
            jinja2.sandbox.ImmutableSandboxedEnvironment()
            .from_string(template)
            .render(messages=[{"role": "user", "content": MARK}], add_generation_prompt=True)
        )
        before, after = text.split(MARK)
        return self.tokens(before, special=True), self.tokens(after, special=True)

    def tokens(self, text: str, special: bool = False) -> list[int]:
        return list(self.llm.tokenize(text.encode(), add_bos=False, special=special))

    def prompt_tokens(self, prompt: Prompt) -> list[int]:
        candidates = [token for text in prompt.candidates for token in self.tokens(text)]
        return [
            *self.prefix,
            *self.tokens(prompt.head),
            *candidates,
            *self.tokens(prompt.tail),
            *self.suffix,
            *self.tokens(prompt.answer),
        ]

    def logits(self, tokens: Sequence[int], keep: int | None = None) -> NDArray[np.float32]:
        """What may come next; `keep` tokens of those evaluated before stay, the others go."""
        self.llm.n_tokens = self.llm.n_tokens if keep is None else keep
        self.llm.eval(tokens)
        row = llama_cpp.llama_get_logits_ith(self.llm.ctx, -1)
        return np.ctypeslib.as_array(row, shape=(self.llm.n_vocab(),)).copy()

    def begin(self, tokens: list[int]) -> NDArray[np.float32]:
        """Logits after `tokens`; what the prompt before began with is not evaluated again."""
        pairs = enumerate(zip(self.asked, tokens, strict=False))
        same = next((at for at, (old, new) in pairs if old != new), 0)
        self.asked = tokens
        return self.logits(tokens[same:], keep=same)

    def choose(self, prompt: Prompt, quota: int) -> list[str]:
        """`quota` labels, the best first."""
        here = self.begin(self.prompt_tokens(prompt))
        left, chosen = list(prompt.labels), []
        while True:
            scores = self.scores(here, left)
            chosen.append(max(left, key=scores.__getitem__))
            left.remove(chosen[-1])
            if len(chosen) == quota or not left:
                return chosen
            here = self.logits(self.tokens(after_pick(chosen[-1])))

    def scores(self, here: NDArray[np.float32], labels: Sequence[str]) -> dict[str, float]:
        """Log-probability of every label after what was evaluated, which it leaves as it was."""
        base = self.llm.n_tokens
        spelled = {label: tuple(self.tokens(f"{label}]")) for label in labels}
        found: dict[str, float] = {}
        waiting: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
        while waiting:
            done, score = waiting.pop()
            fitting = {k: v for k, v in spelled.items() if v[: len(done)] == done}
            if len(fitting) == 1:
                found[next(iter(fitting))] = score
                continue
            row = here if not done else self.logits(done, keep=base)
            legal = sorted({tokens[len(done)] for tokens in fitting.values()})
            steps = row[legal] - np.logaddexp.reduce(row[legal].astype(np.float64))
            waiting += [
                ((*done, token), score + float(s)) for token, s in zip(legal, steps, strict=True)
            ]
        self.llm.n_tokens = base
        return found


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """llama.cpp writes to the process's stderr while it loads."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
