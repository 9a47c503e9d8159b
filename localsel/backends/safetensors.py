"""Files of safetensors → the names, kinds and shapes of their tensors, every number checked.

The format: eight bytes with the length of the header, the header in JSON, then the tensors one
after another without a gap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from localsel.errors import BackendError

BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6} | {
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
}
"""Of one number of each kind."""

LONGEST = 100_000_000
"""Bytes of a header; the format allows no more."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file; its numbers are not read."""

    kind: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def numbers(self) -> int:
        return prod(self.shape)


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of one file, by name.

    Raises:
        BackendError: the file is cut off, or its header does not describe what is behind it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, LONGEST):
            raise broken(path, f"its header would take {length:,} bytes of {size:,}")
        raw = file.read(length)
    tensors = {name: _tensor(path, name, said) for name, said in _entries(path, raw)}
    place = 0
    for name, tensor in sorted(tensors.items(), key=lambda each: (each[1].start, each[1].end)):
        if tensor.start != place:
            raise broken(path, f"there is a gap or an overlap before the tensor {name[:80]!r}")
        place = tensor.end
    if place != size - 8 - length:
        raise broken(path, f"its tensors take {place:,} bytes, and {size - 8 - length:,} are there")
    return tensors


def _entries(path: Path, raw: bytes) -> Iterable[tuple[str, Any]]:
    try:
        entries = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise broken(path, "its header is not JSON") from error
    if not isinstance(entries, dict):
        raise broken(path, "its header is not a JSON object")
    return [(name, said) for name, said in entries.items() if name != "__metadata__"]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that is there twice, readers take either."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _tensor(path: Path, name: str, said: Any) -> Tensor:
    what = f"its tensor {name[:80]!r}"
    if not isinstance(said, Mapping) or set(said) != {"dtype", "shape", "data_offsets"}:
        raise broken(path, f"{what} has no dtype, shape and data_offsets")
    kind, shape, places = said["dtype"], said["shape"], said["data_offsets"]
    if kind not in BITS if isinstance(kind, str) else True:
        raise broken(path, f"{what} is of an unknown kind, {str(kind)[:40]!r}")
    if not _are_sizes(shape) or not _are_sizes(places) or len(places) != 2 or len(shape) > 8:
        raise broken(path, f"{what} has an odd shape or place")
    tensor = Tensor(kind, tuple(shape), *places)
    if (tensor.end - tensor.start) * 8 != tensor.numbers * BITS[kind]:
        raise broken(path, f"{what} does not take as many bytes as its shape says")
    return tensor


def _are_sizes(said: Any) -> bool:
    return isinstance(said, list) and all(type(each) is int and 0 <= each < 2**62 for each in said)


def broken(path: Path, why: str) -> BackendError:
    return BackendError(f"{path} is broken: {why}.", "Copy it again.")
