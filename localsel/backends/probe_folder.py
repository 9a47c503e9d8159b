"""A Hugging Face folder → what its files say, checked against each other.

Runs in a child of `sandbox_server`. Nothing is loaded that the weights' headers do not bear out: a
configuration of a billion layers would otherwise be built before anybody missed their weights.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localsel.backends.chat import facts_of
from localsel.backends.footprint import Shape
from localsel.backends.safetensors import BITS, Tensor, broken, read_header
from localsel.errors import BackendError

INDEX = "model.safetensors.index.json"
OBJECTS = ("generation_config.json", "special_tokens_map.json", "added_tokens.json")
"""Read by transformers where they are there."""

SIZES = (
    "hidden_size",
    "intermediate_size",
    "vocab_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
)
"""What a configuration says of sizes; none is larger than every tensor that there is."""

LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")
NUMBER = 4
"""Bytes of a number on a CPU, where everything is computed in float32."""


def read(folder: str) -> dict[str, Any]:
    """All facts of a folder whose files belong together; of another, a BackendError."""
    place = Path(folder)
    config = _object(place / "config.json")
    tensors = _tensors(place)
    for name in OBJECTS:
        if (place / name).exists():
            _object(place / name)
    text = config.get("text_config", config)
    if not isinstance(text, Mapping):
        raise broken(place / "config.json", "its text_config is not an object")
    shape = _shape(place, text, tensors, is_part=text is not config)
    rows = max((each.shape[0] for each in tensors.values() if each.shape), default=0)
    tokens = Tokenizer(place, int(text.get("vocab_size") or rows))
    kinds = Counter[str]()
    for tensor in tensors.values():
        kinds[tensor.kind] += tensor.numbers
    quantised = config.get("quantization_config")
    method = quantised.get("quant_method") if isinstance(quantised, Mapping) else None
    template = tokens.template()
    return {
        "name": place.resolve().name,
        "architecture": str(text.get("model_type") or config.get("model_type") or ""),
        "parameters": sum(kinds.values()),
        "context": _size(place, text, "max_position_embeddings"),
        "vocabulary": tokens.count,
        "layers": len(shape.kv_heads),
        "width": _size(place, text, "hidden_size"),
        "quantisation": str(method) if method else kinds.most_common(1)[0][0],
        "tokenizer": tokens.kind,
        "special_tokens": tokens.special(),
        **facts_of(template, tokens.named("bos_token"), tokens.named("eos_token"), True),
        "weights_bytes": sum(
            each.numbers * max(BITS[each.kind] // 8, 1) for each in tensors.values()
        ),
        "shape": shape.as_json(),
    }


def _object(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error)[:120] or "nested too deeply"
        raise BackendError(
            f"{path} cannot be read: {why.rstrip('.')}.", "Copy it again."
        ) from error
    if not isinstance(found, dict):
        raise BackendError(f"{path} does not hold a JSON object.", "Copy it again.")
    return found


def _tensors(folder: Path) -> dict[str, Tensor]:
    """Of all files with weights; an index may name no other than those in the folder."""
    tensors: dict[str, Tensor] = {}
    whole = folder / "model.safetensors"
    if whole.exists() or not (folder / INDEX).exists():
        paths = [whole] if whole.exists() else sorted(folder.glob("*.safetensors"))
        for path in paths:
            tensors |= read_header(path)
    else:
        tensors = dict(_indexed(folder))
    if not tensors:
        raise BackendError(f"{folder} holds no weights.", "Name the folder that has them.")
    return tensors


def _indexed(folder: Path) -> Iterator[tuple[str, Tensor]]:
    path = folder / INDEX
    where = _object(path).get("weight_map")
    if not isinstance(where, Mapping) or not all(isinstance(each, str) for each in where.values()):
        raise broken(path, "it has no weight_map")
    for name in sorted(set(where.values())):
        # A path would lead out of the folder that was named.
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise broken(path, f"it names {name[:80]!r}, which is no file of this folder")
        if not (folder / name).is_file():
            raise BackendError(f"{folder} lacks {name}, which {INDEX} names.", "Copy it again.")
        held = read_header(folder / name)
        if missing := [each for each in where if where[each] == name and each not in held]:
            raise broken(folder / name, f"the tensor {missing[0][:80]!r} is not in it")
        yield from held.items()


def _size(folder: Path, text: Mapping[str, Any], name: str) -> int | None:
    """A number of the configuration that has to be above 0 where it is there."""
    said = text.get(name)
    if said is None:
        return None
    if type(said) is not int or not 0 < said < 2**31:
        raise broken(folder / "config.json", f"its {name} is {str(said)[:40]!r}")
    return said


def _shape(
    folder: Path, text: Mapping[str, Any], tensors: Mapping[str, Tensor], is_part: bool
) -> Shape:
    path = folder / "config.json"
    largest = max((side for each in tensors.values() for side in each.shape), default=0)
    sizes = {name: _size(folder, text, name) for name in SIZES}
    for name, said in sizes.items():
        if said and said > largest:
            raise broken(path, f"its {name} is {said:,}, and no weight is larger than {largest:,}")
    there = len({found[1] for name in tensors if (found := LAYER.search(name))})
    layers = _size(folder, text, "num_hidden_layers") or there
    if there and layers > there:
        raise broken(path, f"it has {layers:,} layers, and there are weights of {there:,}")
    # Further layers are for guessing a token more; a picture's part counts its own.
    spare = _size(folder, text, "num_nextn_predict_layers") or 0
    if layers + spare < there and not is_part:
        raise broken(path, f"it has {layers:,} layers, and there are weights of {there:,}")
    heads = sizes["num_attention_heads"] or 1
    size = sizes["head_dim"] or (sizes["hidden_size"] or 0) // heads
    own = sizes["num_key_value_heads"] or heads
    return Shape(kv_heads=(own,) * layers, key=size, value=size, number=NUMBER)


class Tokenizer:
    """What cuts texts for the model: its files, loaded and tried."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        path = folder / "tokenizer_config.json"
        self.config = _object(path) if path.exists() else {}
        self.kind = str(self.config.get("tokenizer_class") or "") or None
        self._made = self._load(folder / "tokenizer.json")
        self.count = self._made.get_vocab_size(True) if self._made else rows
        if self._made and max(self._made.get_vocab(False).values(), default=0) >= rows:
            raise broken(
                folder / "tokenizer.json", f"it has tokens beyond the {rows:,} of the weights"
            )

    def _load(self, path: Path) -> Any:
        """None where there is only a tokenizer.model, which transformers converts."""
        if not path.exists():
            if any((self.folder / name).is_file() for name in ("tokenizer.model", "vocab.json")):
                return None
            raise BackendError(
                f"{self.folder} has no tokenizer.",
                "The folder needs tokenizer.json or tokenizer.model, and tokenizer_config.json.",
            )
        import tokenizers

        try:
            made = tokenizers.Tokenizer.from_file(str(path))
            made.encode("Say yes or no: 14]", add_special_tokens=False)
        except Exception as error:
            raise broken(path, str(error).strip().rstrip(".")[:160]) from error
        return made

    def named(self, name: str) -> str:
        """The text of `bos_token` or another; empty where there is none."""
        said = self.config.get(name)
        said = said.get("content") if isinstance(said, Mapping) else said
        if said is not None and not isinstance(said, str):
            raise broken(self.folder / "tokenizer_config.json", f"its {name} is no text")
        return said or ""

    def special(self) -> dict[str, dict[str, Any] | None]:
        """The tokens that begin a text and end an answer."""
        found: dict[str, dict[str, Any] | None] = {}
        for short in ("bos", "eos"):
            text = self.named(f"{short}_token")
            number = self._made.token_to_id(text) if self._made and text else None
            found[short] = {"id": number, "text": text} if text else None
        return found

    def template(self) -> str | None:
        """The chat template: a file of its own counts more than the configuration."""
        own = self.folder / "chat_template.jinja"
        if own.is_file():
            try:
                return own.read_text(encoding="utf-8")
            except ValueError as error:
                raise broken(own, "it is not UTF-8") from error
        said = self.config.get("chat_template")
        if isinstance(said, list):
            named = {
                each.get("name"): each.get("template") for each in said if isinstance(each, Mapping)
            }
            said = named.get("default") or next(iter(named.values()), None)
        if said is not None and not isinstance(said, str):
            raise broken(self.folder / "tokenizer_config.json", "its chat_template is no text")
        return said or None
