"""The vocabulary files of real model families → tiny GGUFs with random weights over them.

The source package of llama-cpp-python carries the vocabularies; `make test` unpacks them beside
the virtual environment. Run as `python -m tests.vocabularies` to do only that.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

FAMILIES = {"llama-3": "llama-bpe", "llama-2": "llama-spm", "qwen-2": "qwen2"}
# Other ways to cut text: SentencePiece with chat tokens, byte pairs after other rules, WordPiece,
# and a unigram model.
OTHERS = {
    "phi-3": "phi-3",
    "gemma-4": "gemma-4",
    "gpt-2": "gpt-2",
    "falcon": "falcon",
    "deepseek": "deepseek-llm",
    "bert": "bert-bge",
    "nomic": "nomic-bert-moe",
}
FOLDER = Path(sys.prefix) / "vocabularies"
WIDTH, HEADS = 64, 2
CONTEXT = 8192

# The GGUF container: how long a value of each plain type is, and the types with a length inside.
PLAIN = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
ALIGNMENT = 32

TOKENS, KINDS = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
# Kinds of tokens: one that no text may be taken for, and one that is found in any text.
CONTROL, USER = 3, 4


def fetch() -> None:
    """Unpacks the vocabulary files of the installed llama-cpp-python, once."""
    wanted = {
        name: f"/models/ggml-vocab-{stem}.gguf"
        for name, stem in {**FAMILIES, **OTHERS}.items()
        if not (FOLDER / f"{name}.gguf").exists()
    }
    if not wanted:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        package = f"llama-cpp-python=={version('llama-cpp-python')}"
        options = ["--quiet", "--no-deps", "--no-binary", "llama-cpp-python", "--dest", folder]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, package], check=True)
        with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
            for name, ending in wanted.items():
                member = next(item for item in archive if item.name.endswith(ending))
                content = archive.extractfile(member)
                assert content is not None
                (FOLDER / f"{name}.gguf").write_bytes(content.read())


def cached_model(family: str) -> Path:
    """The random model of a family; written once, and again when this file changes."""
    path = FOLDER / f"{family}-random.gguf"
    if not path.exists() or path.stat().st_mtime < Path(__file__).stat().st_mtime:
        fetch()
        own = path.with_suffix(f".{os.getpid()}")
        random_model(family, own).replace(path)
    return path


def random_model(
    family: str,
    path: Path,
    seed: int = 0,
    facts: Mapping[str, str | bool | int] | None = None,
    left_out: Collection[str] = (),
) -> Path:
    """Writes a one-layer Llama with random weights over a family's vocabulary.

    `facts` add to the header or replace what it says, as `tokenizer.chat_template`; what is
    `left_out` of the family's own is missing.
    """
    header = _header(family, facts or {}, left_out)
    shapes = _shapes(_length(header[TOKENS]))
    with path.open("wb") as file:
        file.write(_start(header, len(shapes)))
        start = 0
        for name, shape in shapes.items():
            file.write(_text(name) + struct.pack("<I", len(shape)))
            file.write(struct.pack(f"<{len(shape)}QIQ", *reversed(shape), 0, start))
            start += -(-4 * int(np.prod(shape)) // ALIGNMENT) * ALIGNMENT
        for name, shape in shapes.items():
            file.write(bytes(-file.tell() % ALIGNMENT))
            generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
            # The embeddings, which are the output too, are small: no token is nearly certain.
            spread = 0.1 if name == "token_embd.weight" else 0.3
            weights = np.ones(shape) if len(shape) == 1 else generator.normal(0, spread, shape)
            file.write(weights.astype("<f4").tobytes())
    return path


def vocabulary_file(
    family: str,
    path: Path,
    facts: Mapping[str, str | bool | int] | None = None,
    renamed: Mapping[str, str] | None = None,
    unmarked: Collection[str] = (),
) -> Path:
    """Writes a family's vocabulary alone, without weights.

    Some of its tokens get another name, and some control tokens that of a user's own.
    """
    header = _header(family, facts or {})
    found = [(renamed or {}).get(token, token) for token in strings(header[TOKENS])]
    marked = zip(found, kinds(header[KINDS]), strict=True)
    kept = [USER if token in unmarked else kind for token, kind in marked]
    header[TOKENS] = struct.pack("<IIQ", ARRAY, STRING, len(found)) + b"".join(map(_text, found))
    header[KINDS] = struct.pack(f"<IIQ{len(kept)}i", ARRAY, INT32, len(kept), *kept)
    path.write_bytes(_start(header, 0))
    return path


def _header(
    family: str, facts: Mapping[str, str | bool | int], left_out: Collection[str] = ()
) -> dict[str, bytes]:
    """A family's tokenizer, the architecture of a random model, and `facts` over both."""
    header = {
        name: raw
        for name, raw in read_header(FOLDER / f"{family}.gguf").items()
        if name.startswith("tokenizer.") and name not in left_out
    }
    header |= _architecture(_length(header[TOKENS]))
    return header | {name: _value(value) for name, value in facts.items()}


def _start(header: Mapping[str, bytes], tensors: int) -> bytes:
    keys = b"".join(_text(name) + raw for name, raw in header.items())
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, len(header)) + keys


def strings(raw: bytes) -> list[str]:
    """An array of texts, as `read_header` leaves it."""
    found, place = [], 16
    for _ in range(_length(raw)):
        end = place + 8 + int.from_bytes(raw[place : place + 8], "little")
        found.append(raw[place + 8 : end].decode())
        place = end
    return found


def kinds(raw: bytes) -> list[int]:
    """An array of whole numbers, as `read_header` leaves it."""
    return list(struct.unpack_from(f"<{_length(raw)}i", raw, 16))


def _length(raw: bytes) -> int:
    """Of an array."""
    return int(struct.unpack_from("<Q", raw, 8)[0])


def read_header(path: Path) -> dict[str, bytes]:
    """Every key of a GGUF, its value left as it stands in the file, type and all.

    A hundred times faster than `gguf.GGUFReader`, which makes arrays of every single string.
    """
    data = path.read_bytes()
    found, place = {}, 24
    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        length = struct.unpack_from("<Q", data, place)[0]
        name = data[place + 8 : place + 8 + length].decode()
        start = place + 8 + length
        place = _end(data, start + 4, struct.unpack_from("<I", data, start)[0])
        found[name] = data[start:place]
    return found


def _end(data: bytes, place: int, kind: int) -> int:
    """Where the value that begins at `place` ends."""
    if kind == STRING:
        return place + 8 + int.from_bytes(data[place : place + 8], "little")
    if kind != ARRAY:
        return place + PLAIN[kind]
    inner, count = struct.unpack_from("<IQ", data, place)
    place += 12
    if inner in PLAIN:
        return place + PLAIN[inner] * int(count)
    for _ in range(count):
        place = _end(data, place, inner)
    return place


def _architecture(vocabulary: int) -> dict[str, bytes]:
    numbers = {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": 1,
        "feed_forward_length": WIDTH,
        "attention.head_count": HEADS,
        "attention.head_count_kv": HEADS,
        "vocab_size": vocabulary,
    }
    header = {"general.architecture": _value("llama")}
    header |= {f"llama.{name}": struct.pack("<II", UINT32, n) for name, n in numbers.items()}
    epsilon = struct.pack("<If", FLOAT32, 1e-5)
    return header | {"llama.attention.layer_norm_rms_epsilon": epsilon}


def _value(value: str | bool | int) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<IB", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", UINT32, value)
    return struct.pack("<I", STRING) + _text(value)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    square = (WIDTH, WIDTH)
    layer = {f"attn_{part}": square for part in ("q", "k", "v", "output")}
    layer |= {f"ffn_{part}": square for part in ("gate", "up", "down")}
    shapes: dict[str, tuple[int, ...]] = {f"blk.0.{k}.weight": v for k, v in layer.items()}
    shapes |= {f"blk.0.{part}_norm.weight": (WIDTH,) for part in ("attn", "ffn")}
    return shapes | {"token_embd.weight": (vocabulary, WIDTH), "output_norm.weight": (WIDTH,)}


if __name__ == "__main__":
    fetch()
    for each in FAMILIES:
        cached_model(each)
