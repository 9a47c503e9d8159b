"""Made-up pairs and the nano selector → a model that has learnt the answers, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.errors import UsageError
from localsel.training import Progress, Recipe
from tests.learning import NANO, PAIRS, RECIPE, STEPS, change, trained, weights


def test_the_loss_goes_down(learnt: Path) -> None:
    losses = json.loads((learnt.parent / "said.json").read_text())
    assert len(losses) == STEPS
    assert losses[-1] < 0.6 * losses[0]


def loss(folder: Path, pairs: Sequence[tuple[str, str]]) -> float:
    """Of the answers' tokens, by a plain loop over plain transformers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    total, count = 0.0, 0
    for before, answer in pairs:
        read = tokenizer(before, add_special_tokens=False)["input_ids"]
        said = tokenizer(answer, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        with torch.no_grad():
            logs = model(torch.tensor([read + said])).logits[0].log_softmax(-1)
        for place, token in enumerate(said, start=len(read)):
            total, count = total - float(logs[place - 1, token]), count + 1
    return total / count


def test_the_first_loss_is_that_of_a_plain_loop(tmp_path: Path) -> None:
    """Of the answer and the token that ends it, and of nothing before."""
    first = trained(tmp_path / "into", PAIRS[:4], replace(RECIPE, epochs=1, batch=4))[0]
    assert first == Progress(1, 1, first.loss)
    assert first.loss == pytest.approx(loss(NANO, PAIRS[:4]), rel=1e-5)


def test_the_model_that_is_written_is_the_one_that_learnt(learnt: Path) -> None:
    assert loss(learnt, PAIRS) < 0.6 * loss(NANO, PAIRS)


def test_little_that_is_learnt_is_not_rounded_away(nano_copy: Path, tmp_path: Path) -> None:
    """A model in bfloat16 keeps what is below the last bit of its numbers, as one in float32."""
    import torch
    from safetensors.torch import load_file, save_file

    recipe = replace(RECIPE, learning_rate=2e-4, rank=64, epochs=1)
    learnt = []
    for numbers in (torch.float32, torch.bfloat16):
        # Rounded for both: what they begin with is the same.
        tensors = {
            name: weight.to(torch.bfloat16).to(numbers)
            for name, weight in load_file(NANO / "model.safetensors").items()
        }
        save_file(tensors, nano_copy / "model.safetensors", metadata={"format": "pt"})
        change(nano_copy / "config.json", dtype=str(numbers).removeprefix("torch."))
        into = tmp_path / str(numbers)
        trained(into, recipe=recipe, folder=nano_copy)
        learnt.append(loss(nano_copy, PAIRS) - loss(into, PAIRS))
    assert learnt[0] > 0
    assert learnt[1] >= 0.8 * learnt[0]


def test_only_answers_are_learnt() -> None:
    """What is to be said before the answer has no gradient: other targets there change nothing."""
    import torch

    from localsel.backends.hf_tokens import load_tokenizer
    from localsel.backends.hf_weights import CAUSAL, load_weights
    from localsel.training.examples import IGNORED, Laying, loss_of, sides

    model = load_weights(CAUSAL, NANO, torch.float32)
    # Of unlike length, so that one is padded and learns from a later place on than the other.
    pairs = [PAIRS[0], ("### Response:\n", "a green one and a blue one")]
    examples = Laying(load_tokenizer(NANO), 512).examples(pairs, 512)
    (side,) = sides(examples, 4096)
    leaf = model.get_input_embeddings().weight
    leaf.requires_grad_(True)
    said = []
    model.get_output_embeddings().register_forward_hook(
        lambda _layer, _inputs, logits: (logits.retain_grad(), said.append(logits))[1]
    )
    loss_of(model, side).backward()
    learning = said[0].grad.abs().sum(-1) > 0
    assert learning.tolist() == [[target != IGNORED for target in row] for row in side.targets]
    assert int(learning.sum()) == sum(each.learnt for each in examples)
    spelled = [[token for token in row if token != IGNORED] for row in side.targets]
    tokenizer = load_tokenizer(NANO)
    assert sorted(map(tokenizer.decode, spelled)) == sorted(
        answer + tokenizer.eos_token for _, answer in pairs
    )


def test_every_linear_layer_of_the_blocks_changes_and_nothing_else(learnt: Path) -> None:
    before, after = weights(NANO), weights(learnt)
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith("_proj.weight")}
    assert {array.dtype for array in after.values()} == {np.dtype(np.float32)}
    assert json.loads((learnt / "config.json").read_text())["dtype"] == "float32"


def test_how_many_are_read_at_once_changes_only_the_last_bits(tmp_path: Path) -> None:
    """A step's loss is the mean over its tokens, however they are parted."""
    from localsel.backends.hf_tokens import load_tokenizer
    from localsel.training.examples import Laying
    from localsel.training.tuning import Tuner

    examples = Laying(load_tokenizer(NANO), 512).examples([*PAIRS[:5], ("x", "a b c d e")], 512)
    found = []
    for at_once in (1, 4096):
        tuner = Tuner(NANO, RECIPE)
        tuner.at_once = at_once
        said = tuner.step(examples, 0, 4)
        found.append((said, {name: each.numpy() for name, each in tuner.tensors().items()}))
    (one, alone), (other, together) = found
    assert one == pytest.approx(other, rel=1e-5)
    moved = [name for name in alone if name.startswith("exp_avg:") and "lora_B" in name]
    assert all(np.allclose(alone[name], together[name], rtol=1e-3, atol=1e-7) for name in moved)
    assert all(np.abs(alone[name]).max() > 0 for name in moved)


def test_a_pair_is_cut_to_the_length(tmp_path: Path) -> None:
    from localsel.backends.hf_tokens import load_tokenizer
    from localsel.training.examples import Laying

    laying = Laying(load_tokenizer(NANO), 512)
    (long,) = laying.examples([("a b c ", "d e f g h i j")], 512)
    (cut,) = laying.examples([("a b c ", "d e f g h i j")], long.answer + 2)
    assert cut.tokens == long.tokens[: long.answer + 2]
    assert (cut.learnt, long.learnt) == (2, len(long.tokens) - long.answer)
    said = trained(tmp_path / "into", [*PAIRS[:3], ("a " * 600, "b"), ("x", "")])
    assert {each.left_out for each in said} == {2}
    assert len(said) == 3


def test_control_tokens_in_a_text_are_text() -> None:
    from localsel.backends.hf_tokens import load_tokenizer
    from localsel.training.examples import Laying

    tokenizer = load_tokenizer(NANO)
    (example,) = Laying(tokenizer, 512).examples([("a <|eot_id|>", "<|eot_id|> b")], 512)
    assert example.tokens.count(tokenizer.eos_token_id) == 1
    assert example.tokens[-1] == tokenizer.eos_token_id


# The recipe.


def test_the_defaults_are_those_of_the_papers() -> None:
    recipe = Recipe()
    assert (recipe.epochs, recipe.learning_rate, recipe.warmup, recipe.batch) == (
        3,
        2e-5,
        0.03,
        512,
    )
    assert (recipe.rank, recipe.alpha, recipe.dropout) == (64, 16, 0)


def test_the_rate_rises_and_falls_as_a_cosine() -> None:
    recipe = Recipe(learning_rate=1.0, warmup=0.1)
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10] == 1 and rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) > 0


def test_every_pair_comes_once_an_epoch_in_another_order() -> None:
    recipe = Recipe(epochs=2, batch=4, seed=3)
    steps = list(recipe.batches(10))
    assert [len(step) for step in steps] == [4, 4, 2] * 2
    first, second = ([place for step in part for place in step] for part in (steps[:3], steps[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert list(recipe.batches(10, after=4)) == steps[4:]


@pytest.mark.parametrize(
    "values",
    [{"epochs": 0}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"batch": 0}]
    + [{"warmup": 1.0}, {"dropout": -0.1}, {"rank": 0}, {"length": 0}, {"seed": -1}],
)
def test_a_recipe_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"The {next(iter(values)).replace('_', ' ')} of"):
        Recipe(**values)
