"""A lesson and a model → the model after it, open; an unfinished lesson goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from localsel.backends.base import Backend
from localsel.methods.base import Lesson, Progress, Remark, Tuned
from localsel.pipeline.early import open_selector
from localsel.pipeline.identity import Identity, digest
from localsel.settings import Settings
from localsel.wording import counted

LEAST = 30
FEW = ", which teach little: a smaller --tune-batch makes more, a larger --tune-rate larger ones"
VERSION = 2
"""Raised whenever the same lesson would give other weights than before."""


@dataclass
class Learner:
    """The model of a run, and the stack of what is closed when the run ends.

    `run` is the run whose record names what is kept of the lesson; a rehearsal has none.
    """

    settings: Settings
    identity: Identity
    stack: ExitStack
    run: str = ""
    opened: Backend | None = None

    def untuned(self) -> AbstractContextManager[Backend]:
        """The model as it is."""
        return closing(open_selector(self.settings, self.identity.model, self.identity.backend))

    def tune(self, lesson: Lesson) -> Generator[Progress | Remark, None, Tuned]:
        """Fine-tunes a copy in the workspace, which is removed when the run has ended.

        A scripted rule has nothing to learn, and is opened as it is.
        """
        from localsel.training import Recipe, train

        settings, identity = self.settings, self.identity
        recipe = Recipe(
            epochs=lesson.epochs,
            learning_rate=settings.tune_rate,
            batch=lesson.batch,
            length=settings.tune_length,
            rank=settings.tune_rank,
            seed=settings.seed,
        )
        content = {"model": identity.selector, "recipe": asdict(recipe), "pairs": lesson.pairs}
        content |= {"device": device()}
        name = digest(content | {"version": VERSION})
        if identity.backend == "scripted":
            self.opened = self.stack.enter_context(self.untuned())
            return Tuned(self.opened, name)
        into = identity.store.tuned_folder(name)
        if self.run:
            identity.store.update_run(self.run, facts={"tuned": name})
        steps = recipe.steps(len(lesson.pairs))
        yield Remark(
            f"Tuning {Path(identity.model).name} on {counted(len(lesson.pairs), 'row')} in"
            f" {counted(steps, 'step')}{FEW if steps < LEAST else ''}."
        )
        for step in train(Path(identity.model), lesson.pairs, recipe, into, settings.threads):
            yield Progress(step.done, step.total)
        clear()
        self.stack.push(forgetting(into))
        # In fewer bits most of the lesson would be rounded away.
        opened = open_selector(settings, str(into), identity.backend, exact=True)
        self.opened = self.stack.enter_context(closing(opened))
        return Tuned(self.opened, name)


def clear() -> None:
    """Gives back what learning took of a graphics card: who opens the model wants all of it."""
    import torch

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
