"""Phrase lists → questions with answers of our own, good ones and damaged ones.

A good answer is about what was asked, fluent, and whole; each damage takes one of these away.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from nano import corrupt
from nano.compose import SHARES, Phrases, capital, fill, numbers

ANSWERS = Path(__file__).with_name("answers.toml")
HELD_OUT = 5
"""Of every list, each fifth phrase is kept out of training, to measure with."""
ENDS = ".!?。！？:"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its answer; `subject` is what both are about."""

    question: str
    answer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Composer:
    """Draws pairs from the phrases that are for training, or from those that are not."""

    phrases: Phrases
    answers: Mapping[str, Mapping[str, Sequence[str]]]
    held_out: bool

    @classmethod
    def load(cls, phrases: Phrases, held_out: bool = False) -> Composer:
        return cls(phrases, tomllib.loads(ANSWERS.read_text(encoding="utf-8")), held_out)

    def some(self, phrases: Sequence[str]) -> list[str]:
        """This composer's share of a list; of a short one all."""
        if len(phrases) < HELD_OUT:
            return list(phrases)
        return [
            phrase
            for place, phrase in enumerate(phrases)
            if (place % HELD_OUT == HELD_OUT - 1) == self.held_out
        ]

    def pair(self, rng: Random) -> Pair:
        draw = rng.random()
        if draw < 0.55:
            return self.about(rng)
        if draw < 0.72:
            return self.foreign(rng)
        return self.over_text(rng)

    def about(self, rng: Random) -> Pair:
        """A request about one subject, and one to six sentences about it."""
        kind = rng.choices([*self.answers["english"]], [6, 2, 2, 2, 2, 2])[0]
        slots = self.phrases.slots
        subject = rng.choice(self.some(slots[kind]))
        templates = [each for each in self.phrases.good["plain"] if f"{{{kind}}}" in each]
        question = fill(rng.choice(templates), {**slots, **numbers(rng), kind: [subject]}, rng)
        sentences = self.sentences(self.answers["english"][kind], subject, slots, rng, 6)
        if rng.random() < 0.2:
            lines = [f"{place}. {text}" for place, text in enumerate(sentences, start=1)]
            return Pair(question, "\n".join(lines), subject)
        if rng.random() < 0.2:
            sentences.insert(0, rng.choice(self.answers["openings"]["english"]))
        return Pair(question, rng.choice([" ", " ", "\n\n"]).join(sentences), subject)

    def foreign(self, rng: Random) -> Pair:
        """The same in one of seven languages, about a topic."""
        language = rng.choices([*SHARES], [*SHARES.values()])[0]
        lists = self.phrases.languages[language]
        subject = rng.choice(self.some(lists["topic"]))
        templates = [each for each in lists["requests"] if "{topic}" in each]
        slots = {**lists, **numbers(rng), "topic": [subject]}
        question = capital(fill(rng.choice(templates), slots, rng))
        sentences = self.sentences(self.answers[language]["topic"], subject, slots, rng, 3)
        return Pair(question, self.between(language).join(sentences), subject)

    def over_text(self, rng: Random) -> Pair:
        """A request over some sentences, answered with one or two of them."""
        language = rng.choices(["en", *SHARES], [6, *SHARES.values()])[0]
        if language == "en":
            given = rng.sample(self.some(self.english()), 3)
            templates = [each for each in self.phrases.good["with_input"] if "{passage}" in each]
            slots = {**self.phrases.slots, **numbers(rng), "passage": [" ".join(given)]}
        else:
            lists = self.phrases.languages[language]
            given = rng.sample(self.some(lists["sentences"]), 3)
            templates = [each for each in lists["on_text"] if "{text}" in each]
            slots = {**lists, **numbers(rng), "text": [self.between(language).join(given)]}
        kept = sorted(rng.sample(range(3), rng.randint(1, 2)))
        answer = self.between(language).join(given[place] for place in kept)
        return Pair(fill(rng.choice(templates), slots, rng), answer, " ".join(given))

    def english(self) -> list[str]:
        """Sentences that are about anything: those of the passages, and those that need mending."""
        passages = " ".join(self.phrases.slots["passage"])
        return [each.strip() for each in re.findall(r".+?[.?](?:\s|$)", passages)]

    def sentences(
        self,
        templates: Sequence[str],
        subject: str,
        slots: Mapping[str, Sequence[str]],
        rng: Random,
        most: int,
    ) -> list[str]:
        own = self.some(templates)
        chosen = rng.sample(own, rng.randint(1, min(most, len(own))))
        known = {name: [*texts] for name, texts in slots.items()} | numbers(rng)
        known["subject"] = [subject]
        return [capital(fill(each, known, rng)) for each in chosen]

    @staticmethod
    def between(language: str) -> str:
        return "" if language in ("ja", "zh") else " "

    def empty(self, pair: Pair, rng: Random) -> str:
        return rng.choice(self.some(self.answers["empty"]["texts"]))

    def off_topic(self, pair: Pair, rng: Random) -> str:
        """A whole answer to another question."""
        while True:
            other = self.pair(rng)
            if other.subject != pair.subject:
                return other.answer


def truncated(pair: Pair, rng: Random) -> str:
    """Ends where no sentence does: in a word, or between two; or just in the middle."""
    answer = pair.answer
    for _ in range(20):
        text = answer[: rng.randint(len(answer) // 4, max(len(answer) - 2, 0))].rstrip()
        if text and text[-1] not in ENDS and not text[-1].isdigit():
            return text
    return answer[: len(answer) // 2]


def repeated(pair: Pair, rng: Random) -> str:
    """Says words again and again, or all of it three to six times."""
    if rng.random() < 0.4:
        return " ".join([pair.answer] * rng.randint(3, 6))
    return damaged(corrupt.KINDS["repeated"], pair, rng)


def shuffled(pair: Pair, rng: Random) -> str:
    return damaged((corrupt.shuffle, corrupt.shuffle_nearby), pair, rng)


def garbled(pair: Pair, rng: Random) -> str:
    return damaged((corrupt.mash, corrupt.misspell, corrupt.noise), pair, rng)


def damaged(kinds: Sequence[corrupt.Damage], pair: Pair, rng: Random) -> str:
    """One of these damages; an answer that is too short for any is cut instead."""
    for _ in range(10):
        if found := corrupt.apply(rng.choice(kinds), pair.answer, rng):
            return found.text
    return truncated(pair, rng)


def damages(composer: Composer) -> dict[str, Callable[[Pair, Random], str]]:
    """Every way in which an answer is made bad, by name."""
    return {
        "off topic": composer.off_topic,
        "shuffled": shuffled,
        "garbled": garbled,
        "truncated": truncated,
        "repeated": repeated,
        "empty": composer.empty,
    }
