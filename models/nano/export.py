"""A trained network and its tokenizer → a Hugging Face folder, with the same weights as GGUF."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from nano.architecture import Family, Network, Shape, weights
from nano.vocabulary import CHATS, Chat, merges, save_tokenizer, special_ids, write_json
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor


def export(model: Network, tokenizer: Tokenizer, folder: Path, name: str) -> None:
    """Both forms hold float16 weights and one tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    chat = CHATS[model.family.name]
    ids = special_ids(tokenizer, chat)
    tensors = {key: value.to(torch.float16).contiguous() for key, value in weights(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    save_tokenizer(tokenizer, folder, model.shape.context, chat)
    write_json(folder / "config.json", {**config(model.shape, model.family), **ids})
    write_json(folder / "generation_config.json", {**ids, "do_sample": False})
    write_gguf(folder / f"{name}.gguf", tensors, model, tokenizer)


def config(shape: Shape, family: Family) -> dict[str, object]:
    """What transformers reads before the weights."""
    common: dict[str, object] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": family.epsilon,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "attention_bias": False,
        "tie_word_embeddings": True,
        "dtype": "float16",
    }
    if not family.is_gemma:
        own: dict[str, object] = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "mlp_bias": False,
        }
        return own | common
    return {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": shape.head,
        "attn_logit_softcapping": family.attention_cap,
        "final_logit_softcapping": family.final_cap,
        "sliding_window": family.window,
        "layer_types": [
            "full_attention" if number % 2 else "sliding_attention"
            for number in range(shape.layers)
        ],
    } | common


def read_shape(path: Path) -> Shape:
    """The way back from `config`."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Shape(
        kept["vocab_size"],
        kept["hidden_size"],
        kept["num_hidden_layers"],
        kept["head_dim"],
        kept["intermediate_size"],
        kept["max_position_embeddings"],
        kept["rope_theta"],
    )


MATRICES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
NORMS = {
    "norm_attention": "attn_norm",
    "norm_heard": "post_attention_norm",
    "norm_inner": "ffn_norm",
    "norm_thought": "post_ffw_norm",
}


def gguf_tensor(name: str, value: Tensor, model: Network) -> tuple[str, NDArray[np.generic]]:
    """A tensor under llama.cpp's name and in its form.

    Norms in float32, Gemma-2's with their one again; Llama's rotary pairs side by side.
    """
    array = value.numpy()
    if array.ndim == 1:
        array = array.astype(np.float32) + float(model.family.is_gemma)
    if name == "model.embed_tokens.weight":
        return "token_embd.weight", array
    if name == "model.norm.weight":
        return "output_norm.weight", array
    _, _, number, part = name.removesuffix(".weight").split(".", 3)
    if part.endswith(("q_proj", "k_proj")) and not model.family.is_gemma:
        rows, columns = array.shape
        halves = array.reshape(model.shape.heads, 2, model.shape.head // 2, columns)
        array = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))
    renamed = MATRICES.get(part) or NORMS[model.family.norms[part]]
    return f"blk.{number}.{renamed}.weight", array


def write_gguf(
    path: Path, tensors: dict[str, Tensor], model: Network, tokenizer: Tokenizer
) -> None:
    shape, family = model.shape, model.family
    writer = gguf.GGUFWriter(str(path), family.name)
    writer.add_name(path.stem)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(family.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    if family.is_gemma:
        writer.add_attn_logit_softcapping(family.attention_cap)
        writer.add_final_logit_softcapping(family.final_cap)
        writer.add_sliding_window(family.window)
    add_tokenizer(writer, tokenizer, CHATS[family.name])
    for key, value in tensors.items():
        writer.add_tensor(*gguf_tensor(key, value, model))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, chat: Chat) -> None:
    """The same tokens, merges and chat template; the template writes the first token itself."""
    size = tokenizer.get_vocab_size()
    tokens = [str(tokenizer.id_to_token(number)) for number in range(size)]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    ids = special_ids(tokenizer, chat)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in chat.special else normal for token in tokens])
    writer.add_token_merges(merges(tokenizer))
    writer.add_bos_token_id(ids["bos_token_id"])
    writer.add_eos_token_id(ids["eos_token_id"])
    writer.add_eot_token_id(ids["eos_token_id"])
    writer.add_pad_token_id(ids["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(chat.template)
