"""Broken files → one sentence and exit code 3; the process that asks lives on."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localsel.backends.base import Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.backends.probe import probe
from localsel.errors import BackendError
from tests.vocabularies import FOLDER, cached_model, random_model

DATA = cached_model("llama-2").read_bytes()
NAMES_FROM = DATA.index(b"tokenizer.ggml.tokens")


def refusal(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(BackendError) as caught:
        LlamaCppBackend.open(Opening(str(path), context=256, threads=1))
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_what_a_header_says() -> None:
    facts = probe(cached_model("llama-2"))
    assert facts["architecture"] == "llama"
    assert (facts["context"], facts["vocabulary"], facts["layers"]) == (8192, 32000, 1)
    assert facts["chat_template"] is False
    assert facts["special_tokens"]["bos"] == {"id": 1, "text": "<s>"}
    assert facts["special_tokens"]["eos"] == {"id": 2, "text": "</s>"}
    # The tokenizer of Llama-2 wants it where its file does not say.
    assert facts["bos_from"] == "tokenizer"
    assert facts["takes_a_system_message"] is None


TEMPLATE = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}"
STRICT = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + TEMPLATE


@pytest.mark.parametrize(("template", "system"), [(TEMPLATE, True), (STRICT, False)])
def test_what_its_template_does(template: str, system: bool, tmp_path: Path) -> None:
    said: dict[str, str | bool | int] = {"tokenizer.chat_template": template}
    facts = probe(random_model("llama-2", tmp_path / "model.gguf", facts=said))
    assert (facts["chat_template"], facts["takes_a_system_message"]) == (True, system)
    assert facts["bos_from"] == "template"


def test_no_file(tmp_path: Path) -> None:
    assert "There is no model" in refusal(tmp_path / "none.gguf")


def test_a_folder(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path)


def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "locked.gguf"
    path.write_bytes(DATA[:100])
    path.chmod(0)
    # For root no file is locked, but a process's memory has no beginning to read.
    unreadable = Path("/proc/self/mem") if os.access(path, os.R_OK) else path
    assert "cannot be read" in refusal(unreadable)


@pytest.mark.parametrize(
    "content", [b"", b"GG", b"ggml" + DATA[4:5000], b"PK\x03\x04 a zip", b"\n" * 100]
)
def test_not_a_gguf(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    assert "not a GGUF" in refusal(path)


def test_a_vocabulary_without_weights() -> None:
    assert "holds no weights" in refusal(FOLDER / "llama-2.gguf")


CUTS = {
    "after the magic": 4,
    "in the counts": 20,
    "in a key": 40,
    "in the tokens": NAMES_FROM + 5000,
    "before the weights": DATA.index(b"token_embd.weight"),
    "in the weights": len(DATA) // 2,
    "at the last byte": len(DATA) - 1,
}


@pytest.mark.parametrize("where", CUTS)
def test_a_truncated_file(where: str, tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(DATA[: CUTS[where]])
    refusal(path)


def test_random_bytes_behind_the_magic(tmp_path: Path) -> None:
    path = tmp_path / "noise.gguf"
    path.write_bytes(b"GGUF" + random.Random(0).randbytes(20_000))
    assert "broken" in refusal(path)


def test_several_may_ask_at_once(tmp_path: Path) -> None:
    """Each gets the answer to its own question."""
    paths = [tmp_path / f"{number}.gguf" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(b"GGUF" + random.Random(number).randbytes(2_000))

    def asked(path: Path) -> str:
        with pytest.raises(BackendError) as caught:
            probe(path)
        return str(caught.value)

    with ThreadPoolExecutor(3) as pool:
        for path, said in zip(paths, pool.map(asked, paths), strict=True):
            assert said.startswith(f"{path} ")


# Two bytes of the header, found by trying, at which llama.cpp aborts its process.
ABORTING = {1024: 65, 783: 108}


def test_a_child_that_dies_is_a_broken_file(tmp_path: Path) -> None:
    data = bytearray((FOLDER / "llama-2.gguf").read_bytes())
    for place, value in ABORTING.items():
        data[place] = value
    path = tmp_path / "deadly.gguf"
    path.write_bytes(data)
    with pytest.raises(BackendError, match="it ends the process that reads it"):
        probe(path)
    assert probe(cached_model("llama-2"))["architecture"] == "llama"
