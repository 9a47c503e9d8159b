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
FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spm.model")
"""Of a tokenizer, the first that is there."""
TRIED = "Say yes or no: 14]"
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
    text = config.get("text_config") or config
    if not isinstance(text, Mapping):
        raise broken(place / "config.json", "its text_config is not an object")
    layers, sizes = _checked(place, text, tensors, is_part=text is not config)
    shape = _shape(layers, sizes)
    rows = max((each.shape[0] for each in tensors.values() if each.shape), default=0)
    tokens = Tokenizer(place, _size(place, text, "vocab_size") or rows)
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
        "layers": layers or None,
        "width": sizes["hidden_size"],
        "quantisation": str(method) if method else kinds.most_common(1)[0][0],
        "tokenizer": tokens.kind,
        "special_tokens": tokens.special(),
        **facts_of(template, tokens.named("bos_token"), tokens.named("eos_token"), True),
        "weights_bytes": sum(each.numbers * BITS[each.kind] // 8 for each in tensors.values()),
        "shape": shape.as_json() if shape else None,
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


def _size(folder: Path, text: Mapping[str, Any], name: str, least: int = 1) -> int | None:
    """A number of the configuration that has to be `least` where it is there."""
    said = text.get(name)
    return None if said is None else _number(folder, name, said, least)


def _number(folder: Path, name: str, said: Any, least: int = 1) -> int:
    if type(said) is not int or not least <= said < 2**31:
        raise broken(folder / "config.json", f"its {name} is {str(said)[:40]!r}")
    return said


def _size_of_each(folder: Path, text: Mapping[str, Any], name: str) -> int | list[int] | None:
    """The same where a list may have one number for each layer."""
    said = text.get(name)
    if isinstance(said, list):
        return [_number(folder, name, each) for each in said]
    return _size(folder, text, name)


Sizes = Mapping[str, int | list[int] | None]


def _checked(
    folder: Path, text: Mapping[str, Any], tensors: Mapping[str, Tensor], is_part: bool
) -> tuple[int, Sizes]:
    """How many layers there are, and what the configuration says of sizes."""
    path = folder / "config.json"
    largest = max((side for each in tensors.values() for side in each.shape), default=0)
    sizes = {name: _size_of_each(folder, text, name) for name in SIZES}
    for name, said in sizes.items():
        most = max(said, default=0) if isinstance(said, list) else said or 0
        if most > largest:
            raise broken(path, f"its {name} is {most:,}, and no weight is larger than {largest:,}")
    there = len({found[1] for name in tensors if (found := LAYER.search(name))})
    layers = _size(folder, text, "num_hidden_layers") or there
    if there and layers > there:
        raise broken(path, f"it has {layers:,} layers, and there are weights of {there:,}")
    # Further layers are for guessing a token more; a picture's part counts its own.
    spare = _size(folder, text, "num_nextn_predict_layers", least=0) or 0
    if layers + spare < there and not is_part:
        raise broken(path, f"it has {layers:,} layers, and there are weights of {there:,}")
    return layers, sizes


def _shape(layers: int, sizes: Sizes) -> Shape | None:
    """What decides the size of the cache; None where the configuration does not tell all of it."""
    heads, width, size = (
        sizes[name] for name in ("num_attention_heads", "hidden_size", "head_dim")
    )
    if size is None and isinstance(heads, int) and isinstance(width, int):
        size = width // heads
    own = sizes["num_key_value_heads"] or heads
    of_each = own if isinstance(own, list) else [own] * layers if own else []
    if not layers or not isinstance(size, int) or len(of_each) != layers:
        return None
    return Shape(kv_heads=tuple(of_each), key=size, value=size, number=NUMBER)


class Tokenizer:
    """What cuts texts for the model: its files, loaded and tried."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        path = folder / "tokenizer_config.json"
        self.config = _object(path) if path.exists() else {}
        self.kind = str(self.config.get("tokenizer_class") or "") or None
        found = [folder / name for name in FILES if (folder / name).is_file()]
        if not found:
            raise BackendError(
                f"{folder} has no tokenizer.",
                "The folder needs tokenizer.json or tokenizer.model, and tokenizer_config.json.",
            )
        own, self._all = self._load(found[0])
        self.count = len(self._all)
        if max(own.values(), default=0) >= rows:
            raise broken(found[0], f"it has tokens beyond the {rows:,} of the weights")

    def _load(self, path: Path) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The ids of its own tokens, and of all with those that were added."""
        try:
            if path.name == FILES[0]:
                import tokenizers

                made = tokenizers.Tokenizer.from_file(str(path))
                made.encode(TRIED, add_special_tokens=False)
                return made.get_vocab(False), made.get_vocab(True)
            # Of other files only transformers knows how to make one; it takes seconds to import.
            from localsel.backends.hf_tokens import load_tokenizer

            loaded = load_tokenizer(self.folder)
            loaded(TRIED, add_special_tokens=False)
            known, added = loaded.get_vocab(), loaded.get_added_vocab()
        except BackendError:
            raise
        except Exception as error:
            raise broken(path, str(error).strip().rstrip(".")[:160]) from error
        return {token: number for token, number in known.items() if token not in added}, known

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
            number = self._all.get(text)
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
