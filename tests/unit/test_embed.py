"""Texts → vectors that depend on their own text alone, down to the last bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.errors import BackendError
from localsel.records import Vectors
from localsel.stages.embed import (
    ROWS,
    SMALLEST,
    Embedder,
    default_embedder,
    folder_fingerprint,
    padded,
)

relaxed = settings(deadline=None)

# Of three padded widths, and of both sides of their borders: a word is a token, and two are added.
TEXTS = [
    "Name three rivers.",
    "",
    "Übersetze: „Guten Morgen“ 🌅",
    "翻译这个句子",
    *(" ".join(["word"] * count) for count in (14, 15, 22, 23, 30)),
]

embedder: Embedder


@pytest.fixture(scope="module", autouse=True)
def opened() -> Iterator[None]:
    """The real model, loaded once."""
    global embedder
    threads = torch.get_num_threads()
    embedder = Embedder(default_embedder(), threads=2)
    yield
    torch.set_num_threads(threads)


def vectors_of(texts: Sequence[str]) -> Vectors:
    found = np.full((len(texts), embedder.width), np.nan, dtype=np.float32)
    for places, vectors in embedder.encode(texts):
        assert np.isnan(found[places]).all()
        found[places] = vectors
    assert not np.isnan(found).any()
    return found


def same_bits(one: Vectors, other: Vectors) -> bool:
    return one.tobytes() == other.tobytes()


# --- in whatever company -------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    st.text(max_size=14),
    st.lists(st.one_of(st.text(max_size=14), st.sampled_from(TEXTS)), max_size=40),
    st.integers(0, 40),
)
def test_a_vector_is_bit_identical_whatever_else_is_in_its_batch(
    text: str, company: list[str], place: int
) -> None:
    place = min(place, len(company))
    together = vectors_of([*company[:place], text, *company[place:]])
    assert same_bits(together[place], vectors_of([text])[0])


def test_neither_the_order_nor_the_number_of_threads_changes_a_bit() -> None:
    vectors = vectors_of(TEXTS)
    torch.set_num_threads(1)
    try:
        assert same_bits(vectors_of(TEXTS[::-1])[::-1], vectors)
    finally:
        torch.set_num_threads(2)


def test_the_place_in_a_full_batch_changes_no_bit() -> None:
    numbered = [f"Text number {number}." for number in range(100, 100 + ROWS + 5)]
    assert same_bits(vectors_of(numbered[::-1])[::-1], vectors_of(numbered))


def test_the_shortest_come_first_in_batches_of_at_most_one_shape() -> None:
    batches = [places.tolist() for places, _ in embedder.encode(["word " * 20, *["a"] * 34, "b"])]
    assert batches == [list(range(1, 33)), [33, 34, 35], [0]]


def test_no_texts_are_no_batches() -> None:
    assert list(embedder.encode([])) == []


# --- the right vectors ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> Callable[[list[str]], Vectors]:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(default_embedder()), local_files_only=True)
    return partial(model.encode, normalize_embeddings=True, show_progress_bar=False)


def test_vectors_are_those_of_sentence_transformers(
    reference: Callable[[list[str]], Vectors],
) -> None:
    vectors = vectors_of(TEXTS)
    assert np.abs(vectors - reference(TEXTS)).max() < 1e-5
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-6)


def test_what_lies_beyond_the_limit_of_the_model_does_not_count(
    reference: Callable[[list[str]], Vectors],
) -> None:
    one, other = vectors_of(["word " * 300 + "end", "word " * 9000])
    assert same_bits(one, other)
    assert np.abs(one - reference(["word " * 300])).max() < 1e-5


def test_what_is_alike_lies_together() -> None:
    rivers, waters, taxes = vectors_of(
        ["Name three rivers in Europe.", "List 3 European rivers.", "How do I file my taxes?"]
    )
    assert rivers @ waters > 0.8
    assert rivers @ taxes < 0.3


@relaxed
@given(st.integers(1, 300), st.sampled_from([128, 256, 512]))
def test_widths_are_few_and_large_enough(length: int, longest: int) -> None:
    (width,) = padded(np.array([min(length, longest)]), longest).tolist()
    assert min(length, longest) <= width <= longest
    assert width in {SMALLEST, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}
    assert width <= max(SMALLEST, 1.5 * length)


# --- the folder ----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the model whose weights are only linked."""
    copy = tmp_path / "mini"
    shutil.copytree(default_embedder(), copy, copy_function=link_weights)
    return copy


def link_weights(source: str, target: str) -> None:
    if source.endswith(".safetensors"):
        Path(target).symlink_to(source)
    else:
        shutil.copyfile(source, target)


def test_the_fingerprint_is_that_of_the_content(folder: Path) -> None:
    fingerprint = folder_fingerprint(folder)
    assert fingerprint == folder_fingerprint(default_embedder())
    assert len(fingerprint) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "config.json").write_text("{}"),
        lambda folder: (folder / "1_Pooling" / "config.json").write_text("{}"),
        lambda folder: (folder / "vocab.txt").unlink(),
        lambda folder: (folder / "more.txt").write_text(""),
        lambda folder: (folder / "vocab.txt").rename(folder / "words.txt"),
    ],
)
def test_the_fingerprint_changes_with_every_file(
    folder: Path, change: Callable[[Path], object]
) -> None:
    # A few bytes do for weights here: what counts is that they are read.
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"weights")
    before = folder_fingerprint(folder)
    change(folder)
    changed = folder_fingerprint(folder)
    assert changed != before
    (folder / "model.safetensors").write_bytes(b"heights")
    assert folder_fingerprint(folder) not in (before, changed)


@pytest.mark.parametrize("use", [folder_fingerprint, Embedder])
def test_a_folder_without_a_model_is_named(tmp_path: Path, use: Callable[[Path], object]) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BackendError) as caught:
            use(folder)
        assert caught.value.message == f"There is no sentence-transformers model in {folder}."
        assert caught.value.exit_code == 3


@pytest.mark.parametrize("use", [folder_fingerprint, Embedder])
def test_pickled_weights_are_never_read(
    folder: Path, tmp_path: Path, use: Callable[[Path], object]
) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(
        BackendError, match=r"pytorch_model\.bin are pickled, and no pickle is read"
    ):
        use(folder)


def test_pickled_weights_beside_safetensors_do_no_harm(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")
    assert Embedder(folder, threads=2).width == 384


def cut_weights(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()[:100_000]
    replace_weights(folder, content)


def replace_weights(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(content)


def edit(name: str, **values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | values))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        cut_weights,
        lambda folder: replace_weights(folder, b""),
        lambda folder: replace_weights(folder, b"garbage" * 99),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "config.json").unlink(),
        lambda folder: (folder / "modules.json").write_text("[]"),
        lambda folder: (folder / "modules.json").write_text("{"),
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        edit("config.json", hidden_size=192),
    ],
    ids=["cut", "empty", "garbage", "no weights", "config", "no config", "no modules"]
    + ["modules", "tokenizer", "other size"],
)
def test_a_broken_model_is_named(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder)
    with pytest.raises(BackendError) as caught:
        Embedder(folder, threads=2)
    assert caught.value.message.startswith(f"The embedder in {folder} cannot be loaded: ")
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 3
