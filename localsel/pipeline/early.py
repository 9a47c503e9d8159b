"""Settings → a refusal before anything slow, or the selector, open and proven to obey."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from localsel.backends import BACKENDS
from localsel.backends.base import CAN_TELL, Backend, Opening, Reader
from localsel.errors import BackendError, InputError, LocalselError, UsageError
from localsel.methods import METHODS, changes, method_of
from localsel.methods.base import Method
from localsel.pipeline.identity import Identity
from localsel.settings import FILES, METHODS_OWN, Settings, fields, flag_of
from localsel.stages.export import check_writable, format_of
from localsel.stages.export.chosen import ANSWERS
from localsel.stages.load import check_file
from localsel.stages.prompt import Template
from localsel.training import refuse_without_training

R = TypeVar("R", bound=Reader)
SOME_HONOUR = ("gpus", "gpu_memory", "constraint")
LONGEST = 160
"""Letters of a library's own words."""

NOTHING = (
    "Every query has to take all that it shows: nothing is left to choose.",
    "Give a smaller --budget.",
)


def refuse_early(settings: Settings, method: type[Method], template: Template) -> None:
    """Before anything slow: whatever can be refused by looking is refused."""
    if settings.out:
        format_of(settings.out)
        check_writable(settings.out)
    refuse_options(settings, method)
    if method.needs_backend and not settings.model:
        raise UsageError(
            f"The method {settings.method!r} needs a model.",
            "Give --model PATH (a Hugging Face folder), which it fine-tunes."
            if method.tunes
            else "Give --model PATH (a GGUF file); `localsel models` lists what is here.",
        )
    refuse_unfit(template, settings.criteria)
    if settings.reason and not method.needs_plan:
        raise UsageError(
            f"The method {settings.method!r} has no model that could give a --reason.",
            "Leave --reason away.",
        )
    named = [(name, path) for name in FILES for path in getattr(settings, name)]
    for flag, path in named:
        if path.is_dir():
            raise InputError(f"--{flag}: {path} is a folder.", "Name one file in it.")
        if not path.is_file():
            raise InputError(f"--{flag}: there is no file {path}.", "Check the path.")
    check_file(settings.data)
    if settings.out and settings.out.exists() and settings.out.samefile(settings.data):
        raise UsageError(f"--out {settings.out} is the data file itself.", "Choose another.")


def fitting(settings: Settings, typed: Collection[str]) -> Settings:
    """Forgets what only other methods know, unless it was typed: a settings file is for several."""
    if "variant" not in typed and is_elsewhere(settings.variant, [METHODS.load(settings.method)]):
        settings = replace(settings, variant=None)
    return forget(settings, {*method_of(settings).options, *typed})


def is_elsewhere(variant: str | None, methods: Collection[type[Method]]) -> bool:
    """Whether none of these methods has such a variant, and another has."""
    if not variant or any(variant in each.variants for each in methods):
        return False
    return any(variant in each.variants for each in METHODS.load_all().values())


def forget(settings: Settings, kept: Collection[str]) -> Settings:
    """The settings of some methods at their defaults, but for those that are to be kept."""
    known = fields()
    defaults = {name: known[name].default for name in METHODS_OWN if name not in kept}
    return replace(settings, **defaults)  # type: ignore[arg-type]


def goes_with(option: str, settings: Settings) -> str:
    """What gives a method an option that it has not by these settings; empty if nothing does."""
    bare = forget(settings, ())
    for change in changes(METHODS.load(settings.method)):
        if option in method_of(replace(bare, **change)).options:
            ((name, value),) = change.items()
            return flag_of(name) if value is True else f"{flag_of(name)} {value}"
    return ""


def refuse_options(settings: Settings, method: type[Method]) -> None:
    """Raises UsageError for an option that was set and that this method does not have."""
    known = fields()
    for name in METHODS_OWN:
        value = getattr(settings, name)
        if value != known[name].default and name not in method.options:
            way = goes_with(name, settings)
            without = f" without {way}" if way else ""
            raise UsageError(
                f"The method {settings.method!r} has no {flag_of(name)}{without}.",
                f"Leave it away; `localsel methods {settings.method}` says what it has.",
            )
    if settings.variant and settings.variant not in method.variants:
        raise UsageError(
            f"The method {settings.method!r} has no --variant {settings.variant!r}.",
            f"There are {', '.join(method.variants)}.",
        )


def refuse_unanswered(
    settings: Settings, method: type[Method], answered: int, included: int
) -> None:
    """Raises InputError where a method needs responses and too few of the open rows have one."""
    if not method.needs_responses:
        return
    if not answered:
        raise InputError(
            f"{settings.data} has no column of responses, which the method {settings.method!r}"
            " needs.",
            f"It would be called {', '.join(ANSWERS)}; --map response=COLUMN names another.",
        )
    if answered < (wanted := settings.budget - included):
        raise InputError(
            f"Only {answered:,} rows of {settings.data} have a response, fewer than the"
            f" {wanted:,} that are to be chosen.",
            "Give a smaller --budget.",
        )


def refuse_unfit(template: Template, criteria: str | None) -> None:
    """Raises UsageError if a template cannot put a query, or has no place for these criteria."""
    if not template.answer:
        raise UsageError(f"The prompt {template.name!r} asks for a sentence, not for a choice.")
    if template.options:
        raise UsageError(f"The prompt {template.name!r} asks for a rating, not for a choice.")
    if criteria and "{criteria}" not in template.head:
        raise UsageError(
            f"The prompt {template.name!r} has no place for --criteria.",
            "Put {criteria} into its head, or leave --criteria away.",
        )


def open_backend(
    settings: Settings, identity: Identity, method: type[Method], stack: ExitStack
) -> Backend | None:
    """The selector, its canary alive, before the embedding that would be wasted without it."""
    refuse_model(settings, identity, method)
    if not method.needs_backend or method.tunes:
        return None  # What is tuned is opened when it has learnt.
    opened = open_selector(settings, identity.model, identity.backend)
    backend = stack.enter_context(closing(opened))
    if method.needs_plan:
        backend.refuse_unfit(settings.query_size, settings.temperature)
    elif not backend.is_scored:
        raise BackendError(f"{settings.model} tells no log-probabilities.", CAN_TELL)
    return backend


def refuse_model(settings: Settings, identity: Identity, method: type[Method]) -> None:
    """Raises what a method's models will be refused for, as far as that can be seen unopened."""
    if method.needs_quality:
        _ = identity.quality_folder
    if not method.needs_backend:
        return
    refuse_unhonoured(settings, identity.backend)
    if method.tunes:
        refuse_untunable(settings, identity)
    elif method.reads_texts and BACKENDS.load(identity.backend).logprobs is Backend.logprobs:
        raise BackendError(
            f"The backend {identity.backend!r} does not tell how probable a text is.", CAN_TELL
        )


def made_from(weights: Path) -> str:
    """Where the folder is that a GGUF file was made from: around it, perhaps."""
    around = weights.parent
    is_there = (around / "config.json").is_file() and any(around.glob("*.safetensors"))
    return f"{around}, around it" if is_there else "the folder that it was made from"


def refuse_untunable(settings: Settings, identity: Identity) -> None:
    """Raises UsageError for a model that cannot be fine-tuned."""
    if identity.backend == "scripted":
        return
    if not Path(identity.model).is_dir():
        raise UsageError(
            f"The method {settings.method!r} fine-tunes its model, and {settings.model} cannot be:"
            " it is no Hugging Face folder.",
            f"Give {made_from(Path(identity.model))}.",
        )
    if identity.backend == "llamacpp":
        raise UsageError("The backend 'llamacpp' cannot fine-tune.", "Leave --backend away.")
    refuse_without_training(Path(identity.model))


def open_selector(settings: Settings, model: str, backend: str, *, exact: bool = False) -> Backend:
    """A model in the hands of a backend, its canary alive."""
    refuse_unhonoured(settings, backend)
    backend_class: type[Backend] = BACKENDS.load(backend)
    opening = replace(opening_of(settings, model), exact=exact)
    return _opened(backend_class.open, opening)


def open_reader(settings: Settings, model: str, backend: str) -> Reader:
    """What counts the tokens of a selector."""
    backend_class: type[Backend] = BACKENDS.load(backend)
    return _opened(backend_class.open_reader, opening_of(settings, model))


def opening_of(settings: Settings, model: str) -> Opening:
    """What a backend is told of the settings."""
    return Opening(
        model,
        context=settings.context,
        threads=settings.threads,
        gpus=settings.gpus,
        gpu_memory=settings.gpu_memory,
        constraint=settings.constraint,
        hosts=settings.hosts,
        concurrency=settings.concurrency,
    )


def refuse_unhonoured(settings: Settings, backend: str) -> None:
    """Raises UsageError for a limit that was set and that this backend cannot keep."""
    honours, known = BACKENDS.load(backend).honours, fields()
    for name in SOME_HONOUR:
        value = getattr(settings, name)
        if value != known[name].default and name not in honours:
            raise UsageError(
                f"The backend {backend!r} cannot keep to {flag_of(name)} {value}.",
                "Leave it away; vllm can, with a Hugging Face folder as --model.",
            )


def _opened(open_: Callable[[Opening], R], opening: Opening) -> R:
    """Of a broken model, libraries raise anything: that is still a model that cannot be used."""
    try:
        return open_(opening)
    except LocalselError:
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST].rstrip(".")
        raise BackendError(f"{opening.model} cannot be used: {said}.", "Is it whole?") from error
