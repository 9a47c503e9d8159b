"""Phrase lists → instructions of our own: specific ones and vague ones, in eight languages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

PHRASES = Path(__file__).with_name("phrases.toml")
LANGUAGES = Path(__file__).with_name("languages.toml")
SLOT = re.compile(r"\{(\w+?)2?\}")
# How often a language is drawn; those that no source brings along come more often.
SHARES = {"fr": 4, "de": 3, "es": 3, "it": 2, "pt": 2, "ja": 2, "zh": 2}


@dataclass(frozen=True, slots=True)
class Phrases:
    """The lists of phrases.toml, and those of languages.toml by language."""

    slots: dict[str, list[str]]
    good: dict[str, list[str]]
    vague_slots: dict[str, list[str]]
    vague: dict[str, list[str]]
    vague_unseen: list[str]
    languages: dict[str, dict[str, list[str]]]


def load_phrases(path: Path = PHRASES, languages: Path = LANGUAGES) -> Phrases:
    lists = tomllib.loads(path.read_text(encoding="utf-8"))
    return Phrases(
        lists["slots"],
        lists["good"],
        lists["vague_slots"],
        lists["vague"],
        lists["vague_unseen"]["whole"],
        tomllib.loads(languages.read_text(encoding="utf-8")),
    )


def good_text(phrases: Phrases, rng: Random) -> str:
    """One specific instruction; short ones are as frequent as long ones."""
    if rng.random() < 0.45:
        return foreign_text(phrases, rng)
    kind = rng.choices(["plain", "with_input", "long"], [60, 30, 10])[0]
    return fill(rng.choice(phrases.good[kind]), {**phrases.slots, **numbers(rng)}, rng)


def foreign_text(phrases: Phrases, rng: Random) -> str:
    """A request, or a request over one to three sentences."""
    lists = foreign_lists(phrases, rng)
    slots = {**lists, **numbers(rng), "text": [some_sentences(lists, rng)]}
    form = "requests" if rng.random() < 0.65 else "on_text"
    return capital(fill(rng.choice(lists[form]), slots, rng))


def foreign_lists(phrases: Phrases, rng: Random) -> dict[str, list[str]]:
    return phrases.languages[rng.choices([*SHARES], [*SHARES.values()])[0]]


def some_sentences(lists: Mapping[str, list[str]], rng: Random) -> str:
    chosen = rng.sample(lists["sentences"], rng.randint(1, 3))
    return ("" if chosen[0].endswith("。") else " ").join(chosen)


def over_prose(prose: str, phrases: Phrases, rng: Random) -> str:
    """A request over a passage that was given."""
    slots = {**phrases.slots, **numbers(rng), "passage": [prose]}
    fitting = [template for template in phrases.good["with_input"] if "{passage}" in template]
    return fill(rng.choice(fitting), slots, rng)


def vague_text(phrases: Phrases, rng: Random) -> str:
    """One instruction that leaves open what is wanted; many are long all the same."""
    draw = rng.random()
    if draw < 0.25:
        text = rng.choice(phrases.vague["whole"])
    elif draw < 0.6:
        text = fill(rng.choice(phrases.vague["frames"]), phrases.vague_slots, rng)
    elif draw < 0.75:  # what would be a good request, had it said about what
        template = rng.choice(phrases.good[rng.choice(["plain", "plain", "with_input"])])
        text = fill(template, phrases.vague_slots, rng)
    elif draw < 0.9:
        text = rng.choice(foreign_lists(phrases, rng)["vague"])
    else:
        lists = foreign_lists(phrases, rng)
        templates = [template for template in lists["requests"] if "{topic}" in template]
        slots = {**lists, **numbers(rng), "topic": lists["nothing"]}
        text = fill(rng.choice(templates), slots, rng)
    return text if rng.random() < 0.05 else capital(text)


def numbers(rng: Random) -> dict[str, list[str]]:
    """Slots that are filled with numbers."""
    ranges = {"a": (60, 999), "b": (11, 99), "c": (6, 48), "n": (2, 9), "year": (1950, 2030)}
    return {name: [str(rng.randint(*ends))] for name, ends in ranges.items()}


def fill(template: str, slots: Mapping[str, list[str]], rng: Random) -> str:
    """Replaces every {slot}, also {slot2}, by a phrase drawn anew."""

    def draw(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "person_up":
            return capital(rng.choice(slots["person"]))
        return rng.choice(slots[name])

    return SLOT.sub(draw, template).strip()


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
