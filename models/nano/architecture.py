"""A shape and a family → a Llama or Gemma-2 network in plain torch, open to what training steers.

Hugging Face's own classes are not used for training: the lessons pull at single attention heads
and at the stream inside the network, and both are easier to reach here than through hooks. Both
families are one network with few differences; `weights` gives its tensors under Hugging Face's
names, so that the export is a plain copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Family:
    """What the two architectures do differently.

    `norms` of a layer: Hugging Face's name of each → ours. Gemma-2 normalises also what a layer
    adds to the stream, caps its logits softly, and keeps its files in another form: norms less
    one, embeddings divided by the root of the width.
    """

    name: str
    norms: dict[str, str]
    activation: Callable[[Tensor], Tensor]
    epsilon: float
    attention_cap: float = 0.0
    final_cap: float = 0.0
    window: int = 0

    @property
    def is_gemma(self) -> bool:
        return self.name == "gemma2"


LLAMA = Family(
    "llama",
    {"input_layernorm": "norm_attention", "post_attention_layernorm": "norm_inner"},
    functional.silu,
    1e-5,
)
GEMMA2 = Family(
    "gemma2",
    {
        "input_layernorm": "norm_attention",
        "post_attention_layernorm": "norm_heard",
        "pre_feedforward_layernorm": "norm_inner",
        "post_feedforward_layernorm": "norm_thought",
    },
    partial(functional.gelu, approximate="tanh"),
    1e-6,
    attention_cap=50.0,
    final_cap=30.0,
    window=4096,
)
FAMILIES = {family.name: family for family in (LLAMA, GEMMA2)}


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a network."""

    vocabulary: int
    width: int = 128
    layers: int = 4
    head: int = 32
    inner: int = 352
    context: int = 8192
    rope_theta: float = 50_000.0

    @property
    def heads(self) -> int:
        return self.width // self.head


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass shows: the stream at three depths, queries and keys at two.

    `checked` is the stream below the last two layers, `judged` below the last one. `first` and
    `last` hold the rotated queries and keys of those layers, (batch, head, time, dim).
    """

    checked: Tensor
    judged: Tensor
    final: Tensor
    first: tuple[Tensor, Tensor]
    last: tuple[Tensor, Tensor]


class Block(nn.Module):
    """Attention and feed-forward, each on its own normalised copy of the stream."""

    def __init__(self, shape: Shape, family: Family) -> None:
        super().__init__()
        self.heads, self.cap, self.activation = (
            shape.heads,
            family.attention_cap,
            family.activation,
        )
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)
        self.gate_up = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)
        self.norm_heard: nn.Module = nn.Identity()
        self.norm_thought: nn.Module = nn.Identity()
        for name in family.norms.values():
            setattr(self, name, nn.RMSNorm(shape.width, family.epsilon))

    def forward(self, stream: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        rows, time, width = stream.shape
        mixed = self.qkv(self.norm_attention(stream))
        query, key, value = mixed.view(rows, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = rotate(query, turn), rotate(key, turn)
        heard = attend(query, key, value, self.cap).transpose(1, 2).reshape(rows, time, width)
        stream = stream + self.norm_heard(self.output(heard).float())
        gate, up = self.gate_up(self.norm_inner(stream)).chunk(2, dim=-1)
        thought = self.down(self.activation(gate) * up).float()
        return stream + self.norm_thought(thought), query, key


def attend(query: Tensor, key: Tensor, value: Tensor, cap: float, step: int = 256) -> Tensor:
    """Causal attention, `step` queries at a time over the keys up to them.

    Gemma-2's window is wider than any training prompt, so it never cuts anything off here.
    """
    time, width = query.shape[2:]
    query = query * (width**-0.5 / (cap or 1.0))
    heard = []
    for start in range(0, time, step):
        stop = min(start + step, time)
        scores = query[:, :, start:stop] @ key[:, :, :stop].transpose(2, 3)
        later = torch.full((stop - start, stop), -1e9).triu(start + 1)
        scores = torch.add(later, scores.tanh(), alpha=cap) if cap else later + scores
        heard.append(scores.softmax(-1).to(value.dtype) @ value[:, :, :stop])
    return torch.cat(heard, dim=2)


def soft_cap(scores: Tensor, cap: float) -> Tensor:
    return cap * torch.tanh(scores / cap) if cap else scores


class Network(nn.Module):
    """Embedding, layers, final norm; the head is the embedding."""

    def __init__(self, shape: Shape, family: Family) -> None:
        super().__init__()
        self.shape = shape
        self.family = family
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape, family) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, family.epsilon)
        self.filed = shape.width**-0.5 if family.is_gemma else 1.0  # embeddings in a file: × this
        start_quietly(self)

    def forward(self, ids: Tensor, positions: Tensor) -> Reading:
        turn = turns(positions, self.shape)
        streams, pairs = [self.embedding(ids)], []
        for block in self.blocks:
            stream, query, key = block(streams[-1], turn)
            streams.append(stream)
            pairs.append((query, key))
        return Reading(streams[-3], streams[-2], self.norm(streams[-1]), pairs[0], pairs[-1])

    def logits(self, final: Tensor) -> Tensor:
        plain = functional.linear(final * self.filed, self.embedding.weight)
        return soft_cap(plain, self.family.final_cap)


def start_quietly(model: Network) -> None:
    """Loud embeddings, quiet layers: otherwise layer one drowns tokens that have to be copied."""
    nn.init.normal_(model.embedding.weight, std=0.5)
    nn.init.constant_(model.norm.weight, 0.06 / model.filed)
    for block in model.blocks:
        for name in ("qkv", "gate_up", "output", "down"):
            weight = getattr(block, name).weight
            scale = 0.35 if name in ("output", "down") else 1.0
            nn.init.normal_(weight, std=scale / math.sqrt(weight.shape[1]))
        for norm in (block.norm_heard, block.norm_thought):
            for weight in norm.parameters():
                nn.init.constant_(weight, 0.2)


def turns(positions: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position's angles, (batch, 1, time, dim / 2)."""
    half = shape.head // 2
    speed = shape.rope_theta ** -(torch.arange(half, dtype=torch.float32) / half)
    angle = positions.float()[:, None, :, None] * speed
    return angle.cos(), angle.sin()


def rotate(values: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = (part.to(values.dtype) for part in turn)
    left, right = values.chunk(2, dim=-1)
    return torch.cat((left * cosine - right * sine, right * cosine + left * sine), dim=-1)


def weights(model: Network) -> dict[str, Tensor]:
    """The tensors under Hugging Face's names, as its files keep them."""
    less = 1.0 if model.family.is_gemma else 0.0
    named = {
        "model.embed_tokens.weight": model.embedding.weight * model.filed,
        "model.norm.weight": model.norm.weight - less,
    }
    for number, block in enumerate(model.blocks):
        at = f"model.layers.{number}"
        query, key, value = block.qkv.weight.chunk(3)
        gate, up = block.gate_up.weight.chunk(2)
        named |= {
            f"{at}.self_attn.q_proj.weight": query,
            f"{at}.self_attn.k_proj.weight": key,
            f"{at}.self_attn.v_proj.weight": value,
            f"{at}.self_attn.o_proj.weight": block.output.weight,
            f"{at}.mlp.gate_proj.weight": gate,
            f"{at}.mlp.up_proj.weight": up,
            f"{at}.mlp.down_proj.weight": block.down.weight,
        }
        for name, ours in model.family.norms.items():
            named[f"{at}.{name}.weight"] = getattr(block, ours).weight - less
    return {name: tensor.detach().clone() for name, tensor in named.items()}


def load(model: Network, tensors: dict[str, Tensor]) -> None:
    """The way back from `weights`."""
    plus = 1.0 if model.family.is_gemma else 0.0
    with torch.no_grad():
        model.embedding.weight.copy_(tensors["model.embed_tokens.weight"].float() / model.filed)
        model.norm.weight.copy_(tensors["model.norm.weight"].float() + plus)
        for number, block in enumerate(model.blocks):
            part = {
                name.removeprefix(f"model.layers.{number}."): value
                for name, value in tensors.items()
                if name.startswith(f"model.layers.{number}.")
            }
            sides = [part[f"self_attn.{side}_proj.weight"] for side in "qkv"]
            block.qkv.weight.copy_(torch.cat(sides))
            block.output.weight.copy_(part["self_attn.o_proj.weight"])
            both = [part["mlp.gate_proj.weight"], part["mlp.up_proj.weight"]]
            block.gate_up.weight.copy_(torch.cat(both))
            block.down.weight.copy_(part["mlp.down_proj.weight"])
            for name, ours in model.family.norms.items():
                getattr(block, ours).weight.copy_(part[f"{name}.weight"].float() + plus)
