"""What travels between the stages: instructions, clusters, queries, answers, picks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

INCLUDED = "picked by --include"
"""Why a row that is picked in any case is set aside from what a method chooses from."""

ChosenBy = Literal["model", "vote", "forced", "fallback", "human", "method"]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One unlabelled row of the pool; `row` is its record number in the file, from 0."""

    row: int
    instruction: str
    input: str = ""
    response: str = ""

    @property
    def text(self) -> str:
        """What is embedded and shown to a selector: the instruction and, below it, its input."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction


def text_digest(text: str) -> bytes:
    """What identifies an instruction's text in caches and among duplicates."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class Clusters:
    """A partition of instructions, by index into the pool: who is together, and how tightly.

    Attributes:
        members: for each cluster the indices of its instructions, in the order in which heats
            are dealt: nearest to the centre first for CoreSet.
        centres: index of each cluster's centre; empty where a grouping has no centres.
        distances: for every instruction the Euclidean distance to its centre, by pool index;
            NaN for instructions outside the clustering.
        facts: measured on the way, for the run record: radii, mean distances, joined centres.
        given: how many of the clusters, the last ones, lie around an annotated instruction.
    """

    members: tuple[Rows, ...]
    centres: Rows
    distances: Vectors
    facts: Mapping[str, float | int | None] = field(default_factory=dict)
    given: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """One question of the plan: `quota` picks out of `rows`, or out of the winners of `sources`.

    A heat of the first round names its rows. A later round names the queries whose winners meet
    in it: who they are is known only once those are answered. The winners of a `final` query are
    picks; the others go on to the next round.
    """

    id: int
    cluster: int
    round: int
    quota: int
    rows: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()
    final: bool = True

    @property
    def asks(self) -> bool:
        """Whether there is anything to choose: one that takes all it shows asks nobody."""
        return self.quota < (len(self.rows) or len(self.sources))


@dataclass(frozen=True, slots=True)
class Plan:
    """Every query of a run, in the order of asking, and the rows that no query shows."""

    queries: tuple[Query, ...]
    quotas: tuple[int, ...]
    left_out: Mapping[int, str]


TERMINATOR = "]"


def after_pick(label: str) -> str:
    """What follows in an answer once `label` is chosen and another label is wanted."""
    return f"{label}{TERMINATOR} ["


@dataclass(frozen=True, slots=True)
class Prompt:
    """One rendered query. A backend evaluates `head` once for all queries of a run.

    `head`, each of `candidates`, `tail` and `answer` are tokenised separately, so that the tokens
    of a part never depend on its neighbours. The model reads, as two evaluations,
    template prefix + head | candidates… + tail + template suffix + answer.

    Labels are numbers; what a question asks for instead, a rating say, are its `options`.
    """

    head: str
    candidates: tuple[str, ...]
    tail: str
    answer: str
    options: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model may name: `"1"` for the first candidate, and so on; or the options."""
        return self.options or tuple(str(number) for number in range(1, len(self.candidates) + 1))

    @property
    def content(self) -> str:
        """What a person would have typed."""
        return self.head + "".join(self.candidates) + self.tail


@dataclass(frozen=True, slots=True)
class Answer:
    """What a selector answered to one query in one order.

    Attributes:
        query: id of the query; `order`: which of its shuffles, from 0.
        shown: rows in the order shown; the label of `shown[i]` is i + 1.
        chosen: rows chosen, first choice first.
        probabilities: of each choice, given the earlier choices of this query.
        scores: natural-log probability of every shown row at the first choice.
        outcome: `answered`, `forced` (nothing to choose) or `abstained` (filled at random).
        shortened: rows whose text was cut to fit the model's context.
    """

    query: int
    order: int
    shown: tuple[int, ...]
    chosen: tuple[int, ...]
    probabilities: tuple[float, ...]
    scores: tuple[float, ...]
    outcome: Literal["answered", "forced", "abstained"]
    prompt_tokens: int = 0
    seconds: float = 0.0
    attempts: int = 1
    shortened: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen instruction, and why; ranked once the selection is complete.

    `turn` is its place among the picks of its cluster, from 0; `score` is what a method measured of
    the row. What a method cannot say is None.
    """

    row: int
    chosen_by: ChosenBy
    cluster: int | None = None
    query: int | None = None
    turn: int = 0
    label: int | None = None
    position: int | None = None
    probability: float | None = None
    votes: int | None = None
    rank: int = 0
    score: float | None = None


ChangeKind = Literal["accept", "ban", "swap", "note", "answer", "skip"]


@dataclass(frozen=True, slots=True)
class Change:
    """What a person changed in the selection of a run.

    Attributes:
        row: the pick that it is about; a ban may also be of a row that was not picked.
        other: the row that takes its place; with a ban it is found, and None if there is none.
        text: of a note or an answer; an empty one takes it back.
        at: seconds since 1970; 0 for now.
    """

    kind: ChangeKind
    row: int
    other: int | None = None
    text: str = ""
    at: float = 0.0
