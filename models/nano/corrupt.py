"""A good instruction → the same one damaged so that a careful reader would find it worse.

Four kinds are damage; the fifth kind of poor candidate, the vague one, is written rather than
damaged (compose.py). Each damage also says which characters no longer make sense, because a
network that is told *where* a text breaks learns to judge texts from far fewer of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
POINTS = re.compile(
    r"\b(following|below|(given|this|the provided|these) "
    r"(text|sentences?|paragraph|passage|list|words?|code|numbers|article|statement|phrase|story|poem))\b",
    re.IGNORECASE,
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYMBOLS = "#@%^&*~|<>{}=+_\\§¤¶±¬"
OPEN_ENDED = re.compile(
    "the|a|an|of|and|or|to|in|on|at|for|with|from|by|as|is|are|was|that|which|your|their|its|this"
    "|into|about|between|because|le|la|les|de|des|du|et|à|un|une|pour|que|der|die|das|und|ein|eine"
    "|zu|mit|von|für|el|los|las|y|en|una|para|con",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Text:
    """A candidate; `wrong`: the (start, end) character ranges that make no sense where they are."""

    text: str
    wrong: tuple[tuple[int, int], ...] = ()


Unit: TypeAlias = tuple[str, str, bool]  # a word, the blank after it, whether it is out of place
Damage: TypeAlias = Callable[[list[Unit], Random], list[Unit] | None]


def units(text: str, rng: Random) -> list[Unit]:
    """Words with the blanks behind them; text without blanks is cut every one to three signs."""
    if len(WIDE.findall(text)) * 4 < len(text):
        return [(word, blank, False) for word, blank in re.findall(r"(\S+)(\s*)", text)]
    parts, at = [], 0
    while at < len(text):
        step = rng.randint(1, 3)
        parts.append((text[at : at + step], "", False))
        at += step
    return parts


def stands_alone(text: str) -> bool:
    """False for a request that speaks of a text and does not bring it along."""
    return bool(re.search(r"\n|[:\"'“«„].", text)) or not POINTS.search(text)


def join(parts: list[Unit]) -> Text:
    """The damaged text, and where it is damaged."""
    text, wrong = "", []
    for word, blank, is_wrong in parts:
        if is_wrong and word:
            wrong.append((len(text), len(text) + len(word)))
        text += word + blank
    return Text(text.strip(), tuple(wrong))


def shuffle(parts: list[Unit], rng: Random, window: int = 0) -> list[Unit] | None:
    """Reorders words, everywhere or inside windows; the blanks keep their places."""
    if len(parts) < 5:
        return None
    order: list[int] = []
    window = window or len(parts)
    for start in range(0, len(parts), window):
        block = list(range(start, min(start + window, len(parts))))
        rng.shuffle(block)
        order += block
    moved = [old != order[place - 1] + 1 if place else old != 0 for place, old in enumerate(order)]
    if sum(moved) < 0.5 * len(parts):
        return None
    return [
        (parts[old][0], blank, wrong)
        for old, (_, blank, _), wrong in zip(order, parts, moved, strict=True)
    ]


def shuffle_nearby(parts: list[Unit], rng: Random) -> list[Unit] | None:
    return shuffle(parts, rng, window=rng.choice([3, 4, 6]))


def drop_words(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Loses about half of the words, here and there."""
    if len(parts) < 8:
        return None
    kept: list[Unit] = []
    gap = False
    for word, blank, _ in parts:
        if rng.random() < 0.5:
            gap = True
            continue
        kept.append((word, blank, gap))
        gap = False
    return kept if len(kept) >= 4 and len(kept) <= 0.7 * len(parts) else None


def misspell(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Typing mistakes in about half of the longer words."""
    result = [
        (typo(word, rng), blank, True)
        if len(word) > 3 and word.isalpha() and rng.random() < 0.55
        else (word, blank, False)
        for word, blank, _ in parts
    ]
    wrong = sum(unit[2] for unit in result)
    return result if wrong >= 2 and wrong >= 0.2 * len(parts) else None


def typo(word: str, rng: Random) -> str:
    """One or two slips: letters swapped, lost, doubled or mistaken."""
    letters = list(word)
    for _ in range(1 if len(word) < 6 else 2):
        at = rng.randrange(len(letters) - 1)
        slip = rng.randrange(4)
        if slip == 0 and letters[at] != letters[at + 1]:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        elif slip == 1 and len(letters) > 3:
            del letters[at]
        elif slip == 2:
            letters.insert(at, rng.choice(LETTERS))
        else:
            letters[at] = rng.choice(LETTERS.replace(letters[at].lower(), ""))
    result = "".join(letters)
    return result if result != word else word + rng.choice("qxzj")


def mash(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Random letters in the place of about half of the words."""
    if len(parts) < 3:
        return None
    share = rng.uniform(0.4, 0.9)
    result = [
        ("".join(rng.choice(LETTERS) for _ in range(max(2, len(word)))), blank, True)
        if rng.random() < share
        else (word, blank, False)
        for word, blank, _ in parts
    ]
    return result if sum(unit[2] for unit in result) >= 0.3 * len(parts) else None


def noise(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Stray symbols inside about half of the words."""
    if len(parts) < 3:
        return None
    result: list[Unit] = []
    for word, blank, _ in parts:
        if rng.random() < 0.5:
            at = rng.randrange(len(word) + 1)
            strays = "".join(rng.choice(SYMBOLS) for _ in range(rng.randint(1, 3)))
            result.append((word[:at] + strays + word[at:], blank, True))
        else:
            result.append((word, blank, False))
    return result if sum(unit[2] for unit in result) >= 0.3 * len(parts) else None


def squeeze(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """No vowels, or no blanks."""
    if len(parts) < 4 or not all(blank for _, blank, _ in parts[:-1]):
        return None
    if rng.random() < 0.5:
        return [(word, "", True) for word, _, _ in parts]
    bare = [(re.sub("(?i)(?<=.)[aeiou]", "", word), blank) for word, blank, _ in parts]
    changed = [
        (word, blank, word != old[0]) for (word, blank), old in zip(bare, parts, strict=True)
    ]
    return changed if sum(unit[2] for unit in changed) >= 0.5 * len(parts) else None


def cut_tail(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Ends inside a word, or on a word that cannot end a sentence."""
    if len(parts) < 5:
        return None
    places = list(range(2, max(3, int(0.8 * len(parts)))))
    rng.shuffle(places)
    for at in places:
        word = parts[at][0]
        if OPEN_ENDED.fullmatch(word):
            return parts[: at + 1]
        if word.isalpha() and len(word) >= 6 and rng.random() < 0.5:
            stump = word[: rng.randint(2, len(word) - 3)]
            return [*parts[:at], (stump, "", False)]
    return None


def cut_head(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Begins in the middle of a sentence."""
    places = [
        at
        for at in range(2, len(parts) - 3)
        if parts[at][0].islower() and parts[at - 1][0][-1].isalnum()
    ]
    if not places:
        return None
    at = rng.choice(places)
    word, blank, _ = parts[at]
    if len(word) >= 6 and rng.random() < 0.5:
        word = word[rng.randint(2, len(word) - 3) :]
    return [(word, blank, True), *parts[at + 1 :]]


def lose_input(parts: list[Unit], _: Random) -> list[Unit] | None:
    """Speaks of a text that is not there any more."""
    lines = [at for at, (_, blank, _) in enumerate(parts) if "\n" in blank]
    request = " ".join(word for word, _, _ in parts[: lines[0] + 1]) if lines else ""
    return parts[: lines[0] + 1] if not stands_alone(request) else None


def stutter(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Says about a third of the words two to four times."""
    if len(parts) < 4:
        return None
    result: list[Unit] = []
    for word, blank, _ in parts:
        again = rng.randint(1, 3) if rng.random() < 0.35 else 0
        result.append((word, blank if not again else " ", False))
        for left in range(again, 0, -1):
            result.append((word, " " if left > 1 else blank, True))
    return result if len(result) >= len(parts) + 2 else None


def loop(parts: list[Unit], rng: Random) -> list[Unit] | None:
    """Is stuck on a few words, at the beginning, in the middle or at the end."""
    if len(parts) < 4:
        return None
    size = rng.randint(2, min(8, len(parts)))
    start = rng.randrange(len(parts) - size + 1)
    phrase = [(word, blank or " ", True) for word, blank, _ in parts[start : start + size]]
    times = rng.randint(2, 5)
    rest = parts[start + size :] if rng.random() < 0.6 else []
    first = [(word, blank or " ", False) for word, blank, _ in parts[: start + size]]
    return [*first, *(phrase * times), *rest]


KINDS: dict[str, tuple[Damage, ...]] = {
    "broken": (shuffle, shuffle_nearby, drop_words),
    "garbled": (misspell, mash, noise, squeeze),
    "truncated": (cut_tail, cut_head, lose_input),
    "repeated": (stutter, loop),
}


def damage(text: str, kind: str, rng: Random) -> Text | None:
    """One damage of `kind`, drawn at random; None if this text is too short for it."""
    return apply(rng.choice(KINDS[kind]), text, rng)


def apply(sort: Damage, text: str, rng: Random) -> Text | None:
    parts = sort(units(text, rng), rng)
    if parts is None:
        return None
    result = join(parts)
    return result if result.text and result.text != text.strip() else None
