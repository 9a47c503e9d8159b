"""A folder that was trained before → tokenizer and network to go on with, in either family.

A Llama can become a Gemma-2 that already does most of what it did: the matrices stay; gelu(x / c)
times c is nearly silu(x); and what Gemma-2 normalises before it adds it to the stream gets the
mean size it had in the Llama. What is lost by that, a little training brings back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from nano.architecture import FAMILIES, Family, Network, load
from nano.export import read_shape
from nano.vocabulary import CHATS, Chat
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

SILU_TO_GELU = 1.702


def read_network(folder: Path) -> tuple[Tokenizer, Network]:
    """As they were exported."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    kept = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = Network(read_shape(folder / "config.json"), FAMILIES[kept["model_type"]])
    load(model, load_file(folder / "model.safetensors"))
    return tokenizer, model


def change_chat(tokenizer: Tokenizer, old: Chat, new: Chat) -> tuple[Tokenizer, list[int]]:
    """The same merges under other special tokens, and for every new id the old one."""
    content = json.loads(tokenizer.to_str())
    ids: dict[str, int] = content["model"]["vocab"]
    text = sorted(ids.keys() - set(old.special), key=ids.__getitem__)
    tokens = [*new.special, *text]
    role = {new.begin: old.begin, new.turn_end: old.turn_end}
    rows = [ids.get(role.get(token, token), ids[old.padding]) for token in tokens]
    content["model"]["vocab"] = {token: number for number, token in enumerate(tokens)}
    form = content["added_tokens"][0]
    content["added_tokens"] = [
        {**form, "id": number, "content": token} for number, token in enumerate(new.special)
    ]
    return Tokenizer.from_str(json.dumps(content)), rows


@torch.no_grad()
def become_gemma(llama: Network, rows: list[int], ids: Tensor, positions: Tensor) -> Network:
    """`rows`: the Llama's token for each of the new network's; `ids`: a batch to measure sizes."""
    heard, thought = sizes(llama, ids, positions)
    model = Network(replace(llama.shape, vocabulary=len(rows)), FAMILIES["gemma2"])
    model.embedding.weight.copy_(llama.embedding.weight[rows])
    model.norm.weight.copy_(llama.norm.weight / model.filed)
    for number, (old, new) in enumerate(zip(llama.blocks, model.blocks, strict=True)):
        for name in ("qkv", "output", "down", "norm_attention", "norm_inner"):
            getattr(new, name).weight.copy_(getattr(old, name).weight)
        gate, up = old.gate_up.weight.chunk(2)
        new.gate_up.weight.copy_(torch.cat((gate / SILU_TO_GELU, up * SILU_TO_GELU)))
        new.norm_heard.weight.fill_(heard[number])
        new.norm_thought.weight.fill_(thought[number])
    return model


def sizes(model: Network, ids: Tensor, positions: Tensor) -> tuple[list[float], list[float]]:
    """How large, on average, is what attention and feed-forward of each layer add."""

    def note(into: list[float]) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, added: into.append(float(added.pow(2).mean(-1).sqrt().mean()))

    heard: list[float] = []
    thought: list[float] = []
    hooks = [block.output.register_forward_hook(note(heard)) for block in model.blocks]
    hooks += [block.down.register_forward_hook(note(thought)) for block in model.blocks]
    model(ids, positions)
    for hook in hooks:
        hook.remove()
    return heard, thought


def go_on(
    folder: Path, family: Family, batch: Callable[[Tokenizer, Chat], tuple[Tensor, Tensor]]
) -> tuple[Tokenizer, Network]:
    """The network in `folder`, in `family`; `batch` shows what it reads, to measure it by."""
    tokenizer, model = read_network(folder)
    if model.family is family:
        return tokenizer, model
    old, new = CHATS[model.family.name], CHATS[family.name]
    shown = batch(tokenizer, old)
    tokenizer, rows = change_chat(tokenizer, old, new)
    return tokenizer, become_gemma(model, rows, *shown)
