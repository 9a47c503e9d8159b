"""A folder → a GGUF in it of a small model's shape, with random weights: for speed, not for sense.

The tokens are those of the bundled nano selector, and as many that no text contains as make the
vocabulary as large as the real one's: choosing a label costs a step over all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from localsel.settings import resource


class Shape(NamedTuple):
    """How many of everything a model has."""

    name: str
    layers: int
    width: int
    heads: int
    key_heads: int
    inner: int
    vocabulary: int


SMOLLM = Shape("smollm-shaped", 30, 576, 9, 3, 1536, 49_152)  # SmolLM-135M
QWEN = Shape("qwen-shaped", 24, 896, 14, 2, 4864, 151_936)  # Qwen2-0.5B
CONTEXT = 4096
BLOCK = 32  # weights that share a scale in Q4_0
SCALE = 0.005


def nano() -> Path:
    """The selector that travels with localsel."""
    return resource("models") / "nano-llama" / "nano-llama.gguf"


def random_model(folder: Path, seed: int = 0, shape: Shape = SMOLLM) -> Path:
    """Writes Q4_0 weights, of SmolLM 135 million in 76 MB."""
    import gguf

    path = folder / f"{shape.name}.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    _add_tokenizer(writer, gguf.GGUFReader(nano()), gguf.TokenType.NORMAL, shape.vocabulary)
    generator = np.random.default_rng(seed)
    for name, size in _tensors(shape).items():
        if len(size) == 1:
            writer.add_tensor(name, np.ones(size, dtype=np.float32))
        else:
            kind = gguf.GGMLQuantizationType.Q4_0
            writer.add_tensor(name, _weights(generator, *size), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def parameters(shape: Shape = SMOLLM) -> int:
    return sum(int(np.prod(size)) for size in _tensors(shape).values())


def _add_tokenizer(writer: Any, source: Any, normal: int, vocabulary: int) -> None:
    def said(name: str) -> Any:
        field = source.get_field(name)
        return field.contents() if field else None

    tokens, kinds = said("tokenizer.ggml.tokens"), said("tokenizer.ggml.token_type")
    fillers = [f"<filler {number}>" for number in range(vocabulary - len(tokens))]
    writer.add_tokenizer_model(said("tokenizer.ggml.model"))
    writer.add_token_list([*tokens, *fillers])
    writer.add_token_types([*kinds, *[normal] * len(fillers)])
    writer.add_tokenizer_pre(said("tokenizer.ggml.pre"))
    writer.add_token_merges(said("tokenizer.ggml.merges"))
    writer.add_bos_token_id(said("tokenizer.ggml.bos_token_id"))
    writer.add_eos_token_id(said("tokenizer.ggml.eos_token_id"))
    writer.add_add_bos_token(bool(said("tokenizer.ggml.add_bos_token")))
    writer.add_add_space_prefix(bool(said("tokenizer.ggml.add_space_prefix")))
    writer.add_chat_template(said("tokenizer.chat_template"))


def _tensors(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Rows and columns of every tensor; the embeddings are the output too."""
    width, keys = shape.width, shape.width // shape.heads * shape.key_heads
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,),
        "attn_q": (width, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_output": (width, width),
        "ffn_norm": (width,),
        "ffn_gate": (shape.inner, width),
        "ffn_up": (shape.inner, width),
        "ffn_down": (width, shape.inner),
    }
    tensors: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (shape.vocabulary, width),
        "output_norm.weight": (width,),
    }
    for number in range(shape.layers):
        tensors |= {f"blk.{number}.{part}.weight": size for part, size in layer.items()}
    return tensors


def _weights(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Random Q4_0 blocks [rows, bytes]: a scale in float16 and 32 weights of four bits."""
    blocks = rows * columns // BLOCK
    packed = np.empty((blocks, 2 + BLOCK // 2), dtype=np.uint8)
    packed[:, :2] = np.frombuffer(np.float16(SCALE).tobytes(), dtype=np.uint8)
    packed[:, 2:] = generator.integers(0, 256, (blocks, BLOCK // 2), dtype=np.uint8)
    return packed.reshape(rows, -1)
