"""Hugging Face folders → what their files say, or which of them does not fit the others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from localsel.backends.probe import probe, probe_folder
from localsel.backends.safetensors import read_header
from localsel.errors import BackendError
from tests.conftest import CHECKOUT

NANO = {name: CHECKOUT / "models" / name for name in ("nano-llama", "nano-gemma2")}
INDEX = "model.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    shutil.copytree(NANO["nano-llama"], made, ignore=shutil.ignore_patterns("*.gguf"))
    return made


def change(path: Path, **values: object) -> None:
    """Values of a JSON object; None takes one away."""
    said = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: value for name, value in said.items() if value is not None}))


def refusal(folder: Path) -> str:
    with pytest.raises(BackendError) as caught:
        probe_folder(folder)
    assert caught.value.exit_code == 3
    message = str(caught.value)
    assert str(folder) in message and "\n" not in message
    return message


@pytest.mark.parametrize("name", NANO)
def test_a_folder_says_what_its_gguf_says(name: str) -> None:
    folder = NANO[name]
    there, file = probe_folder(folder), probe(folder / f"{name}.gguf")
    same = ("architecture", "parameters", "context", "vocabulary", "layers", "width")
    same += ("quantisation", "chat_template", "takes_a_system_message", "bos_from")
    assert {key: there[key] for key in same} == {key: file[key] for key in same}
    for short in ("bos", "eos"):
        assert there["special_tokens"][short] == file["special_tokens"][short]
    shapes = there["shape"], file["shape"]
    assert [shape["kv_heads"] for shape in shapes] == [[4] * 4] * 2
    assert there["name"] == name


@pytest.mark.parametrize("name", NANO)
def test_headers_are_read_as_the_library_reads_them(name: str) -> None:
    path = NANO[name] / "model.safetensors"
    known = load_file(path)
    found = read_header(path)
    assert {key: tensor.shape for key, tensor in found.items()} == {
        key: array.shape for key, array in known.items()
    }
    assert {tensor.kind for tensor in found.values()} == {"F16"}


def split(folder: Path, names: tuple[str, str]) -> dict[str, str]:
    """The weights in two files; which tensor is in which."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    where = {tensor: names[place % 2] for place, tensor in enumerate(sorted(tensors))}
    for name in names:
        part = {key: array for key, array in tensors.items() if where[key] == name}
        (folder / name).parent.mkdir(exist_ok=True)
        save_file(part, folder / name)
    return where


def test_weights_in_several_files(folder: Path) -> None:
    whole = probe_folder(folder)
    where = split(folder, ("model-1.safetensors", "model-2.safetensors"))
    (folder / INDEX).write_text(json.dumps({"weight_map": where}))
    assert probe_folder(folder)["parameters"] == whole["parameters"]
    (folder / "model-2.safetensors").unlink()
    assert "lacks model-2.safetensors" in refusal(folder)


@pytest.mark.parametrize("away", ["../weights.safetensors", "/weights.safetensors", ".."])
def test_an_index_leads_out_of_no_folder(away: str, folder: Path) -> None:
    where = split(folder, ("model-1.safetensors", "model-2.safetensors"))
    where[min(where)] = away
    (folder / INDEX).write_text(json.dumps({"weight_map": where}))
    assert "which is no file of this folder" in refusal(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"num_hidden_layers": 10**9}, "its num_hidden_layers is|it has 1,000,000,000 layers"),
        ({"num_hidden_layers": 5}, "it has 5 layers, and there are weights of 4"),
        ({"num_hidden_layers": 3}, "it has 3 layers, and there are weights of 4"),
        ({"num_hidden_layers": -1}, "its num_hidden_layers is '-1'"),
        ({"hidden_size": 10**7}, "hidden_size is 10,000,000, and no weight is larger than 3,072"),
        ({"intermediate_size": 2**40}, "its intermediate_size is"),
        ({"num_attention_heads": 0}, "its num_attention_heads is '0'"),
        ({"vocab_size": True}, "its vocab_size is 'True'"),
        ({"head_dim": 1.5}, "its head_dim is '1.5'"),
        ({"max_position_embeddings": "many"}, "its max_position_embeddings is 'many'"),
        ({"text_config": 7}, "text_config"),
    ],
)
def test_a_configuration_that_its_weights_do_not_bear_out(
    values: dict[str, object], said: str, folder: Path
) -> None:
    change(folder / "config.json", **values)
    message = refusal(folder)
    assert any(each in message for each in said.split("|")), message


def gap(header: dict[str, Any]) -> None:
    first = min(header, key=lambda name: header[name]["data_offsets"])
    header[first]["data_offsets"][0] += 2
    header[first]["shape"] = [(header[first]["data_offsets"][1] - 2) // 2]


def overlap(header: dict[str, Any]) -> None:
    first, second, *_ = sorted(header, key=lambda name: header[name]["data_offsets"])
    header[second] = dict(header[first])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (gap, "a gap or an overlap"),
        (overlap, "a gap or an overlap"),
        (lambda header: header.popitem(), "are there"),
        (lambda header: header.update({"x": {"dtype": "F16"}}), "no dtype, shape and data_offsets"),
        (lambda header: next(iter(header.values())).update(dtype="P8"), "of an unknown kind, 'P8'"),
        (lambda header: next(iter(header.values())).update(shape=[-1, -5]), "odd shape or place"),
        (lambda header: next(iter(header.values())).update(shape=[7]), "as its shape says"),
    ],
)
def test_a_header_that_does_not_describe_its_file(
    damage: Callable[[dict[str, Any]], object], said: str, folder: Path
) -> None:
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    damage(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "its header would take 0 bytes of 0"),
        (b"\xff" * 8 + b"{}", "its header would take 18,446,744,073,709,551,615 bytes of 10"),
        (b"\x02" + bytes(7) + b"[]", "its header is not a JSON object"),
        (b"\x02" + bytes(7) + b"{x", "its header is not JSON"),
        (b"\x10" + bytes(7) + b'{"a": 1, "a": 2}', "its header is not JSON"),
    ],
)
def test_what_is_no_header_at_all(raw: bytes, said: str, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(raw)
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", "[" * 100_000, "config.json cannot be read"),
        ("config.json", "[]", "config.json does not hold a JSON object"),
        ("tokenizer.json", "{}", "tokenizer.json is broken"),
        ("tokenizer.json", "\x00\x01", "tokenizer.json is broken"),
        ("tokenizer_config.json", "{", "tokenizer_config.json cannot be read"),
        ("generation_config.json", "7", "generation_config.json does not hold a JSON object"),
    ],
)
def test_files_that_are_none(name: str, content: str, said: str, folder: Path) -> None:
    (folder / name).write_text(content)
    assert said in refusal(folder)


def test_a_tokenizer_of_another_model(folder: Path) -> None:
    path = folder / "tokenizer.json"
    said = json.loads(path.read_text())
    said["model"]["vocab"]["a token far away"] = 5000
    path.write_text(json.dumps(said))
    assert "tokens beyond the 3,072 of the weights" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", "is no Hugging Face folder"),
        ("model.safetensors", "holds no .safetensors file"),
        ("tokenizer.json", "has no tokenizer"),
    ],
)
def test_what_is_missing_is_named(name: str, said: str, folder: Path) -> None:
    (folder / name).unlink()
    assert said in refusal(folder)


def test_pickled_weights_are_none(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "Weights in other formats are not read" in refusal(folder)


def test_a_template_of_a_folder_has_limits(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{% for a in range(10 ** 9) %}{% endfor %}")
    with pytest.raises(BackendError, match="Range too big"):
        probe_folder(folder)


def test_a_missing_layer_is_never_drawn_at_random(folder: Path) -> None:
    """Beyond the headers: transformers would fill in what the file does not have."""
    from localsel.backends.transformers import load

    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if "mlp" in name)
    save_file({key: np.array(array) for key, array in tensors.items() if key != name}, path)
    with pytest.raises(BackendError, match=f"lacks 1 of the weights .* {name}"):
        load(folder, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"num_nextn_predict_layers": 0},
        {"intermediate_size": [352, 352, 176, 88]},
        {"num_key_value_heads": [4, 2, 2, 4]},
    ],
)
def test_a_sound_configuration_of_another_kind(values: dict[str, object], folder: Path) -> None:
    before = probe_folder(folder)["shape"]
    change(folder / "config.json", **values)
    heads = values.get("num_key_value_heads", before["kv_heads"])
    assert probe_folder(folder)["shape"] == {**before, "kv_heads": heads}


@pytest.mark.parametrize("text", [None, {}])
def test_a_text_config_that_says_nothing(text: object, folder: Path) -> None:
    whole = probe_folder(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"text_config": text}))
    assert probe_folder(folder) == whole


@pytest.mark.parametrize("away", ["num_attention_heads", "hidden_size"])
def test_a_cache_is_never_guessed_at(away: str, folder: Path) -> None:
    change(folder / "config.json", **{away: None, "head_dim": None, "num_key_value_heads": None})
    facts = probe_folder(folder)
    assert (facts["shape"], facts["layers"]) == (None, 4)


def test_numbers_of_half_a_byte_are_counted_so(folder: Path) -> None:
    before = probe_folder(folder)
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    end = len(raw) - 8 - length
    small = {"dtype": "F4", "shape": [64], "data_offsets": [end, end + 32]}
    text = json.dumps(json.loads(raw[8 : 8 + length]) | {"small": small}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :] + bytes(32))
    after = probe_folder(folder)
    assert after["weights_bytes"] - before["weights_bytes"] == 32
    assert after["parameters"] - before["parameters"] == 64


@pytest.fixture
def parts(folder: Path) -> Path:
    """A folder with the parts of a tokenizer, from before tokenizer.json."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    pairs = (each if isinstance(each, str) else " ".join(each) for each in model["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")
    # That class would otherwise add a token for what is unknown.
    own = {"tokenizer_class": "GPT2Tokenizer", "unk_token": "<|end_of_text|>"}
    change(folder / "tokenizer_config.json", **own)
    return folder


def test_a_tokenizer_in_parts_is_read_too(parts: Path) -> None:
    facts = probe_folder(parts)
    assert facts["vocabulary"] == 3072
    assert facts["special_tokens"]["eos"] == {"id": 4, "text": "<|eot_id|>"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("vocab.json", "[", "has no tokenizer that can be read"),
        ("tokenizer.model", "none", "has no tokenizer that can be read"),
    ],
)
def test_parts_that_are_none_are_refused(name: str, content: str, said: str, parts: Path) -> None:
    (parts / name).write_text(content)
    assert said in refusal(parts)
