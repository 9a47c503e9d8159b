"""A model's folder and examples → LoRA matrices, step by step, and a model that has them inside.

All of it is computed from seeds of its own: torch's global generators are left as they were.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localsel.backends.hf_folder import read_config
from localsel.backends.hf_tokens import first_line
from localsel.backends.hf_weights import CAUSAL, load_weights
from localsel.errors import BackendError, LocalselError
from localsel.training.examples import Example, loss_of, sides
from localsel.training.keeping import unwritten
from localsel.training.recipe import Recipe

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW remembers of every weight."""

TOKENS = {"cpu": 2048, "cuda": 8192}
"""Read at once, padding included; a longer example is read alone."""
SCORES = 2**27
"""Numbers that the model may say at once: a score of every token of its vocabulary, at every place
of what is read at once."""


@contextmanager
def drawing(*seed: int) -> Iterator[None]:
    """Random numbers of `seed`, and afterwards as if none had been drawn."""
    import numpy as np
    import torch

    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1))
        yield


def with_lora(model: Any, recipe: Recipe) -> Any:
    """The model with LoRA matrices at every linear layer of its blocks, all else frozen."""
    from peft import LoraConfig, get_peft_model

    wanted = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # any number will do
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        bias="none",
    )
    with drawing(recipe.seed), warnings.catch_warnings():
        # peft asks transformers for something by its old name.
        warnings.simplefilter("ignore", FutureWarning)
        return get_peft_model(model, wanted)


class Tuner:
    """A model on its way: the matrices that learn, and what the optimiser remembers of them."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        import torch

        self.recipe = recipe
        on_gpu = torch.cuda.is_available()
        dtype = torch.bfloat16 if on_gpu else torch.float32
        with drawing(recipe.seed):
            model = with_lora(load_weights(CAUSAL, folder, dtype), recipe)
        self.device = "cuda" if on_gpu else "cpu"
        # No dropout of the model's own; that of the matrices only where the recipe says so.
        self.model = model.eval().to(self.device)
        for name, part in model.named_modules():
            if "lora_dropout" in name:
                part.train()
        self.learning = {
            name: weight for name, weight in model.named_parameters() if weight.requires_grad
        }
        self.optimizer = torch.optim.AdamW(
            self.learning.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        vocabulary = int(model.get_output_embeddings().weight.shape[0])
        self.at_once = min(TOKENS[self.device], SCORES // vocabulary)

    def step(self, examples: Sequence[Example], step: int, steps: int) -> float:
        """Learns from the examples of one step, from 0; their mean loss a token before that.

        Raises:
            LocalselError: it is not a number, or there is no memory.
        """
        try:
            loss = self._gradients(examples, step)
        except RuntimeError as error:
            raise LocalselError(
                f"The fine-tuning failed at step {step + 1:,} of {steps:,}: {first_line(error)}.",
                "Is there memory enough? Fewer tokens a row need less.",
            ) from error
        self._learn(loss, step, steps)
        return loss

    def _gradients(self, examples: Sequence[Example], step: int) -> float:
        learnt, total = sum(each.learnt for each in examples), 0.0
        with drawing(self.recipe.seed, step):
            for side in sides(examples, self.at_once):
                loss = loss_of(self.model, side) / learnt
                loss.backward()
                total += float(loss.detach())
        return total

    def _learn(self, loss: float, step: int, steps: int) -> None:
        import torch

        norm = torch.nn.utils.clip_grad_norm_(self.learning.values(), self.recipe.most)
        if not bool(torch.isfinite(norm + loss)):
            raise LocalselError(
                f"The loss at step {step + 1:,} of {steps:,} is {loss}: nothing more is learnt.",
                "Give a smaller learning rate; or are the model's weights broken?",
            )
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(step, steps)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def tensors(self) -> dict[str, Any]:
        """All that changes from step to step."""
        found = {f"weight:{name}": weight.detach() for name, weight in self.learning.items()}
        for name, weight in self.learning.items():
            kept = self.optimizer.state[weight]
            found |= {f"{moment}:{name}": kept[moment] for moment in MOMENTS}
        return {name: tensor.cpu().contiguous() for name, tensor in found.items()}

    def restore(self, tensors: Mapping[str, Any], done: int) -> None:
        """Goes on behind step `done`."""
        import torch

        put(self.learning, tensors)
        for name, weight in self.learning.items():
            moments = {each: tensors[f"{each}:{name}"].to(weight) for each in MOMENTS}
            self.optimizer.state[weight] = {"step": torch.tensor(float(done)), **moments}


def put(learning: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Copies kept matrices into a model's."""
    import torch

    with torch.no_grad():
        for name, weight in learning.items():
            weight.copy_(tensors[f"weight:{name}"])


COPIED = (
    *("tokenizer*", "vocab*", "merges.txt", "*.model", "added_tokens.json", "chat_template*"),
    *("special_tokens_map.json", "generation_config.json", "LICEN*", "NOTICE*"),
)
"""Files of a model that training does not change."""


def merge(folder: Path, recipe: Recipe, tensors: Mapping[str, Any], into: Path) -> None:
    """Adds the matrices to the weights of `folder`, and writes it all, in float32.

    Raises:
        LocalselError: there is no room.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import GenerationConfig

    shutil.rmtree(into, ignore_errors=True)
    with drawing(recipe.seed):
        # What is learnt is less than the last bit of most sixteen-bit weights, and would be lost.
        model = with_lora(load_weights(CAUSAL, folder, torch.float32), recipe)
        put({name: each for name, each in model.named_parameters() if each.requires_grad}, tensors)
        whole = model.merge_and_unload()
    # What a folder says of writing is copied; transformers would refuse to write what it can read.
    whole.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    try:
        whole.save_pretrained(str(into))
        (into / "generation_config.json").unlink(missing_ok=True)
        for path in {path for name in COPIED for path in folder.glob(name) if path.is_file()}:
            shutil.copyfile(path, into / path.name)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(into, ignore_errors=True)
        # Of a library's, the system's own words stand behind its own.
        why = getattr(error, "strerror", None) or first_line(error).rpartition("I/O error: ")[2]
        raise unwritten(into.parent, why) from error


def refuse_what_cannot_be_tuned(folder: Path) -> None:
    """Raises a BackendError for quantised weights: nothing can be added to them."""
    if read_config(folder).get("quantization_config"):
        raise BackendError(
            f"{folder} holds quantised weights, which cannot be fine-tuned.",
            "Name the folder that they were made from.",
        )
