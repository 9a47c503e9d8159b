"""The shape of a model, from its header → the bytes that its cache takes at some context.

For every token read, each layer keeps a key and a value of each of its key-value heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

LLAMA_CPP_CACHE = 2
"""Bytes of one number in llama.cpp's cache: F16, whatever the weights are."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the size of the cache.

    Attributes:
        kv_heads: of every layer.
        key, value: numbers in one head's key and value.
        number: bytes of one number.
    """

    kv_heads: tuple[int, ...]
    key: int
    value: int
    number: int

    def cache(self, context: int) -> int:
        """Bytes of the cache when `context` tokens are in it."""
        return sum(self.kv_heads) * (self.key + self.value) * self.number * context

    def words(self, context: int) -> str:
        """The same as a product that a person can check."""
        heads = set(self.kv_heads)
        own = (
            f"{len(self.kv_heads)} layers × {heads.pop()} key-value heads"
            if len(heads) == 1
            else f"{sum(self.kv_heads)} key-value heads in {len(self.kv_heads)} layers"
        )
        each = f"({self.key} + {self.value}) numbers × {self.number} bytes"
        return f"{own} × {each} × {context:,} tokens"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        return cls(**{**kept, "kv_heads": tuple(kept["kv_heads"])})
