"""A model → its card: what its files say, whether it obeys, and what it answers to one question.

The model is loaded by a worker, as a run would load it: what breaks it there breaks nothing else.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from localsel import offline
from localsel.backends.base import Ask, Backend
from localsel.backends.footprint import Shape
from localsel.backends.probe import probe, probe_folder
from localsel.errors import AnswerError, BackendError, LocalselError
from localsel.events import Event
from localsel.pipeline.early import open_selector
from localsel.pipeline.identity import backend_of, file_sha256, folder_sha256
from localsel.pipeline.worker import work
from localsel.selectors import find_selector, is_served
from localsel.settings import Settings
from localsel.sharing import ALONE
from localsel.stages.prompt import find_template, render

CANDIDATES = (
    "Write something.",
    "Compare how a bicycle and a ship stay upright, and say in two sentences where the likeness"
    " ends.",
    "asdf jkl asdf",
    "What is the colour of grass?",
)
"""Made up for the question that every check asks; a judge would take the second."""


def card_of(settings: Settings) -> dict[str, Any]:
    """What there is to know of the model of these settings.

    Raises:
        LocalselError: it cannot be used; exit code 3 unless the settings are to blame.
    """
    model = find_selector(str(settings.model), settings.home)
    kind = backend_of(model, settings.backend)
    if kind == "scripted":
        raise BackendError(f"{model} is a rule without weights: there is nothing to check.")
    if not is_served(model, kind):
        # Before a worker takes seconds to start.
        header_of(Path(model), kind, settings.context)
    try:
        with closing(work("check", settings, ALONE)) as events:
            *_, last = events
    except LocalselError as error:
        name = str(settings.model)
        if name not in error.message:
            error.message = f"{name} cannot be used: {error.message[:1].lower()}{error.message[1:]}"
        raise
    card: dict[str, Any] = dict(last.details["card"])  # type: ignore[call-overload]
    return card


def check(settings: Settings) -> Generator[Event, None, None]:
    """In the worker: yields one event, `done`, with the `card` in its details.

    Raises:
        BackendError: the model cannot be used.
    """
    offline.set_variables()
    with offline.guard(settings.hosts):
        model = find_selector(str(settings.model), settings.home)
        kind = backend_of(model, settings.backend)
        header = {} if is_served(model, kind) else facts_of(Path(model), kind, settings.context)
        shape = header.pop("shape", None)
        stored = header.pop("stored", {})
        with closing(open_selector(settings, model, kind)) as backend:
            needs = memory(kind, stored, Shape.from_json(shape), backend) if shape else None
            card: dict[str, Any] = {
                **header,
                "backend": kind,
                "context_used": backend.context,
                **({"memory": needs} if needs else {}),
                **backend.facts,
                "canary": "held: a forbidden answer did not come through",
                "sample": sample(backend),
            }
    yield Event("done", "choose", done=1, total=1, details={"card": card})


def header_of(path: Path, kind: str, context: int | None) -> dict[str, Any]:
    """What the files of a model say, or why it is refused."""
    return dict(probe(path, context) if kind == "llamacpp" else probe_folder(path))


def facts_of(path: Path, kind: str, context: int | None) -> dict[str, Any]:
    """The same with digest and size; the bytes that it takes once loaded are in `stored`."""
    facts = header_of(path, kind, context)
    bytes_of = {name: facts.pop(f"{name}_bytes", 0) for name in ("weights", "cache", "working")}
    weights = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    return facts | {
        "mebibytes": round(sum(each.stat().st_size for each in weights) / 2**20, 1),
        "sha256": file_sha256(path) if path.is_file() else folder_sha256(path),
        "stored": bytes_of | {"parameters": facts["parameters"]},
    }


def memory(kind: str, stored: Mapping[str, int], shape: Shape, backend: Backend) -> dict[str, Any]:
    """Bytes of weights and of a full cache at the context that is used, and how they come about.

    llama.cpp keeps weights as they are in the file, and says itself what its cache and the
    numbers in between take. On a CPU all others compute in float32.
    """
    context = backend.context
    if kind == "llamacpp":
        weights, cache = stored["weights"], stored["cache"]
        how = "weights as in the file"
    elif on_gpu():
        shape = replace(shape, number=HALF)
        weights, cache = stored["weights"], shape.cache(context)
        how = "weights as in the file, on the GPU"
    else:
        weights, cache = stored["parameters"] * shape.number, shape.cache(context)
        how = f"weights: parameters × {shape.number} bytes (float32)"
    # llama.cpp tells its size in hundredths of a MiB, for each kind of layer.
    is_product = abs(shape.cache(context) - cache) < 2**15
    cache = shape.cache(context) if is_product else cache
    how += f"; KV cache: {shape.words(context) if is_product else 'as llama.cpp lays it out'}"
    found = {"weights": weights, "kv_cache": cache} | (
        {"working": stored["working"]} if stored["working"] else {}
    )
    return {**found, "total": sum(found.values()), "how": how}


HALF = 2
"""Bytes of a number on a GPU, where models keep the sixteen bits that they were trained in."""


def on_gpu() -> bool:
    """Whether torch computes on one."""
    import torch

    return torch.cuda.is_available()


def sample(backend: Backend) -> dict[str, Any]:
    """The answer to one made-up question, and the probability of every label at the first pick.

    Raises:
        BackendError: the model has no answer to it.
    """
    prompt = render(find_template("published"), CANDIDATES, 1)
    if backend.count_prompt(prompt) + ROOM > backend.context:
        return {"error": "its context has no room for a question of four short candidates"}
    choice = next(iter(backend.choose([Ask(prompt, 1)])))
    if isinstance(choice, AnswerError):
        raise BackendError(
            f"The model did not answer a question of four short candidates: {choice.message}.",
            "Try another model.",
        )
    shares = [round(float(np.exp(score)), 4) for score in choice.scores]
    return {
        "candidates": list(CANDIDATES),
        "picked": prompt.labels[choice.positions[0]],
        "probabilities": dict(zip(prompt.labels, shares, strict=True)) if shares else None,
        "prompt_tokens": choice.prompt_tokens,
        "seconds": round(choice.seconds, 2),
    }


ROOM = 16
"""Tokens for an answer."""
