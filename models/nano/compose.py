"""Phrase lists → instructions of our own: specific ones and vague ones."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random

PHRASES = Path(__file__).with_name("phrases.toml")
SLOT = re.compile(r"\{(\w+?)2?\}")


@dataclass(frozen=True, slots=True)
class Phrases:
    """The lists of phrases.toml."""

    slots: dict[str, list[str]]
    good: dict[str, list[str]]
    vague: dict[str, list[str]]
    vague_unseen: list[str]


def load_phrases(path: Path = PHRASES) -> Phrases:
    lists = tomllib.loads(path.read_text(encoding="utf-8"))
    return Phrases(lists["slots"], lists["good"], lists["vague"], lists["vague_unseen"]["whole"])


def good_text(phrases: Phrases, rng: Random) -> str:
    """One specific instruction; short ones are as frequent as long ones."""
    kind = rng.choices(["plain", "with_input", "long", "foreign"], [50, 25, 10, 15])[0]
    return fill(rng.choice(phrases.good[kind]), phrases, rng)


def fill(template: str, phrases: Phrases, rng: Random) -> str:
    """Replaces every {slot}, also {slot2}, by a phrase or a number drawn anew."""
    numbers = {
        "a": str(rng.randint(60, 999)),
        "b": str(rng.randint(11, 99)),
        "c": str(rng.randint(6, 48)),
        "n": str(rng.randint(2, 9)),
        "year": str(rng.randint(1950, 2030)),
    }

    def draw(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in numbers:
            return numbers[name]
        if name == "person_up":
            return capital(rng.choice(phrases.slots["person"]))
        return rng.choice(phrases.slots[name])

    return SLOT.sub(draw, template)


def vague_text(phrases: Phrases, rng: Random) -> str:
    """One instruction that leaves open what is wanted; a third of them are long all the same."""
    lists = phrases.vague
    draw = rng.random()
    if draw < 0.35:
        return rng.choice(lists["whole"])
    if draw < 0.45:
        return rng.choice(lists["foreign"])
    core = f"{rng.choice(lists['verbs'])} {rng.choice(lists['things'])}{rng.choice(lists['tails'])}"
    if draw > 0.7:
        core += rng.choice(lists["long_tails"])
    if draw > 0.85:
        second = f"{rng.choice(lists['verbs'])} {rng.choice(lists['things'])}"
        core += f". Also {second}{rng.choice(lists['tails'])}{rng.choice(lists['long_tails'])}"
    return capital(rng.choice(lists["openings"]) + core) + rng.choice(lists["ends"])


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
