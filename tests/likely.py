"""A nano model → the same weights in float32 for llama.cpp, in variants of its vocabulary, and the
plain loop over them that backends are compared with.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from localsel.backends.base import Backend, Likelihood, Passage

MODELS = Path(__file__).parents[1] / "models"
NANO = ("nano-llama", "nano-gemma2")


def told(
    backend: Backend, passages: Sequence[Passage], limit: int | None = None
) -> list[Likelihood]:
    """What a backend says of passages of which none may fail."""
    found = list(backend.logprobs(iter(passages), limit))
    assert all(isinstance(each, Likelihood) for each in found), found
    return [each for each in found if isinstance(each, Likelihood)]


def write_float32(name: str, path: Path, facts: Mapping[str, object] | None = None) -> Path:
    """The bundled GGUF with float32 weights; `facts` replace what its header says."""
    kept = gguf.GGUFReader(str(MODELS / name / f"{name}.gguf"))
    facts = {"general.file_type": gguf.LlamaFileType.ALL_F32, **(facts or {})}
    writer = gguf.GGUFWriter(str(path), kept.fields["general.architecture"].contents())
    for key, field in kept.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            value = facts.get(key, field.contents())
            writer.add_key_value(key, value, field.types[0], field.types[-1])
    for tensor in kept.tensors:
        writer.add_tensor(tensor.name, np.asarray(tensor.data, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_folder(name: str, folder: Path, begun: bool = False, end: int | None = None) -> Path:
    """The folder again, with a vocabulary that begins every text, or with another last token."""
    shutil.copytree(MODELS / name, folder, ignore=shutil.ignore_patterns("*.gguf"))
    if begun:
        with changed(folder / "tokenizer.json") as tokenizer:
            bos = json.loads((folder / "tokenizer_config.json").read_text())["bos_token"]
            number = next(t["id"] for t in tokenizer["added_tokens"] if t["content"] == bos)
            first = {"SpecialToken": {"id": bos, "type_id": 0}}
            text = {"Sequence": {"id": "A", "type_id": 0}}
            tokenizer["post_processor"] = {
                "type": "TemplateProcessing",
                "single": [first, text],
                "pair": [first, text, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {bos: {"id": bos, "ids": [number], "tokens": [bos]}},
            }
    if end is not None:
        with changed(folder / "generation_config.json") as config:
            config["eos_token_id"] = end
    return folder


@contextmanager
def changed(path: Path) -> Iterator[Any]:
    """A JSON file, written back with what is done to it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    yield content
    path.write_text(json.dumps(content), encoding="utf-8")


class Plain:
    """What the definition says, a text at a time: the whole of its logits, in float32."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.folder = folder
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        self.model = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=torch.float32, attn_implementation="eager"
        ).eval()

    def tokens(self, text: str, begun: bool = False) -> list[int]:
        tokens: list[int] = self.tokenizer(
            text, add_special_tokens=begun, split_special_tokens=True
        )["input_ids"]
        return tokens

    def text(self, tokens: Sequence[int]) -> str:
        """Without letters of which a part is missing."""
        decoded: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return decoded.replace("\ufffd", "")

    def logprob(self, before: Sequence[int], answer: Sequence[int]) -> float:
        told = self.logits([*before, *answer]).log_softmax(-1)[len(before) - 1 : -1]
        return float(told.gather(1, torch.tensor([answer]).T).double().sum())

    def greedy(self, tokens: Sequence[int], count: int) -> list[int]:
        """The best token again and again, until it is the one that ends a turn."""
        said: list[int] = []
        while len(said) < count:
            best = int(self.logits([*tokens, *said])[-1].argmax())
            if best == self.tokenizer.eos_token_id:
                break
            said.append(best)
        return said

    def logits(self, tokens: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = self.model(torch.tensor([tokens])).logits[0]
        return logits
