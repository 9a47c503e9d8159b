"""Selectors that cannot be used: broken GGUF files, other folders and files, rules."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gguf
import numpy as np

from tests.cli.faults import MODEL, USAGE, Content, Fault, leads_to
from tests.vocabularies import FOLDER, cached_model, random_model

RUN = "run good.jsonl --budget 2 --model"


def model(name: str, content: Content, says: str, apart: bool = False) -> Fault:
    """A fault of the model file alone."""
    return Fault(name, "models check m.gguf", MODEL, says, {"m.gguf": content}, apart=apart)


def header(version: int, tensors: int, keys: int, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def changed(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """A whole model with random weights, changed."""
    return lambda path: path.write_bytes(change(cached_model("llama-2").read_bytes()))


def cut(start: int | None) -> Callable[[Path], object]:
    return changed(lambda whole: whole[:start])


def renamed(old: str, new: str) -> Callable[[Path], object]:
    return changed(lambda whole: whole.replace(text(old), text(new)))


def with_template(template: str) -> Callable[[Path], object]:
    return partial(random_model, "llama-2", facts={"tokenizer.chat_template": template})


def embedding_model(path: Path) -> None:
    """A BERT of random weights: it reads texts, and there is nothing that it would write."""
    width, tokens = 32, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(str, range(35))]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_type_count(2)
    tall = {"token_embd": len(tokens), "token_types": 2, "position_embd": 512}
    square = [f"blk.0.attn_{part}" for part in ("q", "k", "v", "output")]
    square += ["blk.0.ffn_up", "blk.0.ffn_down"]
    norms = ["token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"]
    shapes: dict[str, tuple[int, ...]] = {name: (rows, width) for name, rows in tall.items()}
    shapes |= dict.fromkeys(square, (width, width)) | dict.fromkeys(norms, (width,))
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", np.ones(shape, np.float32))
        if name not in tall:
            writer.add_tensor(f"{name}.bias", np.zeros(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def folder(*names: str) -> dict[str, Content]:
    return {f"m/{name}": b"{}" for name in names}


FILES = [
    model("an empty GGUF", b"", "m.gguf is not a GGUF file: it is empty."),
    model(
        "a text as GGUF", b"This is a text.", "m.gguf is not a GGUF file: it starts with b'This'"
    ),
    model("a GGUF that was cut in its magic", b"GG", "is not a GGUF file: it starts with b'GG'."),
    model("a GGUF of four bytes", b"GGUF", "m.gguf is broken: failed to read header."),
    model("a GGUF of version 99", header(99, 1, 1), "broken: this GGUF file is version 99 but"),
    model("a GGUF of version 0", header(0, 1, 1), "m.gguf is broken: bad GGUF version: 0."),
    model("a GGUF of another byte order", b"GGUF\0\0\0\3" + bytes(99), "version 50331648 is extre"),
    model(
        "a GGUF of 2^62 tensors", header(3, 2**62, 0), "number of tensors is 4611686018427387904"
    ),
    model(
        "a GGUF of 2^62 keys", header(3, 0, 2**62), "number of key value pairs is 46116860184273"
    ),
    model(
        "a GGUF with a key of 2^60", header(3, 0, 1, struct.pack("<Q", 2**60)), "string length 1"
    ),
    model("a GGUF without keys", header(3, 0, 0), "unknown model architecture: ''"),
    model("a GGUF cut in its header", cut(3000), "broken: failed to read key-value pairs. Copy it"),
    model("a GGUF cut in its weights", cut(-1000), "tensor 'token_embd.weight' data is not within"),
    model("a GGUF without weights", leads_to(FOLDER / "llama-2.gguf"), "m.gguf holds no weights."),
    model(
        "a GGUF that lacks a tensor",
        renamed("blk.0.attn_q.weight", "blk.0.attn_x.weight"),
        "m.gguf is broken: check_tensor_dims: tensor 'blk.0.attn_q.weight' not found.",
    ),
    model("a GGUF of no architecture", renamed("llama", "lamla"), "architecture: 'lamla'."),
    model(
        "a GGUF without a tokenizer",
        renamed("tokenizer.ggml.model", "tokenizer.ggml.xodel"),
        "key not found in model: tokenizer.ggml.model.",
    ),
    model("a GGUF for embedding", embedding_model, "Models that make vectors of texts", apart=True),
    model(
        "a template that is none", with_template("{% for %}"), "Expected an expression, got 'end"
    ),
    model(
        "a template without a place", with_template("hello"), "does not show the user's message."
    ),
    model(
        "a template that refuses",
        with_template("{{ raise_exception('\x1b[31mno\\nno') }}"),
        "chat template cannot be rendered: ␛[31mno ⏎ no.",
    ),
    model(
        "a template that pries",
        with_template("{{ ''.__class__.__mro__ }}"),
        "of 'str' object is unsafe.",
    ),
    model(
        "a model file that is a folder", Path.mkdir, "m.gguf is no Hugging Face folder: there is"
    ),
    model("a model that is a pipe", os.mkfifo, "m.gguf is not a regular file. Name a GGUF file."),
    model("a model that is a device", leads_to("/dev/zero"), "m.gguf is not a regular file."),
    model("a model that leads nowhere", leads_to("nowhere"), "There is no model m.gguf."),
    model("a model that cannot be read", leads_to("/proc/self/mem"), "m.gguf cannot be read: "),
]

RUNS = [
    Fault("no model", "run good.jsonl --budget 2", USAGE, "Give --model PATH"),
    Fault("an empty model", f"{RUN} ''", USAGE, "Give --model PATH"),
    Fault("a missing model", f"{RUN} no.gguf", MODEL, "There is no model no.gguf."),
    Fault(
        "a model of nobody's", f"{RUN} ~nobody-at-all/m.gguf", MODEL, "There is no model ~nobody"
    ),
    Fault("a model name too long", f"{RUN} {'m' * 300}", MODEL, "There is no model mmm"),
    Fault(
        "a model that cannot be read, in a run",
        f"{RUN} m.gguf",
        MODEL,
        "m.gguf cannot be read: ",
        {"m.gguf": leads_to("/proc/self/mem")},
    ),
    Fault("a pipe, in a run", f"{RUN} m", MODEL, "not a regular file", {"m": os.mkfifo}),
    Fault("a broken model, in a run", f"{RUN} m", MODEL, "m is broken: ", {"m": b"GGUF" * 9}),
    Fault("a folder without a model", f"{RUN} m", MODEL, "m", folder("notes.txt")),
    Fault("half a Hugging Face folder", f"{RUN} m", MODEL, "m", folder("config.json")),
    Fault(
        "a folder for llama.cpp",
        f"{RUN} m --backend llamacpp",
        MODEL,
        "m is a folder; llama.cpp wants one GGUF file.",
        folder("config.json", "tokenizer.json", "model.safetensors"),
    ),
    Fault(
        "more context than the model has",
        f"{RUN} m.gguf --context 9000",
        MODEL,
        "m.gguf reads at most 8192 tokens, not 9000. Give a smaller --context.",
        {"m.gguf": lambda path: path.symlink_to(cached_model("llama-2"))},
    ),
    Fault("a rule without its number", f"{RUN} random:x", MODEL, "'random:x' needs a number after"),
    Fault("a rule below zero", f"{RUN} random:-1", MODEL, "The number of the scripted selector"),
    Fault("no such rule", f"{RUN} third --backend scripted", MODEL, "There are first, random:SEED"),
]

FAULTS: list[Fault] = [*FILES, *RUNS]
