"""What trains a nano selector → networks, files and phrases that agree with one another."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import jinja2
import numpy as np
import pytest
import torch

MODELS = Path(__file__).parents[2] / "models"
sys.path.append(str(MODELS))

from nano import corrupt  # noqa: E402
from nano.adopt import become_gemma, change_chat  # noqa: E402
from nano.architecture import FAMILIES, Network, Shape, load, weights  # noqa: E402
from nano.compose import good_text, load_phrases, vague_text  # noqa: E402
from nano.export import export  # noqa: E402
from nano.reader import Reader  # noqa: E402
from nano.vocabulary import CHATS, train_tokenizer  # noqa: E402

SHAPE = Shape(600, width=64, layers=3, inner=96)


def network(family: str, seed: int = 1) -> Network:
    """Random weights, norms included: a norm of all ones hides what an export gets wrong."""
    torch.manual_seed(seed)
    model = Network(SHAPE, FAMILIES[family])
    for name, tensor in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_come_back_as_they_were(family: str) -> None:
    model, other = network(family), network(family, seed=2)
    load(other, weights(model))
    ids, positions = torch.arange(20)[None] + 300, torch.arange(20)[None]
    same = other.logits(other(ids, positions).final)
    assert torch.allclose(same, model.logits(model(ids, positions).final), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_computes_what_the_network_computes(family: str, tmp_path: Path) -> None:
    phrases, rng = load_phrases(), Random(3)
    texts = [good_text(phrases, rng) for _ in range(400)]
    model = network(family)
    export(model, train_tokenizer(texts, SHAPE.vocabulary, CHATS[family]), tmp_path, family)
    reader = Reader(tmp_path / f"{family}.gguf", context=4096)
    ids = reader.prefix + [token for text in texts[:20] for token in reader.tokens(text)]
    assert 256 < len(ids) < 4096  # more than one step of attention
    theirs = reader.logits(ids, keep=0)
    with torch.no_grad():
        ours = model.logits(model(torch.tensor([ids]), torch.arange(len(ids))[None]).final)[0, -1]
    assert np.abs(ours.numpy() - theirs).max() < 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_prefix_and_suffix_are_what_the_template_writes(family: str) -> None:
    chat = CHATS[family]
    template = jinja2.Environment().from_string(chat.template)
    user = [{"role": "user", "content": "Words."}]
    written = template.render(messages=user, add_generation_prompt=True)
    assert written == f"{chat.prefix}Words.{chat.suffix}"


def test_a_llama_goes_on_as_a_gemma_that_says_much_the_same() -> None:
    phrases, rng = load_phrases(), Random(5)
    texts = [good_text(phrases, rng) for _ in range(400)]
    llama = network("llama")
    cut = train_tokenizer(texts, SHAPE.vocabulary, CHATS["llama"])
    recut, rows = change_chat(cut, CHATS["llama"], CHATS["gemma2"])
    ids, same = cut.encode(texts[0]).ids, recut.encode(texts[0]).ids
    assert [rows[token] for token in same] == ids
    old, new = torch.tensor([ids]), torch.tensor([same])
    positions = torch.arange(len(ids))[None]
    gemma = become_gemma(llama, rows, old, positions)
    with torch.no_grad():
        before = llama.logits(llama(old, positions).final)[0, :, rows].flatten()
        after = gemma.logits(gemma(new, positions).final)[0].flatten()
    assert np.corrcoef(before, after)[0, 1] > 0.9


def test_gemma_knows_no_system_role() -> None:
    def refuse(message: str) -> None:
        raise ValueError(message)

    template = jinja2.Environment().from_string(CHATS["gemma2"].template)
    with pytest.raises(ValueError, match="System role"):
        template.render(messages=[{"role": "system", "content": ""}], raise_exception=refuse)


def test_vague_phrases_to_measure_with_are_never_trained_on() -> None:
    phrases, rng = load_phrases(), Random(4)
    unseen = {text.casefold() for text in phrases.vague_unseen}
    trained = {vague_text(phrases, rng).casefold() for _ in range(20_000)}
    assert not unseen & trained


@pytest.mark.parametrize("kind", corrupt.KINDS)
def test_damage_changes_a_text_and_says_where(kind: str) -> None:
    text = "Explain to a new employee, in three short sentences, how to book a meeting room."
    found = [corrupt.damage(text, kind, Random(seed)) for seed in range(40)]
    damaged = [each for each in found if each]
    assert damaged
    for each in damaged:
        assert each.text != text
        assert all(0 <= start < stop <= len(each.text) for start, stop in each.wrong)
