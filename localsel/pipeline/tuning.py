"""A lesson and a model → the model after it, open; an unfinished lesson goes on."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from localsel.backends.base import Backend
from localsel.methods.base import Lesson, Progress, Remark, Tuned
from localsel.pipeline.early import open_selector
from localsel.pipeline.identity import Identity, digest
from localsel.settings import Settings
from localsel.training import Progress as Step
from localsel.training import Recipe, train
from localsel.wording import counted

LEAST = 30
FEW = ", which teach little: a smaller --tune-batch makes more, a larger --tune-rate larger ones"
VERSION = 2
"""Raised whenever the same lesson would give other weights than before."""


@dataclass
class Learner:
    """The model of a run, and the stack of what is closed when the run ends.

    What is kept of a lesson is kept under the name of `run`. A rehearsal has none: in it, nothing
    is learnt.
    """

    settings: Settings
    identity: Identity
    stack: ExitStack
    run: str | None = None
    tuned: Tuned | None = None

    def untuned(self) -> AbstractContextManager[Backend]:
        """The model as it is."""
        return closing(open_selector(self.settings, self.identity.model, self.identity.backend))

    def tune(self, lesson: Lesson) -> Generator[Progress | Remark, None, Tuned]:
        """Fine-tunes a copy in the workspace, which is removed when the run has ended.

        A scripted rule has nothing to learn, and is opened as it is.
        """
        assert self.run, "a rehearsal tunes nothing"
        settings, identity, recipe = self.settings, self.identity, self._recipe(lesson)
        content: dict[str, object] = {"model": identity.selector, "pairs": lesson.pairs}
        content |= {"recipe": asdict(recipe), "version": VERSION}
        if identity.backend == "scripted":
            opened = self.stack.enter_context(self.untuned())
            self.tuned = Tuned(opened, digest(content), opened.repeatable)
            return self.tuned
        place = device()
        name, into = digest(content | {"device": place}), identity.store.tuned_folder(self.run)
        model = Path(identity.model)
        for step in train(model, lesson.pairs, recipe, into, name, settings.threads):
            if step.loss is None:
                yield from self._beginning(step, len(lesson.pairs))
            else:
                yield Progress(step.done, step.total)
        clear()
        self.stack.push(forgetting(into))
        # In fewer bits most of the lesson would be rounded away.
        backend = open_selector(settings, str(into), identity.backend, exact=True)
        opened = self.stack.enter_context(closing(backend))
        self.tuned = Tuned(opened, name, opened.repeatable and place == "cpu")
        return self.tuned

    def _recipe(self, lesson: Lesson) -> Recipe:
        return Recipe(
            epochs=lesson.epochs,
            learning_rate=self.settings.tune_rate,
            batch=lesson.batch,
            length=self.settings.tune_length,
            rank=self.settings.tune_rank,
            seed=self.settings.seed,
        )

    def _beginning(self, step: Step, pairs: int) -> Iterator[Remark]:
        """What will be learnt from, and what cannot be."""
        if step.left_out:
            yield Remark(
                f"Nothing is learnt from {counted(step.left_out, 'row')}: no token of the response"
                f" is within --tune-length {self.settings.tune_length} and the model's context."
            )
        yield Remark(
            f"Tuning {Path(self.identity.model).name} on"
            f" {counted(pairs - step.left_out, 'row')} in {counted(step.total, 'step')}"
            f"{FEW if step.total < LEAST else ''}."
        )


def clear() -> None:
    """Gives back the memory that learning took: who opens the model wants all of it."""
    import torch

    # What is left of the model points at itself: only the collector lets go of that.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def device() -> str:
    """Where a model learns: other hardware makes other weights."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def forgetting(folder: Path) -> Callable[..., None]:
    """Removes a tuned model when its run has ended; one that was cut goes on with it."""

    def forget(kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            shutil.rmtree(folder, ignore_errors=True)

    return forget
