"""Questions and answers → ratings of local models, or why a folder cannot rate."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localsel.errors import AnswerError, BackendError
from localsel.quality import QualityModel
from localsel.selectors import (
    find_quality_model,
    find_selector,
    is_quality_model,
    quality_models,
    weights,
)
from tests.conftest import CHECKOUT, Command
from tests.once import once

OWN = CHECKOUT / "models" / "nano-quality"
FAMILIES = ("nano-quality", "bert", "roberta")
PAIRS = [
    ("What is a glacier?", "A glacier is a large body of ice that moves slowly."),
    ("Name a colour.", ""),
    ("Say <|eot_id|> and stop.", "<|eot_id|> stop <|end_of_text|>"),
    ("Warum ist der Himmel blau?", "Weil blaues Licht stärker gestreut wird. " * 12),
    ("x", "y " * 3000),
    ("broken \ud800", "half a letter \udfff"),
]


def numbers(model: QualityModel, pairs: list[tuple[str, str]]) -> list[float]:
    found = list(model.scores(pairs))
    assert all(isinstance(each, float) and math.isfinite(each) for each in found)
    return [each for each in found if isinstance(each, float)]


@pytest.fixture(scope="module")
def model() -> QualityModel:
    return QualityModel.open(OWN, threads=1)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raters of other families with random weights: BERT's have one, two or three outputs.

    All have 64 positions that a token may stand at; RoBERTa's begin behind two that none has.
    """

    def fill(folder: Path) -> None:
        import torch
        from transformers import (
            BertConfig,
            BertForSequenceClassification,
            RobertaConfig,
            RobertaForSequenceClassification,
        )

        shape: dict[str, Any] = {
            "vocab_size": 3072,
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "pad_token_id": 1,
        }
        bert, roberta = {"max_position_embeddings": 64}, {"max_position_embeddings": 66}
        with torch.random.fork_rng():
            torch.manual_seed(1)
            made: dict[str, Any] = {
                f"bert-{outputs}": BertForSequenceClassification(
                    BertConfig(**shape, **bert, num_labels=outputs)
                )
                for outputs in (1, 2, 3)
            }
            made["roberta"] = RobertaForSequenceClassification(
                RobertaConfig(**shape, **roberta, num_labels=1)
            )
        for name, rater in made.items():
            rater.save_pretrained(folder / name)
            for part in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(OWN / part, folder / name)

    return once(tmp_path_factory, "raters", fill)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OWN, tmp_path / "rater"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_rating_is_the_one_output_of_the_model(model: QualityModel) -> None:
    """As plain transformers computes it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    plain = AutoModelForSequenceClassification.from_pretrained(OWN, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(OWN)
    question, answer = PAIRS[0]
    with torch.no_grad():
        logit = float(plain(**tokenizer(question, answer, return_tensors="pt")).logits[0, 0])
    assert numbers(model, PAIRS[:1]) == [pytest.approx(logit, abs=1e-5)]


def test_two_outputs_are_read_as_log_odds(others: Path) -> None:
    import torch

    two = QualityModel.open(others / "bert-2", threads=1)
    (odds,) = numbers(two, PAIRS[:1])
    with torch.no_grad():
        ids = torch.tensor([two._tokenizer(*PAIRS[0])["input_ids"]])
        first, second = two._model(input_ids=ids).logits.softmax(-1)[0].tolist()
    assert odds == pytest.approx(math.log(second / first), abs=1e-5)
    assert abs(odds) > 1e-3


def test_of_three_outputs_nobody_knows_which_is_meant(others: Path) -> None:
    with pytest.raises(BackendError, match="bert-3 has 3 outputs: which one is the quality") as e:
        QualityModel.open(others / "bert-3")
    assert e.value.exit_code == 3


@pytest.mark.parametrize("folder", [OWN, "bert-1", "roberta"], ids=FAMILIES)
def test_the_order_is_kept_and_no_neighbour_counts(folder: Path | str, others: Path) -> None:
    model = QualityModel.open(others / folder, threads=1)
    together = numbers(model, PAIRS)
    assert [numbers(model, [pair])[0] for pair in PAIRS] == together
    assert numbers(model, PAIRS[::-1]) == together[::-1]
    assert len(set(together)) == len(PAIRS)


@pytest.mark.parametrize("folder", [OWN, "bert-1", "roberta"], ids=FAMILIES)
def test_batches_change_only_the_last_bits(folder: Path | str, others: Path) -> None:
    """As on a GPU: sorted, padded, several at once, and in order again."""
    alone = QualityModel.open(others / folder, threads=1)
    batched = QualityModel.open(others / folder, threads=1, tokens_at_once=600)
    assert numbers(batched, PAIRS * 3) == pytest.approx(numbers(alone, PAIRS * 3), abs=1e-4)


def test_the_longer_text_is_cut(model: QualityModel) -> None:
    question, answer = PAIRS[0]
    (coded,) = model._encoded([(question, answer * 200)])
    assert len(coded["input_ids"]) == model.length == 512
    alone = model._tokenizer(question, add_special_tokens=False)["input_ids"]
    assert coded["input_ids"][1 : len(alone) + 1] == alone


@pytest.mark.parametrize("family", ["bert-1", "roberta"])
def test_a_long_pair_fills_the_positions_that_there_are(family: str, others: Path) -> None:
    """As plain transformers rates the first 64 tokens; more of them have no place."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = QualityModel.open(others / family, threads=1)
    assert model.length == 64
    (coded,) = model._encoded([("Is it long?", "very " * 500)])
    ids = torch.tensor([coded["input_ids"]])
    assert ids.shape == (1, 64)
    plain = AutoModelForSequenceClassification.from_pretrained(others / family).eval()
    with torch.no_grad():
        logit = float(plain(input_ids=ids).logits[0, 0])
        with pytest.raises((IndexError, RuntimeError)):
            plain(input_ids=torch.cat([ids, ids[:, 1:2]], dim=1))
    assert numbers(model, [("Is it long?", "very " * 500)]) == [pytest.approx(logit, abs=1e-5)]


def test_control_tokens_in_a_text_are_text(model: QualityModel) -> None:
    (coded,) = model._encoded([PAIRS[2]])
    special = set(model._tokenizer.all_special_ids)
    places = [place for place, token in enumerate(coded["input_ids"]) if token in special]
    assert len(places) == 3
    assert (places[0], places[-1]) == (0, len(coded["input_ids"]) - 1)


def test_what_is_no_number_is_no_rating(copied: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    tensors["score.weight"][:] = math.nan
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    found = list(QualityModel.open(copied, threads=1).scores(PAIRS[:2]))
    assert [type(each) for each in found] == [AnswerError, AnswerError]
    assert "said nan" in str(found[0])


def test_it_knows_good_answers_from_damaged_ones(model: QualityModel) -> None:
    """Made of phrases that no training has seen; the card says how often in larger samples."""
    import sys
    from random import Random

    sys.path.append(str(CHECKOUT / "models"))
    from nano.answers import Composer, damages
    from nano.compose import load_phrases

    composer, rng = Composer.load(load_phrases(), held_out=True), Random(3)
    pairs = [composer.pair(rng) for _ in range(40)]
    good = numbers(model, [(pair.question, pair.answer) for pair in pairs])
    for name in ("empty", "shuffled", "garbled", "repeated"):
        made = damages(composer)[name]
        bad = numbers(model, [(pair.question, made(pair, rng)) for pair in pairs])
        assert sum(one > other for one, other in zip(good, bad, strict=True)) > 30, name


# What is refused.


def of_another_kind(folder: Path) -> None:
    change(folder / "config.json", architectures=["LlamaForCausalLM"])


def without_its_head(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["score.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def without_a_head_or_a_name(folder: Path) -> None:
    without_its_head(folder)
    change(folder / "config.json", architectures=None)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def with_code(folder: Path) -> None:
    change(
        folder / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "own.C", "AutoModelForSequenceClassification": "own.M"},
    )
    (folder / "own.py").write_text("raise SystemExit('was run')")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (of_another_kind, "is not a sequence-classification model: .* LlamaForCausalLM"),
        (without_its_head, r"lacks 1 of the weights .* score\.weight among them"),
        (without_a_head_or_a_name, r"lacks 1 of the weights .* score\.weight among them"),
        (without_weights, "no .safetensors file"),
        (with_code, "transformers cannot load"),
    ],
)
def test_a_folder_that_cannot_rate(damage: Callable[[Path], None], said: str, copied: Path) -> None:
    damage(copied)
    with pytest.raises(BackendError, match=said) as caught:
        QualityModel.open(copied)
    assert caught.value.exit_code == 3
    assert str(copied) in caught.value.message


# Names.


def test_it_is_found_by_name_and_is_no_selector(tmp_path: Path, copied: Path) -> None:
    mine = tmp_path / "workspace" / "models" / "mine"
    mine.parent.mkdir(parents=True)
    mine.symlink_to(copied)
    workspace = tmp_path / "workspace"
    assert find_quality_model(None, workspace) == OWN
    assert find_quality_model("nano-quality", workspace).resolve() == OWN
    assert find_quality_model("mine", workspace) == mine
    assert find_quality_model(str(copied), workspace) == copied
    assert {"mine", "nano-quality"} <= {path.name for path in quality_models(workspace)}
    assert not any(is_quality_model(path) for path in weights(workspace))
    for name in ("mine", "nano-quality", str(copied)):
        with pytest.raises(BackendError, match=r"is a quality model: .* chooses nothing"):
            find_selector(name, workspace)


@pytest.mark.parametrize("name", ["nano-qualty", "a" * 5000, "~nobody-of-that-name/x", "\udcff"])
def test_a_name_that_nothing_has(name: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="There is no model"):
        find_quality_model(name, tmp_path)


def test_the_command_line_says_what_it_is(localsel: Command) -> None:
    listed = localsel("models")
    assert "nano-quality" not in listed.stdout
    assert "Quality models, which rate answers and choose nothing: nano-quality." in listed.stderr
    for line in (("models", "check", "nano-quality"), ("models", "add", OWN)):
        refused = localsel(*line)
        assert refused.code == 3
        assert "is a quality model: it rates answers and chooses nothing." in refused.complaint
