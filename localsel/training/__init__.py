"""A Hugging Face folder and chosen pairs → the folder of a model that has learnt from them.

LoRA matrices (Hu et al. 2021) learn the answers' tokens and nothing else, and are then added to the
weights. On a CPU the same inputs and threads give the same bits, interrupted or not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from localsel.backends.base import Opening
from localsel.backends.hf_folder import found
from localsel.errors import BackendError
from localsel.training.keeping import PARTIAL, Keeper, State
from localsel.training.recipe import Recipe

__all__ = ["Progress", "Recipe", "refuse_without_training", "train"]

OFTEN = 25
"""Steps between two checkpoints; there is one at the end of every epoch, too."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps that are done, of all; `loss` a token of the last, in natural logs, before it learnt.

    The first says where it begins: nothing has been learnt yet, and there is no loss. `left_out`
    pairs have no token of an answer within the length, and teach nothing.
    """

    done: int
    total: int
    loss: float | None
    left_out: int = 0


def train(
    folder: Path,
    pairs: Sequence[tuple[str, str]],
    recipe: Recipe,
    into: Path,
    inputs: str,
    threads: int | None = None,
    often: int = OFTEN,
) -> Generator[Progress, None, None]:
    """Yields where it begins, and every step; once it is exhausted, `into` is a model folder like
    `folder`, in float32.

    Meanwhile `into` holds a checkpoint, and whoever asks for the same again goes on behind it; of
    what is finished, nothing is yielded.

    Args:
        pairs: the text before an answer, and the answer.
        into: a folder that is new, empty, or of a training; another training's is begun anew.
        inputs: names all that decides the result, by which this training is told from another:
            the model's weights, the pairs, the recipe.
        often: steps between two checkpoints.

    Raises:
        BackendError: the folder cannot be tuned, or peft is not installed.
        InputError: there is nothing to learn from.
        WorkspaceError: `into` cannot be written; what was kept stays.
        LocalselError: the loss is not a number.
    """
    refuse_without_training(folder)
    keeper = Keeper(into)
    with keeper.held():
        if (begun := keeper.begin(inputs)) is None:
            return
        state = yield from _learn(folder, pairs, recipe, keeper, begun, threads, often)
        from localsel.training.tuning import merge

        merge(folder, recipe, keeper.read(state.done), into / PARTIAL)
        keeper.finish(state, into / PARTIAL)


def refuse_without_training(folder: Path) -> None:
    """Before anything slow.

    Raises:
        BackendError: the folder cannot be tuned, or peft is not installed.
    """
    from localsel.training.tuning import refuse_what_cannot_be_tuned

    if find_spec("peft") is None:
        raise BackendError("Fine-tuning needs peft.", "pip install 'localsel[train]'")
    refuse_what_cannot_be_tuned(folder)


def _learn(
    folder: Path,
    pairs: Sequence[tuple[str, str]],
    recipe: Recipe,
    keeper: Keeper,
    state: State,
    threads: int | None,
    often: int,
) -> Generator[Progress, None, State]:
    """All steps that are left; the last of them is kept."""
    import torch

    from localsel.backends.hf_tokens import load_tokenizer
    from localsel.training.examples import Laying
    from localsel.training.tuning import Tuner

    if threads:
        torch.set_num_threads(threads)
    _, context = found(Opening(str(folder)))
    examples = Laying(load_tokenizer(folder), context).examples(pairs, recipe.length)
    steps, own = recipe.steps(len(examples)), recipe.steps_of_epoch(len(examples))
    state, left_out = replace(state, steps=steps), len(pairs) - len(examples)
    yield Progress(state.done, steps, None, left_out)
    if state.done == steps:
        return state
    tuner = Tuner(folder, recipe)
    if state.done:
        tuner.restore(keeper.read(state.done), state.done)
    for places in recipe.batches(len(examples), state.done):
        loss = tuner.step([examples[place] for place in places], state.done, steps)
        state = replace(state, done=state.done + 1)
        if state.done % often == 0 or state.done % own == 0:
            keeper.keep(state, tuner.tensors())
        yield Progress(state.done, steps, loss, left_out)
    return state
