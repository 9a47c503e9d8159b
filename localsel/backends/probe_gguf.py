"""The path of a GGUF → what its header says; llama.cpp rehearses loading it, without the weights.

Runs in a child of `sandbox_server`, where llama.cpp may abort.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from localsel.backends.chat import facts_of
from localsel.backends.footprint import LLAMA_CPP_CACHE, Shape
from localsel.errors import BackendError

LONGEST = 160
"""Letters of llama.cpp's own words in a sentence."""

DEFAULT_CONTEXT = 8192

COMPLAINT = re.compile(
    r"^(?:gguf_init\w*|read|\w+: error loading model)(?:: error loading model vocabulary)?: (.+)",
    re.MULTILINE,
)
"""What llama.cpp logs where it refuses a file; its first complaint says most."""

SIZE = re.compile(r"^llama_kv_cache\w*: size = +([0-9.]+) MiB", re.MULTILINE)
WORKING = re.compile(r"compute buffer size = +([0-9.]+) MiB")


def read(path: str, context: int | None) -> dict[str, Any]:
    """All facts of a header that can be loaded; of one that cannot, a BackendError."""
    import llama_cpp

    log = Log()
    llama_cpp.llama_log_set(log.callback, None)
    llama_cpp.llama_backend_init()
    model = _load(path, log)
    said = Header(model)
    vocabulary = llama_cpp.llama_model_get_vocab(model)
    special = {
        name: _token(vocabulary, number)
        for name, number in {
            "bos": llama_cpp.llama_vocab_bos(vocabulary),
            "eos": llama_cpp.llama_vocab_eos(vocabulary),
            "eot": llama_cpp.llama_vocab_eot(vocabulary),
        }.items()
    }
    trained = said.number("context_length")
    used = min(context or DEFAULT_CONTEXT, trained or DEFAULT_CONTEXT)
    cache, working = _rehearse(model, used, path, log)
    template = said.text("tokenizer.chat_template")
    file_type = said.text("general.file_type")
    return {
        "name": said.text("general.name"),
        "architecture": said.architecture,
        "parameters": int(llama_cpp.llama_model_n_params(model)),
        "context": trained or None,
        "vocabulary": int(llama_cpp.llama_vocab_n_tokens(vocabulary)),
        "layers": said.number("block_count"),
        "width": said.number("embedding_length"),
        "quantisation": _quantisation(int(file_type)) if file_type else None,
        "tokenizer": said.text("tokenizer.ggml.pre") or said.text("tokenizer.ggml.model"),
        "special_tokens": special,
        **facts_of(
            template,
            _written(special["bos"]),
            _written(special["eos"]),
            bool(llama_cpp.llama_vocab_get_add_bos(vocabulary)),
        ),
        "weights_bytes": int(llama_cpp.llama_model_size(model)),
        "cache_bytes": cache,
        "working_bytes": working,
        "shape": said.shape().as_json(),
    }


class Log:
    """What llama.cpp says; the only place where it tells why it refuses a file."""

    def __init__(self) -> None:
        import llama_cpp

        self.lines: list[str] = []
        self.callback = llama_cpp.llama_log_callback(self._hear)

    def _hear(self, level: int, text: bytes, data: object) -> None:
        self.lines.append(text.decode("utf-8", "replace"))

    def reason(self) -> str:
        """Its first complaint, or nothing."""
        found = COMPLAINT.search("".join(self.lines))
        reason = found[1].strip(" .?") if found else ""
        return reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"

    def mebibytes(self, pattern: re.Pattern[str]) -> int:
        """The bytes of all sizes that it told of."""
        return int(sum(float(each) for each in pattern.findall("".join(self.lines))) * 2**20)


def _is_vocabulary(path: str, wanted: Any) -> bool:
    """Whether a sound header goes without any tensor."""
    import llama_cpp

    with Path(path).open("rb") as file:
        if file.read(16)[8:] != bytes(8):
            return False
    wanted.vocab_only = True
    name = path.encode("utf-8", "surrogateescape")
    return bool(llama_cpp.llama_model_load_from_file(name, wanted))


def _load(path: str, log: Log) -> Any:
    """Everything of loading but the weights: their names, kinds and shapes are checked."""
    import llama_cpp

    wanted = llama_cpp.llama_model_default_params()
    wanted.no_alloc = True
    wanted.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
    wanted.use_extra_bufts = False
    wanted.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(path.encode("utf-8", "surrogateescape"), wanted)
    if not model:
        if _is_vocabulary(path, wanted):
            raise BackendError(f"{path} holds no weights.", "Name the file that has them.")
        why = log.reason() or "llama.cpp does not say why"
        raise BackendError(f"{path} is broken: {why}.", "Copy it again, or try another model.")
    return model


def _rehearse(model: Any, context: int, path: str, log: Log) -> tuple[int, int]:
    """Bytes of the cache and of what is computed with, as llama.cpp lays them out."""
    import llama_cpp

    wanted = llama_cpp.llama_context_default_params()
    wanted.n_ctx, wanted.n_batch, wanted.n_ubatch = context, 512, 128
    wanted.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
    wanted.swa_full = True
    log.lines.clear()
    if not llama_cpp.llama_init_from_model(model, wanted):
        why = log.reason() or "llama.cpp makes no context for it"
        raise BackendError(f"{path} cannot be used: {why}.", "Try another model.")
    return log.mebibytes(SIZE), log.mebibytes(WORKING)


class Header:
    """The keys of a GGUF and their values, as text; of long lists llama.cpp gives none."""

    def __init__(self, model: Any) -> None:
        import llama_cpp

        self._values: Mapping[str, str] = {
            _read(llama_cpp.llama_model_meta_key_by_index, model, place): _read(
                llama_cpp.llama_model_meta_val_str_by_index, model, place
            )
            for place in range(llama_cpp.llama_model_meta_count(model))
        }

    def text(self, key: str) -> str | None:
        return self._values.get(key)

    @property
    def architecture(self) -> str:
        return self._values.get("general.architecture", "")

    def numbers(self, key: str) -> list[int]:
        """One for all layers, or one for each."""
        return [
            int(each)
            for each in re.findall(r"\d+", self._values.get(f"{self.architecture}.{key}", ""))
        ]

    def number(self, key: str) -> int:
        return next(iter(self.numbers(key)), 0)

    def shape(self) -> Shape:
        """What the cache holds of every token."""
        layers, heads = self.number("block_count"), self.number("attention.head_count")
        own = self.numbers("attention.head_count_kv") or [heads]
        size = self.number("embedding_length") // heads if heads else 0
        return Shape(
            kv_heads=tuple(own if len(own) == layers else own[:1] * layers),
            key=self.number("attention.key_length") or size,
            value=self.number("attention.value_length") or size,
            number=LLAMA_CPP_CACHE,
        )


def _read(call: Callable[..., int], model: Any, place: int) -> str:
    size = 1024
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = call(model, place, buffer, size)
        if length < size:
            try:
                return buffer.value.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError("its header is not UTF-8") from error
        size = length + 1


def _token(vocabulary: Any, number: int) -> dict[str, Any] | None:
    import llama_cpp

    if number < 0:
        return None
    text = llama_cpp.llama_vocab_get_text(vocabulary, number).decode("utf-8", "replace")
    return {"id": int(number), "text": text}


def _written(token: Mapping[str, Any] | None) -> str:
    return str(token["text"]) if token else ""


def _quantisation(file_type: int) -> str:
    """`Q4_K_M` and the like, as llama.cpp's own constants name them."""
    import llama_cpp

    for name in dir(llama_cpp):
        if name.startswith("LLAMA_FTYPE_") and getattr(llama_cpp, name) == file_type:
            return name.removeprefix("LLAMA_FTYPE_").removeprefix("ALL_").removeprefix("MOSTLY_")
    return f"type {file_type}"
