"""A check's question and its sum of memory → what a card says, or why there is none."""

from __future__ import annotations

import pytest

from localsel.backends.base import Opening
from localsel.backends.footprint import Shape
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import BackendError
from localsel.pipeline.checking import memory, sample


def scripted(rule: str, context: int = 8192) -> ScriptedBackend:
    return ScriptedBackend.open(Opening(rule, context=context))


def test_who_does_not_answer_cannot_be_used() -> None:
    with pytest.raises(BackendError, match=r"did not answer a question .* abstains") as caught:
        sample(scripted("abstain:1"))
    assert caught.value.exit_code == 3
    assert sample(scripted("first"))["picked"] == "1"
    # Nothing was asked: that is a remark on the card.
    assert "no room for a question" in sample(scripted("abstain:1", context=256))["error"]


def test_llama_cpp_keeps_weights_as_they_are_even_without_a_cache() -> None:
    """As of a model that keeps one state however long the text is."""
    stored = {"weights": 500, "cache": 0, "working": 10, "parameters": 1000}
    found = memory("llamacpp", stored, Shape((4,) * 4, 32, 32, 2), scripted("first"))
    assert (found["weights"], found["kv_cache"], found["total"]) == (500, 0, 510)
    assert "as in the file" in found["how"] and "float32" not in found["how"]
