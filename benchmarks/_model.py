"""A folder → a GGUF in it of SmolLM-135M's shape, with random weights: for speed, not for sense.

The tokens are those of the bundled nano selector, and as many that no text contains as make the
vocabulary as large as the real one's: choosing a label costs a step over all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from localsel.settings import resource

LAYERS, WIDTH, HEADS, KEY_HEADS, INNER = 30, 576, 9, 3, 1536
VOCABULARY = 49_152
CONTEXT = 4096
BLOCK = 32  # weights that share a scale in Q4_0
SCALE = 0.005


def nano() -> Path:
    """The selector that travels with localsel."""
    return resource("models") / "nano-llama" / "nano-llama.gguf"


def random_model(folder: Path, seed: int = 0) -> Path:
    """Writes 135 million Q4_0 weights, 76 MB."""
    import gguf

    path = folder / "smollm-shaped.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    _add_tokenizer(writer, gguf.GGUFReader(nano()), gguf.TokenType.NORMAL)
    generator = np.random.default_rng(seed)
    for name, shape in _shapes().items():
        if len(shape) == 1:
            writer.add_tensor(name, np.ones(shape, dtype=np.float32))
        else:
            kind = gguf.GGMLQuantizationType.Q4_0
            writer.add_tensor(name, _weights(generator, *shape), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def parameters() -> int:
    return sum(int(np.prod(shape)) for shape in _shapes().values())


def _add_tokenizer(writer: Any, source: Any, normal: int) -> None:
    def said(name: str) -> Any:
        field = source.get_field(name)
        return field.contents() if field else None

    tokens, kinds = said("tokenizer.ggml.tokens"), said("tokenizer.ggml.token_type")
    fillers = [f"<filler {number}>" for number in range(VOCABULARY - len(tokens))]
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


def _shapes() -> dict[str, tuple[int, ...]]:
    """Rows and columns of every tensor; the embeddings are the output too."""
    keys = WIDTH // HEADS * KEY_HEADS
    layer: dict[str, tuple[int, ...]] = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (keys, WIDTH),
        "attn_v": (keys, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (INNER, WIDTH),
        "ffn_up": (INNER, WIDTH),
        "ffn_down": (WIDTH, INNER),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for number in range(LAYERS):
        shapes |= {f"blk.{number}.{part}.weight": shape for part, shape in layer.items()}
    return shapes


def _weights(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Random Q4_0 blocks [rows, bytes]: a scale in float16 and 32 weights of four bits."""
    blocks = rows * columns // BLOCK
    packed = np.empty((blocks, 2 + BLOCK // 2), dtype=np.uint8)
    packed[:, :2] = np.frombuffer(np.float16(SCALE).tobytes(), dtype=np.uint8)
    packed[:, 2:] = generator.integers(0, 256, (blocks, BLOCK // 2), dtype=np.uint8)
    return packed.reshape(rows, -1)
