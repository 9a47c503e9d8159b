"""A name → the way to select that goes by it; each row is one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from localsel.registry import Registry
from localsel.settings import fields

if TYPE_CHECKING:
    from localsel.methods.base import Method
    from localsel.settings import Settings

METHODS = Registry(
    "method",
    {
        "selectllm": "localsel.methods.selectllm:SelectLLM",
        "random": "localsel.methods.uniform:Uniform",
        "length-short": "localsel.methods.length:Shortest",
        "length-long": "localsel.methods.length:Longest",
        "coreset": "localsel.methods.coreset:CoreSet",
        "kmeans": "localsel.methods.kmeans:KMeans",
        "rouge": "localsel.methods.rouge:Rouge",
        "perplexity-low": "localsel.methods.perplexity:Lowest",
        "perplexity-mid": "localsel.methods.perplexity:Middle",
        "perplexity-high": "localsel.methods.perplexity:Highest",
        "openended": "localsel.methods.openended:OpenEnded",
        "mods": "localsel.methods.mods:Mods",
        "ifd": "localsel.methods.ifd:Ifd",
        "alpagasus": "localsel.methods.alpagasus:AlpaGasus",
        "deita": "localsel.methods.deita:Deita",
        "cbs": "localsel.methods.cbs:ClusterBased",
    },
)


def method_of(settings: Settings) -> type[Method]:
    """The method of a run, as its settings want it."""
    named: type[Method] = METHODS.load(settings.method)
    return named.of(settings)


def changes(named: type[Method]) -> Iterator[dict[str, Any]]:
    """Settings that may make another thing of a method: its variants, and what is on or off."""
    yield from ({"variant": variant} for variant in named.variants)
    yield from ({name: True} for name in named.options if fields()[name].default is False)
