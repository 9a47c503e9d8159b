"""Answered rows and a GGUF → CPU seconds of `ifd`, and of the bare evaluation of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._measure import in_turns, median_ratio
from localsel.backends.base import Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.errors import AnswerError
from localsel.methods.base import Journal, Pool, Scores, Tools
from localsel.methods.ifd import Ifd
from localsel.records import Instruction
from localsel.settings import Settings
from localsel.store import Store

LENGTH = 1024
LEAST_BUDGET = 1
LARGEST_RATIO = 1.15


def measured(instructions: Sequence[Instruction], model: Path, rounds: int) -> dict[str, Any]:
    """The whole method, and llama.cpp reading the same tokens with the same logits, in turns."""
    pool = Pool(tuple(instructions))
    with closing(LlamaCppBackend.open(Opening(str(model), threads=1))) as backend:
        settings = Settings(data=Path("pool.jsonl"), budget=LEAST_BUDGET, method="ifd")
        method = Ifd(Tools(settings, Journal(), backend))
        texts = [backend.lay_out(method.passage(each), LENGTH) for each in pool.instructions]
        laid = [each for each in texts if not isinstance(each, AnswerError)]

        def whole() -> None:
            """As in a run: into a workspace that knows nothing yet."""
            with TemporaryDirectory() as folder, closing(Store(Path(folder))) as store:
                scores = Scores(store.scores, store.add_scores)
                tools = Tools(settings, Journal(), backend, scores=scores)
                list(Ifd(tools).picks(pool, LEAST_BUDGET))

        def bare() -> None:
            for each in laid:
                backend.evaluate(each)

        bare()  # the context is opened, and grows, only once
        works = {"whole": whole, "bare": bare}
        times = [in_turns(works, turn) for turn in range(rounds)]
    return {
        "rows": len(laid),
        "tokens": sum(len(text) for each in laid for text in each.texts),
        "rounds": rounds,
        "cpu_seconds": round(min(each["whole"] for each in times), 2),
        "plain_cpu_seconds": round(min(each["bare"] for each in times), 2),
        "ratio": (ratio := round(median_ratio(times, "whole", "bare"), 3)),
        "within_limit": ratio <= LARGEST_RATIO,
    }
