"""Pool in, picks out: what every method promises, and what it is handed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from localsel.backends.base import Backend, Reader
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
class Tools:
    """What `pipeline` opened for a method.

    `selector` is the sha256 of the model: it seeds the draws that decide between equal votes.
    `readers` are all whose contexts a prompt has to fit, where several selectors are compared.
    """

    settings: Settings
    journal: Journal
    backend: Backend | None = None
    template: Template | None = None
    selector: str = ""
    readers: tuple[Reader, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a method is with what comes before its picks: `done` of `total` rows."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about this pool that whoever watches should know."""

    text: str


class Method(ABC):
    """One way to select. States what it needs, is handed it opened, and opens nothing itself.

    Attributes:
        about: one line for `localsel methods`.
        source: the paper, where there is one.
        cost: model calls, in words.
        draws: whether another seed gives another selection.
        needs_vectors: the embedder counts; the method sees vectors only where it needs no plan.
    """

    about: ClassVar[str]
    source: ClassVar[str] = ""
    cost: ClassVar[str] = "none"
    needs_backend: ClassVar[bool] = False
    needs_vectors: ClassVar[bool] = False
    needs_plan: ClassVar[bool] = False
    needs_responses: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @abstractmethod
    def picks(self, pool: Pool, budget: int) -> Iterator[Pick | Answer | Progress | Remark]:
        """Yields exactly `budget` distinct picks, each as it is made.

        A method that asks a model also yields every answer, once it is committed; one that
        measures every row before it picks says how far it is.
        """

    def seconds(self, pool: Pool) -> float | None:
        """About how long it takes to choose, by timing a part of it; None where it is soon over."""
        return None
