"""Pool in, picks out: what every method promises, and what it is handed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from localsel.backends.base import Backend, Reader
from localsel.errors import AnswerError
from localsel.records import Answer, Instruction, Pick, Plan, Vectors
from localsel.settings import Settings
from localsel.stages.prompt import Template


@dataclass(frozen=True, slots=True)
class Pool:
    """What there is to choose from.

    Attributes:
        instructions: the distinct ones, in file order.
        vectors: [n, d] unit vectors, for a method that needs them and no plan.
        plan: clusters cut into queries, for a method that needs one.
        given: [g, d] unit vectors of what is annotated, or will be; comes with `vectors`.
    """

    instructions: tuple[Instruction, ...]
    vectors: Vectors | None = None
    plan: Plan | None = None
    given: Vectors | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """Answers of an earlier start of the same run, and the place where new ones are committed."""

    finished: Mapping[tuple[int, int], Answer] = field(default_factory=dict)
    commit: Callable[[Answer], None] = lambda answer: None


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured before, by any run, and the place where new values are kept.

    Both by the name of the measure, which says all that a value depends on, and by the digest of
    what was measured. A value is a number, a list of them, or words.
    """

    known: Callable[[str, Sequence[bytes]], Mapping[bytes, Any]] = lambda measure, keys: {}
    keep: Callable[[str, Mapping[bytes, Any]], None] = lambda measure, values: None


class Rater(Protocol):
    """A quality model: a number for every question and its answer, higher is better."""

    def scores(self, pairs: Iterable[tuple[str, str]]) -> Iterator[float | AnswerError]:
        """In the order of asking; a failed one is yielded."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a method is with what comes before its picks: `done` of `total` rows."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about this pool that whoever watches should know."""

    text: str


@dataclass(frozen=True, slots=True)
class Unscored:
    """Rows that have no score, and why: they are picked by nobody, and counted like fallbacks."""

    reasons: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a model is tuned on: texts before an answer, and the answers."""

    pairs: tuple[tuple[str, str], ...]
    epochs: int
    batch: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """A selector after a lesson. `digest` names its weights by what they were made from.

    `repeatable`: whether the same lesson gives the same weights, and these the same answers.
    """

    backend: Backend
    digest: str
    repeatable: bool


class Learner(Protocol):
    """A model that can be fine-tuned, and is not open yet. `tuned` is the last that has learnt."""

    tuned: Tuned | None

    def untuned(self) -> AbstractContextManager[Backend]:
        """The model as it is, open for as long as it is needed."""
        ...

    def tune(self, lesson: Lesson) -> Generator[Progress | Remark, None, Tuned]:
        """The model after a lesson."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What `pipeline` opened for a method.

    `selector` is the sha256 of the model: it seeds the draws that decide between equal votes.
    `readers` are all whose contexts a prompt has to fit, where several selectors are compared.
    A method that tunes has a `learner` instead of a `backend`.
    """

    settings: Settings
    journal: Journal
    backend: Backend | None = None
    template: Template | None = None
    selector: str = ""
    readers: tuple[Reader, ...] = ()
    scores: Scores = field(default_factory=Scores)
    rater: Rater | None = None
    rater_name: str = ""
    learner: Learner | None = None


Step: TypeAlias = Pick | Answer | Progress | Remark | Unscored


class Method(ABC):
    """One way to select. States what it needs, is handed it opened, and opens nothing itself.

    Attributes:
        about: one line for `localsel methods`.
        source: the paper, where there is one.
        cost: model calls, in words.
        draws: whether another seed gives another selection.
        needs_backend: a model has to be named.
        templates: the prompts that it asks with, where that is not for the user to say.
        needs_vectors: the embedder counts; the method sees vectors only where it needs no plan.
        needs_quality: a quality model rates answers.
        reads_texts: the model is asked how probable texts are, or what comes after them.
        tunes: a model is fine-tuned: a Hugging Face folder has to be named.
        embeds_responses: a row's vector is that of its text and its response.
        options: the settings of its own, of `METHODS_OWN`.
        variants: names that `--variant` may give; the first is what it does without.
    """

    about: ClassVar[str]
    source: ClassVar[str] = ""
    cost: ClassVar[str] = "none"
    needs_backend: ClassVar[bool] = False
    needs_vectors: ClassVar[bool] = False
    needs_plan: ClassVar[bool] = False
    needs_responses: ClassVar[bool] = False
    needs_quality: ClassVar[bool] = False
    tunes: ClassVar[bool] = False
    reads_texts: ClassVar[bool] = False
    embeds_responses: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    templates: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ()
    variants: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @classmethod
    def of(cls, settings: Settings) -> type[Method]:
        """The method as these settings want it: a variant may need and do other things."""
        return cls

    @abstractmethod
    def picks(self, pool: Pool, budget: int) -> Iterator[Step]:
        """Yields exactly `budget` distinct picks, each as it is made.

        A method that asks a model also yields every answer, once it is committed; one that
        measures every row before it picks says how far it is.
        """

    def seconds(self, pool: Pool) -> float | None:
        """About how long it takes to choose, by timing a part of it; None where it is soon over."""
        return None

    def estimate(self, pool: Pool) -> Mapping[str, object]:
        """What a dry run tells of it: `choose_seconds`, and what else it knows before it begins."""
        seconds = self.seconds(pool)
        return {} if seconds is None else {"choose_seconds": round(seconds, 1)}
