"""The vocabulary files of real model families → tiny GGUFs with random weights over them.

The source package of llama-cpp-python carries the vocabularies; `make test` unpacks them beside
the virtual environment. Run as `python -m tests.vocabularies` to do only that.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

FAMILIES = {"llama-3": "llama-bpe", "llama-2": "llama-spm", "qwen-2": "qwen2"}
FOLDER = Path(sys.prefix) / "vocabularies"
WIDTH, HEADS = 64, 2


def fetch() -> None:
    """Unpacks the vocabulary files of the installed llama-cpp-python, once."""
    if all((FOLDER / f"{name}.gguf").exists() for name in FAMILIES):
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        package = f"llama-cpp-python=={version('llama-cpp-python')}"
        options = ["--quiet", "--no-deps", "--no-binary", "llama-cpp-python", "--dest", folder]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, package], check=True)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            for name, stem in FAMILIES.items():
                wanted = f"/models/ggml-vocab-{stem}.gguf"
                member = next(item for item in archive if item.name.endswith(wanted))
                content = archive.extractfile(member)
                assert content is not None
                (FOLDER / f"{name}.gguf").write_bytes(content.read())


def random_model(family: str, path: Path, seed: int = 0) -> Path:
    """Writes a one-layer Llama with random weights over a family's vocabulary."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader = GGUFReader(FOLDER / f"{family}.gguf")
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    for name, field in reader.fields.items():
        if name.startswith("tokenizer."):
            kind = field.types[0]
            inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kind, inner)
    vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)
    writer.add_vocab_size(vocabulary)
    for name, shape in _shapes(vocabulary).items():
        generator = np.random.default_rng([seed, len(name)])
        weights = np.ones(shape) if len(shape) == 1 else generator.normal(0, 0.3, shape)
        writer.add_tensor(name, weights.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    square = (WIDTH, WIDTH)
    layer = {f"attn_{part}": square for part in ("q", "k", "v", "output")}
    layer |= {f"ffn_{part}": square for part in ("gate", "up", "down")}
    shapes: dict[str, tuple[int, ...]] = {f"blk.0.{k}.weight": v for k, v in layer.items()}
    shapes |= {f"blk.0.{part}_norm.weight": (WIDTH,) for part in ("attn", "ffn")}
    return shapes | {"token_embd.weight": (vocabulary, WIDTH), "output_norm.weight": (WIDTH,)}


if __name__ == "__main__":
    fetch()
