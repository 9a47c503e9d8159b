"""A training's end → a folder as any other; and what cannot be trained → one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from localsel.errors import BackendError, InputError, LocalselError, UsageError, WorkspaceError
from tests.conftest import CHECKOUT
from tests.learning import NANO, RECIPE, change, child, trained, weights


def test_it_is_an_ordinary_folder(learnt: Path) -> None:
    """With all that it was made from but the weights; nothing of peft, no place of this machine."""
    names = {path.name for path in learnt.iterdir()}
    assert names == {
        *("model.safetensors", "config.json", "generation_config.json", "training.json"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    for name in names - {"model.safetensors", "tokenizer.json"}:
        text = (learnt / name).read_text(encoding="utf-8")
        assert "lora" not in text.lower() and "peft" not in text and str(CHECKOUT) not in text
    for name in ("tokenizer.json", "generation_config.json", "chat_template.jinja"):
        assert (learnt / name).read_bytes() == (NANO / name).read_bytes()
    assert not any("lora" in name for name in weights(learnt))


def test_a_backend_opens_it(learnt: Path) -> None:
    from localsel.backends.base import Ask, Choice, Opening
    from localsel.backends.transformers import TransformersBackend
    from localsel.stages.prompt import find_template, render

    prompt = render(find_template("published"), ["Sing.", "What is a glacier?"], 1)
    backend = TransformersBackend.open(Opening(str(learnt), threads=1))
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
    damage: Callable[[Path], None], said: str, nano_copy: Path, tmp_path: Path
) -> None:
    damage(nano_copy)
    with pytest.raises(BackendError, match=said) as caught:
        trained(tmp_path / "into", folder=nano_copy)
    assert caught.value.exit_code == 3
    assert str(nano_copy) in caught.value.message


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
    list(train(Path(sys.argv[1]), [("a", "b")], Recipe(), Path(sys.argv[2]), "some"))
except BackendError as error:
    print(error)
"""


def test_without_peft_it_says_what_to_install(tmp_path: Path) -> None:
    done = child(WITHOUT_PEFT, NANO, tmp_path / "into")
    assert done.stdout.strip() == "Fine-tuning needs peft. pip install 'localsel[train]'"
    assert not (tmp_path / "into").exists()
