"""A query that a run asked, and another way of putting it → what a selector reads and answers now.

Nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localsel import offline
from localsel.backends.base import Ask, Backend, Choice, Reader
from localsel.errors import AnswerError, LocalselError, UsageError
from localsel.methods.fitting import Fitter
from localsel.methods.selectllm import DRAW, SelectLLM, own_seed
from localsel.pipeline.early import SOME_HONOUR, open_backend, open_reader, refuse_unfit
from localsel.pipeline.identity import Identity, backend_of, plain_default
from localsel.records import Answer, Prompt
from localsel.selectors import is_scripted
from localsel.servers import is_server
from localsel.settings import Settings
from localsel.sharing import sharing_of
from localsel.stages.prompt import Template, find_template
from localsel.store import Store


@dataclass(frozen=True, slots=True)
class Wording:
    """How a query is to be put; what is empty is as the run put it."""

    prompt: str = ""
    criteria: str | None = None
    model: str = ""


@dataclass(frozen=True)
class Question:
    """A query as an open selector reads it.

    Attributes:
        answer: what the run answered to it in its first order; `texts` are of the rows shown.
        prompt: as the selector reads it now; `cut` are the places of shortened candidates.
    """

    run: Mapping[str, Any]
    answer: Answer
    identity: Identity
    template: Template
    criteria: str
    texts: list[str]
    backend: Backend
    prompt: Prompt
    cut: tuple[int, ...]

    @property
    def model(self) -> str:
        """Where the selector is."""
        return self.identity.model

    @property
    def tokens(self) -> int:
        return self.backend.count_prompt(self.prompt)

    @property
    def text(self) -> str:
        """All of it, the chat template included."""
        return self.backend.whole(self.prompt)

    @property
    def shortened(self) -> list[int]:
        """Rows whose text had to be cut."""
        return [self.answer.shown[place] for place in self.cut]

    def ask(self) -> Choice:
        """What the selector answers, asked twice at most, as in a run.

        Raises:
            LocalselError: there is nothing to choose, or no valid answer came.
        """
        settings, quota = self.run["settings"], len(self.answer.chosen)
        if quota == len(self.answer.shown):
            raise UsageError(
                f"Query {self.answer.query} of run {self.run['run']} takes all that it shows:"
                " there is nothing to choose."
            )
        why = ""
        for attempt in ((), (1,)):
            parts = (self.answer.query, 0, DRAW, *attempt)
            seed = own_seed(settings["seed"], self.identity.selector, *parts)
            ask = Ask(self.prompt, quota, settings["temperature"], seed)
            choice = next(self.backend.choose([ask]))
            if not isinstance(choice, AnswerError):
                return choice
            why = choice.message
        raise LocalselError(
            f"{self.model} gave no valid answer to query {self.answer.query}: {why}."
        )


@contextmanager
def question(
    store: Store, run: Mapping[str, Any], query: int, wording: Wording
) -> Iterator[Question]:
    """The query with the candidates of its stored answer, in the same order.

    Raises:
        LocalselError: the run did not ask it, or it cannot be put like this.
    """
    answer = store.answers(run["run"]).get((query, 0))
    if answer is None:
        raise UsageError(f"Run {run['run']} has not asked a query {query}.")
    template = find_template(wording.prompt or run["settings"]["prompt"])
    refuse_unfit(template, wording.criteria)
    # A template without a place for the criteria of the run does without.
    kept = run["settings"]["criteria"]
    criteria = kept if wording.criteria is None else wording.criteria
    texts = [store.instruction(run["pool"], row).text for row in answer.shown]
    identity = _identity(store, run, wording.model)
    offline.set_variables()
    with offline.guard(identity.settings.hosts), ExitStack() as stack:
        backend = open_backend(identity.settings, identity, SelectLLM, stack)
        assert backend is not None
        fitter = Fitter(_readers(run, identity, backend, stack), template, criteria)
        prompt, cut = fitter.fit(texts, len(answer.chosen))
        said = criteria or template.criteria
        yield Question(run, answer, identity, template, said, texts, backend, prompt, cut)


def _identity(store: Store, run: Mapping[str, Any], model: str) -> Identity:
    """Of the run's selector, or of another within the limits that any backend can keep."""
    settings = run["settings"]
    # Where this user let these instructions go once, they may go again.
    names: tuple[str, ...] = ("budget", "context", "query_size", "threads", "allow_host")
    names += () if model else SOME_HONOUR
    limits = {name: settings.get(name, plain_default(name)) for name in names}
    backend = "auto" if model else run["facts"].get("backend") or settings["backend"]
    model = model or run["facts"]["selector"]["path"]
    data, home = Path(settings["data"]), store.home
    return Identity(
        Settings(data=data, model=model, backend=backend, workspace=home, **limits), store
    )


def _readers(
    run: Mapping[str, Any], identity: Identity, backend: Backend, stack: ExitStack
) -> list[Reader]:
    """All whose contexts the prompts of the run had to fit, as far as they are still there."""
    readers: dict[str, Reader] = {identity.selector: backend}
    for model in sharing_of(run).narrow:
        settings = replace(identity.settings, model=model)
        is_there = is_scripted(model) or is_server(model) or Path(model).exists()
        if is_there and (name := identity.weights(model)) not in readers:
            kind = backend_of(model, settings.backend)
            readers[name] = stack.enter_context(closing(open_reader(settings, model, kind)))
    return [readers[name] for name in sorted(readers)]
