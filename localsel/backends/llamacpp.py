"""A GGUF file and prompts → scored choices, through llama.cpp."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from localsel.backends.base import Ask, Backend, Choice, Opening, Reader, take
from localsel.backends.constraint import Constraint, Logits
from localsel.backends.constraint import Path as TokenPath
from localsel.backends.llamacpp_likelihood import LlamaLikelihood
from localsel.backends.llamacpp_tokens import LlamaTokens
from localsel.backends.probe import probe
from localsel.errors import AnswerError, BackendError
from localsel.records import Prompt

DEFAULT_CONTEXT = 8192


class LlamaCppBackend(LlamaLikelihood, Backend):
    """One loaded GGUF and its evaluated prompt head.

    The head of the prompt (chat template prefix and question) and the rest of a query are always
    evaluated by separate calls, whether or not the head is still cached: logits of one long
    evaluation differ from those of two in the last bits, and a resumed run must see the same ones.
    """

    def __init__(self, llama: Any, context: int) -> None:
        import llama_cpp

        super().__init__(llama, context)
        # What a GPU sums in which order is not ours to promise.
        self.repeatable = not llama_cpp.llama_supports_gpu_offload()
        self._head: tuple[int, ...] = ()

    @property
    def numbers(self) -> str:
        return f"{super().numbers}/{'cpu' if self.repeatable else 'gpu'}"

    @classmethod
    def open(cls, opening: Opening) -> Self:
        path, context = _found(opening)
        llama = load(path, context, opening.threads)
        try:
            backend = cls(llama, context)
            backend.run_canary()
        except BaseException:
            llama.close()
            raise
        return backend

    @classmethod
    def open_reader(cls, opening: Opening) -> Reader:
        path, context = _found(opening)
        return LlamaTokens(load(path, 512, opening.threads, vocab_only=True), context)

    @property
    def parameters(self) -> int:
        """Weights of the model, counted."""
        import llama_cpp

        return int(llama_cpp.llama_model_n_params(self._llama.model))

    # What the model says.

    def choose(self, asks: Iterable[Ask]) -> Iterator[Choice | AnswerError]:
        for ask in asks:
            try:
                yield self._choose(ask)
            except AnswerError as error:
                yield error
            except (RuntimeError, ValueError) as error:
                # llama.cpp could not evaluate; what is cached is unknown from here on.
                self._head = ()
                yield AnswerError(f"llama.cpp failed: {error}")

    def _choose(self, ask: Ask) -> Choice:
        started = time.perf_counter()
        tail = self._tail_tokens(ask.prompt)
        self._evaluate_head(self._head_tokens(ask.prompt))
        self._llama.eval(tail)
        labels = ask.prompt.labels
        left = list(range(len(labels)))
        scores, chosen, probabilities = None, [], []
        for turn in range(ask.quota):
            now = self._score([labels[place] for place in left])
            scores = now if scores is None else scores
            place = take(now, ask, turn)
            probabilities.append(float(np.exp(now[place])))
            chosen.append(left.pop(place))
            if turn + 1 < ask.quota:
                self._llama.eval(self._after_pick(labels[chosen[-1]]))
        return Choice(
            positions=tuple(chosen),
            probabilities=tuple(probabilities),
            scores=tuple(scores.tolist()) if scores is not None else (),
            prompt_tokens=len(self._head) + len(tail),
            seconds=time.perf_counter() - started,
        )

    def generate(self, prompts: Iterable[Prompt], limit: int) -> Iterator[str]:
        for prompt in prompts:
            self._evaluate_head(self._head_tokens(prompt))
            self._llama.eval(self._tail_tokens(prompt))
            yield self._line(min(limit, self.context - self._llama.n_tokens))

    def _line(self, limit: int) -> str:
        """The most probable token again and again, to the end of the turn or of the line."""
        import llama_cpp

        said = b""
        for _ in range(limit):
            token = int(np.argmax(self._logits()))
            if llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                break
            said += self._piece(token)
            if b"\n" in said.lstrip():
                break
            self._llama.eval([token])
        return said.decode("utf-8", "replace").strip().partition("\n")[0]

    def _evaluate_head(self, head: tuple[int, ...]) -> None:
        if head != self._head:
            self._llama.reset()
            self._llama.eval(head)
            self._head = head
        self._llama.n_tokens = len(head)

    def _score(self, labels: Sequence[str]) -> NDArray[np.float64]:
        """Log-probabilities of `labels` after what has been evaluated, which is left unchanged."""
        start = self._llama.n_tokens
        at_start = self._logits()

        def evaluate(path: TokenPath) -> Logits:
            if not path:
                return at_start
            self._llama.n_tokens = start
            self._llama.eval(path)
            return self._logits()

        scores = self._constraint.score(labels, evaluate)
        self._llama.n_tokens = start
        return scores

    def _logits(self) -> Logits:
        """The logits after the last evaluated token, copied: the next evaluation reuses them."""
        import llama_cpp

        pointer = llama_cpp.llama_get_logits_ith(self._llama.ctx, -1)
        if not pointer:
            raise AnswerError("llama.cpp returned no logits")
        return np.ctypeslib.as_array(pointer, shape=(self._llama.n_vocab(),)).copy()

    # What keeps the model to the labels.

    @cached_property
    def _constraint(self) -> Constraint:
        import llama_cpp

        ordinary = (llama_cpp.LLAMA_TOKEN_ATTR_NORMAL, llama_cpp.LLAMA_TOKEN_ATTR_USER_DEFINED)
        tokens = {
            token: self._piece(token)
            for token in range(self._llama.n_vocab())
            if llama_cpp.llama_vocab_get_attr(self._vocabulary, token) & (ordinary[0] | ordinary[1])
        }
        # BERT's tokenizer, for one, has no end token: then an id that no token has.
        eos = self._llama.token_eos()
        return Constraint(tokens, eos if eos >= 0 else self._llama.n_vocab())

    def run_canary(self) -> None:
        """Asks twice for what the constraint forbids; see `Constraint.canary`.

        The second time only the head is still there: a recurrent model cannot go back to it.
        """
        seen = []
        for _ in range(2):
            try:
                self._evaluate_head((*self._before, *self._tokens("Say yes or no.")))
                self._llama.eval([*self._after, *self._tokens("Best: [")])
                seen.append(self._logits())
            except (RuntimeError, ValueError, AssertionError, AnswerError) as error:
                raise BackendError(
                    f"llama.cpp cannot evaluate a short prompt: {error}.",
                    "Models that make vectors of texts cannot choose.",
                ) from error
        if not np.allclose(seen[0], seen[1], atol=1e-3):
            raise BackendError(
                "This model cannot go back to an earlier place of its prompt.",
                "Recurrent and hybrid models cannot be used.",
            )
        self._constraint.canary(seen[0])


def _found(opening: Opening) -> tuple[Path, int]:
    """The file, and the context to use it with."""
    path = Path(opening.model).expanduser()
    trained = int(probe(path, opening.context)["context"] or DEFAULT_CONTEXT)
    if opening.context is not None and opening.context > trained:
        raise BackendError(
            f"{path} reads at most {trained} tokens, not {opening.context}.",
            "Give a smaller --context.",
        )
    return path, opening.context or min(trained, DEFAULT_CONTEXT)


@cache
def _unheard() -> Any:
    """Takes llama.cpp's remarks, which it makes even when told to be quiet, and says nothing."""
    import llama_cpp

    return llama_cpp.llama_log_callback(lambda level, text, data: None)


def load(path: Path, context: int, threads: int | None, vocab_only: bool = False) -> Any:
    """Opens the file with llama.cpp, quietly."""
    import llama_cpp

    llama_cpp.llama_log_set(_unheard(), None)
    workers = threads or len(os.sched_getaffinity(0))
    try:
        return llama_cpp.Llama(
            model_path=str(path),
            n_ctx=context,
            n_batch=512,
            n_ubatch=128,
            n_threads=workers,
            n_threads_batch=workers,
            n_gpu_layers=-1,
            flash_attn=True,
            # A sliding window that forgets could not go back to the head of the prompt.
            swa_full=True,
            vocab_only=vocab_only,
            verbose=False,
        )
    except (ValueError, RuntimeError, OSError) as error:
        raise BackendError(
            f"llama.cpp cannot load {path}: {str(error).partition(' from file')[0]}.",
            "Is the file whole, and is there memory enough? A smaller --context takes less.",
        ) from error
