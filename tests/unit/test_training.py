"""Made-up pairs and the nano selector → a model that has learnt them, the same whatever happens."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.errors import BackendError, InputError, LocalselError, UsageError, WorkspaceError
from localsel.training import Progress, Recipe, digest, train
from tests.conftest import CHECKOUT
from tests.once import once

NANO = CHECKOUT / "models" / "nano-llama"
COLOURS = ("red", "green", "blue", "yellow")
PAIRS = [
    (f"### Instruction:\nColour {number % 4}?\n\n### Response:\n", COLOURS[number % 4])
    for number in range(32)
]
RECIPE = Recipe(epochs=3, batch=8, learning_rate=3e-3, rank=8, alpha=16, seed=5)
STEPS = 12


def trained(
    into: Path,
    pairs: Sequence[tuple[str, str]] = PAIRS,
    recipe: Recipe = RECIPE,
    folder: Path = NANO,
    often: int = 25,
) -> list[Progress]:
    return list(train(folder, pairs, recipe, into, threads=1, often=often))


def weights(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors.numpy import load_file

    return dict(load_file(folder / "model.safetensors"))


def same(one: Path, other: Path) -> bool:
    """Bit for bit."""
    return (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing disturbed. Whoever writes to it takes a copy."""

    def fill(folder: Path) -> None:
        said = trained(folder / "tuned")
        (folder / "said.json").write_text(json.dumps([each.loss for each in said]))

    return once(tmp_path_factory, "tuned", fill) / "tuned"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The selector's folder, for a change."""
    skip = shutil.ignore_patterns("*.gguf", "README.md")
    return Path(shutil.copytree(NANO, tmp_path / "model", ignore=skip))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# What is learnt.


def test_the_loss_goes_down(whole: Path) -> None:
    losses = json.loads((whole.parent / "said.json").read_text())
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


def test_the_model_that_is_written_is_the_one_that_learnt(whole: Path) -> None:
    assert loss(whole, PAIRS) < 0.6 * loss(NANO, PAIRS)


def test_little_that_is_learnt_is_not_rounded_away(copied: Path, tmp_path: Path) -> None:
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
        save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
        change(copied / "config.json", dtype=str(numbers).removeprefix("torch."))
        into = tmp_path / str(numbers)
        trained(into, recipe=recipe, folder=copied)
        learnt.append(loss(copied, PAIRS) - loss(into, PAIRS))
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


def test_every_linear_layer_of_the_blocks_changes_and_nothing_else(whole: Path) -> None:
    before, after = weights(NANO), weights(whole)
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith("_proj.weight")}
    assert {array.dtype for array in after.values()} == {np.dtype(np.float32)}
    assert json.loads((whole / "config.json").read_text())["dtype"] == "float32"


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


# The same again.


def test_the_same_inputs_give_the_same_bits(whole: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    losses = [each.loss for each in trained(again)]
    assert losses == json.loads((whole.parent / "said.json").read_text())
    assert same(again, whole)


@pytest.mark.parametrize(
    "other",
    [
        lambda: (PAIRS, replace(RECIPE, seed=6)),
        lambda: (PAIRS, replace(RECIPE, dropout=0.2)),
        lambda: ([*PAIRS[1:], PAIRS[0]], RECIPE),
    ],
    ids=["seed", "dropout", "order"],
)
def test_other_inputs_give_other_weights(
    other: Callable[[], tuple[Any, Recipe]], whole: Path, tmp_path: Path
) -> None:
    pairs, recipe = other()
    assert digest(NANO, pairs, recipe) != digest(NANO, PAIRS, RECIPE)
    trained(tmp_path / "other", pairs, recipe)
    assert not same(tmp_path / "other", whole)


def test_nobody_elses_random_numbers_change(tmp_path: Path) -> None:
    import random

    import torch

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index,union-attr]
    for each in train(NANO, PAIRS[:4], replace(RECIPE, dropout=0.5), tmp_path / "into", threads=1):
        assert each.loss > 0
        # Also in between: whoever watches may draw.
        assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]  # type: ignore[index,union-attr]


def test_dropout_draws_the_same_whoever_else_draws(tmp_path: Path) -> None:
    import torch

    recipe = replace(RECIPE, dropout=0.3, epochs=1)
    trained(tmp_path / "quiet", recipe=recipe)
    for _ in train(NANO, PAIRS, recipe, tmp_path / "disturbed", threads=1):
        torch.rand(3)
    assert same(tmp_path / "quiet", tmp_path / "disturbed")


def test_what_is_finished_is_not_done_again(whole: Path, tmp_path: Path) -> None:
    into = Path(shutil.copytree(whole, tmp_path / "into"))
    before = {path: path.stat().st_mtime_ns for path in into.iterdir()}
    assert trained(into) == []
    assert {path: path.stat().st_mtime_ns for path in into.iterdir()} == before
    (into / "model.safetensors").write_bytes(b"cut off")
    assert len(trained(into)) == STEPS
    assert same(into, whole)


def test_other_inputs_begin_anew_where_others_ended(whole: Path, tmp_path: Path) -> None:
    into = Path(shutil.copytree(whole, tmp_path / "into"))
    assert len(trained(into, recipe=replace(RECIPE, epochs=1))) == 4
    assert not same(into, whole)


# Interrupted.

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.test_training import NANO, PAIRS, RECIPE
from localsel.training import train

for each in train(NANO, PAIRS, RECIPE, Path(sys.argv[1]), threads=1, often=2):
    print(each.done, flush=True)
    if each.done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def child(*line: object, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    whole_line = [*prefix, sys.executable, "-c", *map(str, line)]
    return subprocess.run(whole_line, cwd=CHECKOUT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("at", "left"), [(1, STEPS), (7, STEPS - 6), (STEPS, 0)])
def test_killed_it_goes_on_to_the_same_bits(
    at: int, left: int, whole: Path, tmp_path: Path
) -> None:
    """Before the first checkpoint, behind one, and before the model is written."""
    into = tmp_path / "into"
    done = child(KILLED, into, at)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (into / "config.json").exists()
    # Killed in the middle of writing, it would leave this.
    (into / "checkpoint-00000099.safetensors.partial").write_bytes(b"half")
    assert [each.done for each in trained(into)] == list(range(STEPS - left + 1, STEPS + 1))
    assert same(into, whole)
    kept = {path.name for path in into.iterdir()}
    assert not {name for name in kept if name.startswith("checkpoint-") and "partial" not in name}


def test_who_stops_listening_may_go_on_later(whole: Path, tmp_path: Path) -> None:
    into = tmp_path / "into"
    steps = train(NANO, PAIRS, RECIPE, into, threads=1)
    assert [next(steps).done for _ in range(5)] == [1, 2, 3, 4, 5]
    steps.close()
    # Four steps make an epoch, and there is a checkpoint behind each.
    assert [each.done for each in trained(into)] == list(range(5, STEPS + 1))
    assert same(into, whole)


NO_ROOM = """
import sys
from pathlib import Path
from tests.unit.test_training import NANO, PAIRS, RECIPE
from localsel.errors import WorkspaceError
from localsel.training import train

try:
    for each in train(NANO, PAIRS, RECIPE, Path(sys.argv[1]), threads=1):
        print(each.done)
except WorkspaceError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("size", "said"), [(100_000, "checkpoint-00000004.safetensors"), (2_000_000, "into")]
)
def test_without_room_it_says_so_and_goes_on_with_room(
    size: int, said: str, whole: Path, tmp_path: Path
) -> None:
    """No file may grow beyond the size: first no checkpoint, then no model."""
    into = tmp_path / "into"
    done = child(NO_ROOM, into, prefix=("prlimit", f"--fsize={size}"))
    *steps, last = done.stdout.splitlines()
    assert f"{said} cannot be written: File too large" in last, done.stderr
    assert len(steps) == (3 if said.startswith("check") else STEPS)
    assert not list(into.glob("*partial*"))
    trained(into)
    assert same(into, whole)


def test_two_do_not_train_into_one_folder(tmp_path: Path) -> None:
    into = tmp_path / "into"
    steps = train(NANO, PAIRS, RECIPE, into, threads=1)
    next(steps)
    with pytest.raises(UsageError, match="Another process trains into"):
        trained(into)
    steps.close()


# The model that comes of it.


def test_it_is_an_ordinary_folder(whole: Path) -> None:
    """With all that it was made from but the weights; nothing of peft, no place of this machine."""
    names = {path.name for path in whole.iterdir()}
    assert names == {
        *("model.safetensors", "config.json", "generation_config.json", "training.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    for name in names - {"model.safetensors", "tokenizer.json"}:
        text = (whole / name).read_text(encoding="utf-8")
        assert "lora" not in text.lower() and "peft" not in text and str(CHECKOUT) not in text
    for name in ("tokenizer.json", "generation_config.json", "chat_template.jinja"):
        assert (whole / name).read_bytes() == (NANO / name).read_bytes()
    assert not any("lora" in name for name in weights(whole))


def test_a_backend_opens_it(whole: Path) -> None:
    from localsel.backends.base import Ask, Choice, Opening
    from localsel.backends.transformers import TransformersBackend
    from localsel.stages.prompt import find_template, render

    prompt = render(find_template("published"), ["Sing.", "What is a glacier?"], 1)
    backend = TransformersBackend.open(Opening(str(whole), threads=1))
    (choice,) = backend.choose([Ask(prompt, 1)])
    assert isinstance(choice, Choice)
    backend.close()


# What is refused.


def test_not_a_number_ends_it_and_keeps_what_was_learnt(tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=1e30, warmup=0.0, most=1e30, epochs=4)
    with pytest.raises(LocalselError, match=r"The loss at step \d+ of 16 is nan") as caught:
        trained(tmp_path / "into", recipe=recipe)
    assert caught.value.exit_code == 1
    assert not (tmp_path / "into" / "config.json").exists()


@pytest.mark.parametrize("pairs", [[], [("a " * 600, "b")], [("a", "")]])
def test_nothing_to_learn_from(pairs: list[tuple[str, str]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        trained(tmp_path / "into", pairs)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def of_another_kind(folder: Path) -> None:
    change(folder / "config.json", architectures=["LlamaForSequenceClassification"])


def with_layers_missing(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.2.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def quantised(folder: Path) -> None:
    change(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_weights, "no .safetensors file"),
        (of_another_kind, "is not a model that writes texts: .* LlamaForSequenceClassification"),
        (with_layers_missing, "lacks 1 of the weights"),
        (quantised, "quantised weights, which cannot be fine-tuned"),
    ],
)
def test_a_folder_that_cannot_be_tuned(
    damage: Callable[[Path], None], said: str, copied: Path, tmp_path: Path
) -> None:
    damage(copied)
    with pytest.raises(BackendError, match=said) as caught:
        trained(tmp_path / "into", folder=copied)
    assert caught.value.exit_code == 3
    assert str(copied) in caught.value.message


def test_a_folder_for_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"holds letter\.txt, which is of no training"):
        trained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="cannot be written: Not a directory"):
        trained(tmp_path / "file" / "into")


WITHOUT_PEFT = """
import sys
sys.modules["peft"] = None
from pathlib import Path
from localsel.errors import BackendError
from localsel.training import Recipe, train

try:
    list(train(Path(sys.argv[1]), [("a", "b")], Recipe(), Path(sys.argv[2])))
except BackendError as error:
    print(error)
"""


def test_without_peft_it_says_what_to_install(tmp_path: Path) -> None:
    done = child(WITHOUT_PEFT, NANO, tmp_path / "into")
    assert done.stdout.strip() == "Fine-tuning needs peft. pip install 'localsel[train]'"
    assert not (tmp_path / "into").exists()
