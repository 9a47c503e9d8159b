"""What is compared with what → a refusal before anybody is asked, or the settings of each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from localsel.comparison import LEAST_SEEDS, RANDOM
from localsel.errors import UsageError
from localsel.methods import METHODS, method_of
from localsel.methods.base import Method
from localsel.pipeline.early import (
    fitting,
    forget,
    is_elsewhere,
    refuse_model,
    refuse_options,
    refuse_unanswered,
)
from localsel.pipeline.identity import Identity
from localsel.settings import METHODS_OWN, Settings, fields, flag_of
from localsel.store import Store

SEEDS = LEAST_SEEDS
SEVERAL = {"length": ("length-short", "length-long")}


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared with what.

    Attributes:
        models: the selectors, as the user named them.
        baselines: methods without a selector; random is always among them. One that scores rows
            with a model does so with the first of `models`.
        questions: ask about so many questions of the plan only.
        seeds: of a baseline that draws, if somebody said how many; random has three at least.
        human: a file that names the rows that a person chose.
        command: the comparison as it was typed.
    """

    models: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    questions: int | None = None
    seeds: int | None = None
    human: Path | None = None
    command: str = ""

    @property
    def methods(self) -> list[str]:
        """Of the baselines, each by its own name."""
        named = (RANDOM, *self.baselines)
        return list(dict.fromkeys(each for name in named for each in SEVERAL.get(name, (name,))))


def refuse_contest(settings: Settings, contest: Contest) -> None:
    """Raises UsageError for what no comparison can be made of."""
    if not METHODS.load(settings.method).needs_plan:
        raise UsageError(
            f"The method {settings.method!r} asks no selector.", "Give it as --baseline."
        )
    if not contest.models:
        raise UsageError(
            "A comparison needs a selector.",
            "Give --model PATH, several times; `localsel models` lists what is here.",
        )
    known = [*SEVERAL, *(name for name in METHODS.names if not METHODS.load(name).needs_plan)]
    for name in contest.baselines:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
            raise UsageError(f"There is no baseline {name!r}.", hint)
    _refuse_unused(settings, contest)


def fitting_all(settings: Settings, contest: Contest, typed: Collection[str]) -> Settings:
    """Forgets what no method of the comparison knows, unless it was typed."""
    methods = _methods(settings, contest)
    had = {name for method in methods for name in method.options}
    if "variant" not in typed and is_elsewhere(settings.variant, methods):
        settings = replace(settings, variant=None)
    return forget(settings, {*had, *typed})


def _methods(settings: Settings, contest: Contest) -> list[type[Method]]:
    """All that take part; who is not known is refused elsewhere."""
    names = [name for name in (settings.method, *contest.methods) if name in METHODS.names]
    return [method_of(replace(settings, method=name)) for name in dict.fromkeys(names)]


def _refuse_unused(settings: Settings, contest: Contest) -> None:
    """Raises UsageError for an option that was set and that no method of the comparison has."""
    methods = _methods(settings, contest)
    had = Counter(name for method in methods for name in method.options)
    for name in METHODS_OWN:
        if getattr(settings, name) != fields()[name].default and not had[name]:
            raise UsageError(f"No method of this comparison has {flag_of(name)}.", "Leave it away.")
    variants = [each for method in methods for each in method.variants]
    if settings.variant and settings.variant not in variants:
        known = f"There are {', '.join(variants)}." if variants else "Leave it away."
        raise UsageError(f"No method of this comparison has --variant {settings.variant!r}.", known)
    if settings.threshold is not None and had["threshold"] > 1:
        raise UsageError(
            "--threshold means another thing to each of these baselines.",
            "Compare one of them at a time, or run them alone and compare the runs.",
        )


def refuse_baselines(settings: Settings, contest: Contest, store: Store) -> None:
    """Raises what a baseline would end with, where that can be seen before anybody is asked."""
    for name in contest.methods:
        own = own_options(settings, name, contest.models[0])
        method = method_of(own)
        refuse_options(own, method)
        refuse_model(own, Identity(own, store), method)


def refuse_planned(settings: Settings, contest: Contest, plan: Mapping[str, Any]) -> None:
    """The same, once there is a plan: its `picks`, and of the pool `answered` and `included`."""
    for name in contest.methods:
        own = replace(own_options(settings, name, contest.models[0]), budget=plan["picks"])
        refuse_unanswered(own, method_of(own), plan["answered"], plan["included"])


def own_options(settings: Settings, method: str, model: str) -> Settings:
    """The settings of a baseline: what only other methods know at its default, and a model only
    where it needs one, the first that is compared.
    """
    own = fitting(replace(settings, method=method), ())
    if method_of(own).needs_backend:
        return replace(own, model=model)
    return replace(own, model=None, backend="auto")
