"""A pool, its vectors and a model → the few diverse rows that IFD's model is tuned on first."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np

from localsel.alpaca import RESPONSE, before
from localsel.backends.base import Backend, Passage
from localsel.errors import AnswerError
from localsel.methods.base import Method, Pool, Progress
from localsel.methods.means import clusters_of
from localsel.methods.measuring import key_of, measure, without_reasons
from localsel.methods.scoring import LAYOUT, losses_of
from localsel.records import Instruction, Rows

CLUSTERS = 100
ROWS = 1000
MIDDLE = (25, 75)
"""Percentiles of the instruction's perplexity within which a cluster's rows are taken."""
EPOCHS, BATCH = 1, 128

Pairs = tuple[tuple[str, str], ...]


def experience(method: Method, pool: Pool) -> Generator[Progress, None, Pairs]:
    """Texts before an answer, and the answers, of about 1,000 rows.

    From each of 100 k-means clusters as many, at even steps through those whose instruction is
    neither the most nor the least expected; a cluster that has no more is taken whole.

    Source: arXiv 2308.12032, section 2.1, with the vectors of the embedder instead of the model's.
    """
    tools = method.tools
    assert tools.learner is not None and pool.vectors is not None
    places = [place for place, each in enumerate(pool.instructions) if each.response.strip()]
    instructions = [pool.instructions[place] for place in places]
    length = tools.settings.tune_length
    with tools.learner.untuned() as backend:
        limit = min(length, backend.context)
        measuring = measure(
            tools.scores,
            f"instruction/{LAYOUT}/{tools.selector}/{backend.numbers}/{limit}",
            [each.row for each in instructions],
            [key_of(asked(each)) for each in instructions],
            lambda some: instruction_losses(
                backend, [instructions[place] for place in some], length
            ),
        )
        # One without a loss is not tuned on, and may be picked all the same.
        losses = yield from without_reasons(measuring)
    wanted = tools.settings.tune_rows or ROWS
    count = min(CLUSTERS, wanted, len(places))
    labels = clusters_of(pool.vectors[places], count, tools.settings.seed)
    chosen = [
        int(place)
        for cluster in range(count)
        for place in typical(
            np.flatnonzero(labels == cluster), losses, (wanted + count - 1 - cluster) // count
        )
    ]
    rows = [instructions[place] for place in sorted(chosen)]
    return tuple((before(each), each.response) for each in rows)


def typical(members: Rows, losses: Sequence[float | None], count: int) -> list[int]:
    """`count` of a cluster's rows, in file order at even steps through the middle of their losses;
    all of a cluster that has no more.
    """
    known = [place for place in members.tolist() if losses[place] is not None]
    if len(known) <= count:
        return known
    low, high = np.percentile([losses[place] or 0.0 for place in known], MIDDLE)
    middle = [place for place in known if low <= (losses[place] or 0.0) <= high]
    if len(middle) <= count:
        return middle
    return [middle[turn * len(middle) // count] for turn in range(count)]


def asked(instruction: Instruction) -> str:
    """The instruction as it is laid out, without the header of the response."""
    return before(instruction).removesuffix(RESPONSE)


def instruction_losses(
    backend: Backend, instructions: Sequence[Instruction], length: int
) -> Iterator[float | AnswerError]:
    """The mean loss of a token of each instruction."""
    # The first header is the same for all, and gives the first word something to stand behind.
    header = "### Instruction:\n"
    passages = [Passage((header,), asked(each).removeprefix(header)) for each in instructions]
    for said in losses_of(backend, passages, length):
        yield said if isinstance(said, AnswerError) else said[0]
