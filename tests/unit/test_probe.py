"""Broken files → one sentence and exit code 3; the process that asks lives on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localsel.backends.base import Opening
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.backends.probe import probe
from localsel.errors import BackendError
from tests.vocabularies import FOLDER, cached_model

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
    assert facts["chat_template"] is None


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


def test_mutated_headers_are_read_or_refused(tmp_path: Path) -> None:
    """About one in a hundred makes llama.cpp abort: a child does, and nobody else."""
    places = [8, 16, 17, NAMES_FROM - 20, NAMES_FROM + 21, NAMES_FROM + 25, NAMES_FROM + 29]
    generator = random.Random(1)

    def mutated(number: int) -> str:
        data = bytearray(DATA[:400_000])
        place = places[number] if number < len(places) else generator.randrange(24, 2000)
        data[place] ^= 0x81
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(data)
        try:
            probe(path)
        except BackendError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(mutated, range(8)))
    assert any(outcomes)
    assert all("\n" not in outcome for outcome in outcomes)


# Two bytes of the header, found by trying, at which llama.cpp aborts its process.
ABORTING = ({1024: 65, 783: 108}, {365: 247, 1136: 52})


@pytest.mark.parametrize("damage", ABORTING)
def test_a_child_that_dies_is_a_broken_file(tmp_path: Path, damage: dict[int, int]) -> None:
    data = bytearray((FOLDER / "llama-2.gguf").read_bytes())
    for place, value in damage.items():
        data[place] = value
    path = tmp_path / "deadly.gguf"
    path.write_bytes(data)
    line = [sys.executable, "-m", "localsel.backends.probe", str(path)]
    assert subprocess.run(line, capture_output=True, check=False).returncode == -signal.SIGABRT
    with pytest.raises(BackendError, match="is broken"):
        probe(path)
