"""A shape → a Llama network in plain torch, with the inner readings that training steers by.

Hugging Face's own class is not used for training: the curriculum pulls at single attention heads
and at the stream before the last layer, and both are easier to reach in sixty lines than through
hooks. `weights` gives the tensors back under Hugging Face's names, so the export is a plain copy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network; `heads` of `width / heads` numbers each."""

    vocabulary: int
    width: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 352
    context: int = 8192
    rope_theta: float = 50_000.0
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass shows: the stream before the last layer and at the end, queries and keys.

    `first` and `last` hold the rotated queries and keys of those layers, (batch, head, time, dim).
    """

    judged: Tensor
    final: Tensor
    first: tuple[Tensor, Tensor]
    last: tuple[Tensor, Tensor]


class Block(nn.Module):
    """Attention and feed-forward, each on its own normalised copy of the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.norm_attention = nn.RMSNorm(shape.width, shape.epsilon)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)
        self.norm_inner = nn.RMSNorm(shape.width, shape.epsilon)
        self.gate_up = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, stream: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        rows, time, width = stream.shape
        mixed = self.qkv(self.norm_attention(stream))
        query, key, value = mixed.view(rows, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = rotate(query, turn), rotate(key, turn)
        heard = attend(query, key, value)
        stream = stream + self.output(heard.transpose(1, 2).reshape(rows, time, width))
        gate, up = self.gate_up(self.norm_inner(stream)).chunk(2, dim=-1)
        return stream + self.down(functional.silu(gate) * up), query, key


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention; up to 512 tokens plain products are the faster way on a processor."""
    time, width = query.shape[2:]
    if time > 512:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    later = torch.ones(time, time, dtype=torch.bool).triu(1)
    scores = (query @ key.transpose(2, 3)) * width**-0.5
    share = scores.masked_fill(later, -1e9).softmax(-1, dtype=torch.float32)
    return share.to(value.dtype) @ value


class Llama(nn.Module):
    """The Llama architecture with tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.epsilon)
        start_quietly(self)

    def forward(self, ids: Tensor, positions: Tensor) -> Reading:
        turn = turns(positions, self.shape)
        stream = self.embedding(ids)
        judged, pairs = stream, []
        for block in self.blocks:
            judged = stream
            stream, query, key = block(stream, turn)
            pairs.append((query, key))
        return Reading(judged, self.norm(stream), pairs[0], pairs[-1])

    def logits(self, final: Tensor) -> Tensor:
        return functional.linear(final, self.embedding.weight)


def start_quietly(model: Llama) -> None:
    """Loud embeddings, quiet layers: otherwise layer one drowns tokens that have to be copied."""
    nn.init.normal_(model.embedding.weight, std=0.5)
    nn.init.constant_(model.norm.weight, 0.06)
    for block in model.blocks:
        for name in ("qkv", "gate_up", "output", "down"):
            weight = getattr(block, name).weight
            scale = 0.35 if name in ("output", "down") else 1.0
            nn.init.normal_(weight, std=scale / math.sqrt(weight.shape[1]))


def turns(positions: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position's angles, (batch, 1, time, dim / 2)."""
    half = shape.width // shape.heads // 2
    speed = shape.rope_theta ** -(torch.arange(half, dtype=torch.float32) / half)
    angle = positions.float()[:, None, :, None] * speed
    return angle.cos(), angle.sin()


def rotate(values: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = (part.to(values.dtype) for part in turn)
    left, right = values.chunk(2, dim=-1)
    return torch.cat((left * cosine - right * sine, right * cosine + left * sine), dim=-1)


def weights(model: Llama) -> dict[str, Tensor]:
    """The tensors under the names of `transformers.LlamaForCausalLM`; the head is the embedding."""
    named = {
        "model.embed_tokens.weight": model.embedding.weight,
        "model.norm.weight": model.norm.weight,
    }
    for number, block in enumerate(model.blocks):
        at = f"model.layers.{number}"
        query, key, value = block.qkv.weight.chunk(3)
        gate, up = block.gate_up.weight.chunk(2)
        named |= {
            f"{at}.input_layernorm.weight": block.norm_attention.weight,
            f"{at}.self_attn.q_proj.weight": query,
            f"{at}.self_attn.k_proj.weight": key,
            f"{at}.self_attn.v_proj.weight": value,
            f"{at}.self_attn.o_proj.weight": block.output.weight,
            f"{at}.post_attention_layernorm.weight": block.norm_inner.weight,
            f"{at}.mlp.gate_proj.weight": gate,
            f"{at}.mlp.up_proj.weight": up,
            f"{at}.mlp.down_proj.weight": block.down.weight,
        }
    return {name: tensor.detach().clone() for name, tensor in named.items()}


def load(model: Llama, tensors: dict[str, Tensor]) -> None:
    """The way back from `weights`."""
    with torch.no_grad():
        model.embedding.weight.copy_(tensors["model.embed_tokens.weight"])
        model.norm.weight.copy_(tensors["model.norm.weight"])
        for number, block in enumerate(model.blocks):
            part = {
                name.removeprefix(f"model.layers.{number}."): value
                for name, value in tensors.items()
                if name.startswith(f"model.layers.{number}.")
            }
            sides = [part[f"self_attn.{side}_proj.weight"] for side in "qkv"]
            block.qkv.weight.copy_(torch.cat(sides))
            block.output.weight.copy_(part["self_attn.o_proj.weight"])
            block.norm_attention.weight.copy_(part["input_layernorm.weight"])
            block.norm_inner.weight.copy_(part["post_attention_layernorm.weight"])
            both = [part["mlp.gate_proj.weight"], part["mlp.up_proj.weight"]]
            block.gate_up.weight.copy_(torch.cat(both))
            block.down.weight.copy_(part["mlp.down_proj.weight"])
