"""What `methods --json` tells, and what was filled in → the method as it will be, and its needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.settings import Sourced, as_read

Described = Mapping[str, Any]
"""One method, as it is by itself or with another setting."""

PLANNED = frozenset(
    {"orders", "criteria", "prompt", "temperature", "grouping", "clusters", "query_size"}
    | {"near_duplicates", "trim"}
)
"""Settings that count only where the queries of a plan are asked."""
UNKNOWN: Described = {"name": "", "needs": ["a model"], "asks_queries": True, "tunes": False} | {
    "options": [],
    "variants": [],
}
"""What a method is taken for before it is known."""


def chosen(
    method: Described, values: Mapping[str, str], elsewhere: Mapping[str, Sourced]
) -> Described:
    """A method as these settings make it: a variant may need other things."""
    for other in method.get("otherwise", ()):
        if all(_holds(name, values, elsewhere) == value for name, value in other["set"].items()):
            return {**method, **other, "about": method["about"]}
    return method


def _holds(name: str, values: Mapping[str, str], elsewhere: Mapping[str, Sourced]) -> object:
    """What a setting is: as it was filled in, or as a file or the environment has it."""
    if typed := values.get(name):
        return True if typed == "on" else typed
    return as_read(name, elsewhere[name]) if name in elsewhere else None


def needs_model(method: Described) -> bool:
    """Whether a model has to be named."""
    return "a model" in method["needs"] or method["tunes"]


def needed(method: Described) -> str:
    """What it needs, in words."""
    return ", ".join(method["needs"]) or "nothing"


def beside(methods: Mapping[str, Described]) -> dict[str, list[str]]:
    """The methods that may be baselines, by what they need, the least first; random always is."""
    found: dict[str, list[str]] = {}
    for name, method in sorted(methods.items(), key=lambda each: len(each[1]["needs"])):
        if not method["asks_queries"] and name != "random":
            found.setdefault(needed(method), []).append(name)
    return found


def sentence(method: Described) -> str:
    """What it does."""
    return f"{method['about'][:1].upper()}{method['about'][1:]}."


def unfit(
    methods: Sequence[Described], models: Sequence[str], is_folder: bool, is_unanswered: bool
) -> str:
    """Why a method and baselines cannot work like this, in a sentence; nothing where they can.

    Args:
        methods: the method, then the baselines.
        is_folder: of the first model, with which the baselines work, too.
        is_unanswered: whether the data is known to have no responses.
    """
    method, *_ = methods
    if needs_model(method) and not models:
        several = "; several make a comparison" if method["asks_queries"] else ""
        return f"Mark a selector with space{several}."
    if needs_model(method) and not method["asks_queries"] and len(models) > 1:
        return f"{method['name']} works with one model: mark only one."
    tuning = next((each["name"] for each in methods if each["tunes"]), "")
    if tuning and not is_folder:
        return f"{tuning} fine-tunes its model: {models[0]} is no Hugging Face folder."
    answered = next((each["name"] for each in methods if "responses" in each["needs"]), "")
    if answered and is_unanswered:
        return f"{answered} needs responses, of which the data has no column."
    return ""
