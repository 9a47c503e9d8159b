"""A trained network and its tokenizer → a Hugging Face folder, with the same weights as GGUF."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import torch
from nano.architecture import Llama, Shape, weights
from nano.vocabulary import (
    BEGIN,
    CHAT_TEMPLATE,
    END,
    SPECIAL,
    TURN_END,
    merges,
    save_tokenizer,
    special_ids,
    write_json,
)
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor


def export(model: Llama, tokenizer: Tokenizer, folder: Path, name: str) -> None:
    """Both forms hold float16 weights and one tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.to(torch.float16).contiguous() for key, value in weights(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    save_tokenizer(tokenizer, folder, model.shape.context)
    ids = special_ids(tokenizer)
    write_json(folder / "config.json", llama_config(model.shape, ids))
    generation = {
        "bos_token_id": ids[BEGIN],
        "eos_token_id": ids[TURN_END],
        "pad_token_id": ids[END],
    }
    write_json(folder / "generation_config.json", {**generation, "do_sample": False})
    write_gguf(folder / f"{name}.gguf", tensors, model.shape, tokenizer, name)


def llama_config(shape: Shape, ids: dict[str, int]) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.width // shape.heads,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": ids[BEGIN],
        "eos_token_id": ids[TURN_END],
        "pad_token_id": ids[END],
        "dtype": "float16",
    }


GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_tensor(name: str, value: Tensor, heads: int) -> tuple[str, NDArray[np.generic]]:
    """A tensor under llama.cpp's name; it wants norms in float32 and rotary pairs side by side."""
    fixed = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
    }
    if name in fixed:
        renamed = fixed[name]
    else:
        _, _, number, part = name.removesuffix(".weight").split(".", 3)
        renamed = f"blk.{number}.{GGUF_NAMES[part]}.weight"
    array = value.numpy()
    if renamed.endswith(("attn_q.weight", "attn_k.weight")):
        rows, columns = array.shape
        halves = array.reshape(heads, 2, rows // heads // 2, columns)
        array = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))
    return renamed, array.astype(np.float32) if array.ndim == 1 else array


def write_gguf(
    path: Path, tensors: dict[str, Tensor], shape: Shape, tokenizer: Tokenizer, name: str
) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_key_length(shape.width // shape.heads)
    writer.add_value_length(shape.width // shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    add_tokenizer(writer, tokenizer)
    for key, value in tensors.items():
        writer.add_tensor(*gguf_tensor(key, value, shape.heads))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """The same tokens, merges and chat template; the template writes the first token itself."""
    size = tokenizer.get_vocab_size()
    tokens = [str(tokenizer.id_to_token(number)) for number in range(size)]
    kinds = [
        gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens
    ]
    ids = special_ids(tokenizer)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges(tokenizer))
    writer.add_bos_token_id(ids[BEGIN])
    writer.add_eos_token_id(ids[TURN_END])
    writer.add_eot_token_id(ids[TURN_END])
    writer.add_pad_token_id(ids[END])
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)
