"""What `methods --json` tells, and what was filled in → the method as it will be, and its needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localsel.settings import Sourced

Way = Mapping[str, Any]
"""One method, as it is by itself or with another setting."""

PLANNED = frozenset(
    {"orders", "criteria", "prompt", "temperature", "grouping", "clusters", "query_size"}
    | {"near_duplicates", "trim"}
)
"""Settings that count only where the queries of a plan are asked."""
UNKNOWN: Way = {"name": "", "needs": ["a model"], "asks_queries": True, "tunes": False} | {
    "options": [],
    "variants": [],
}
"""What a method is taken for before it is known."""


def chosen(method: Way, values: Mapping[str, str], elsewhere: Mapping[str, Sourced]) -> Way:
    """A method as these settings make it: a variant may need other things."""
    for other in method.get("otherwise", ()):
        if all(_holds(name, values, elsewhere) == value for name, value in other["set"].items()):
            return {**method, **other, "about": method["about"]}
    return method


def _holds(name: str, values: Mapping[str, str], elsewhere: Mapping[str, Sourced]) -> object:
    """What a setting is: as it was filled in, or as a file or the environment has it."""
    if typed := values.get(name):
        return True if typed == "on" else typed
    value = elsewhere[name].value if name in elsewhere else None
    return True if value in ("true", "1") else value


def needs_model(way: Way) -> bool:
    """Whether a model has to be named."""
    return "a model" in way["needs"] or way["tunes"]


def needed(way: Way) -> str:
    """What it needs, in words."""
    return ", ".join(way["needs"]) or "nothing"


def beside(methods: Mapping[str, Way]) -> dict[str, list[str]]:
    """The methods that may be baselines, by what they need, the least first; random always is."""
    found: dict[str, list[str]] = {}
    for name, way in sorted(methods.items(), key=lambda each: len(each[1]["needs"])):
        if not way["asks_queries"] and name != "random":
            found.setdefault(needed(way), []).append(name)
    return found


def sentence(way: Way) -> str:
    """What it does."""
    return f"{way['about'][:1].upper()}{way['about'][1:]}."


def unfit(ways: Sequence[Way], models: Sequence[str], is_folder: bool, is_unanswered: bool) -> str:
    """Why a method and baselines cannot work like this, in a sentence; nothing where they can.

    Args:
        ways: the method, then the baselines.
        is_folder: of the first model, with which the baselines work, too.
        is_unanswered: whether the data is known to have no responses.
    """
    way, *_ = ways
    if needs_model(way) and not models:
        several = "; several make a comparison" if way["asks_queries"] else ""
        return f"Mark a selector with space{several}."
    if needs_model(way) and not way["asks_queries"] and len(models) > 1:
        return f"{way['name']} works with one model: mark only one."
    tuning = next((each["name"] for each in ways if each["tunes"]), "")
    if tuning and not is_folder:
        return f"{tuning} fine-tunes its model: {models[0]} is no Hugging Face folder."
    answered = next((each["name"] for each in ways if "responses" in each["needs"]), "")
    if answered and is_unanswered:
        return f"{answered} needs responses, of which the data has no column."
    return ""
