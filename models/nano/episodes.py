"""Candidates, good and poor → one training prompt with everything that is to be learnt from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from nano.corrupt import Text
from nano.vocabulary import Chat
from tokenizers import Tokenizer

from localsel.stages.prompt import Template, after_pick, render, show

# Other ways to ask, in a third of the prompts, so that the published wording is not the only key.
HEADS = (
    "",
    "Which of these instructions are worth an answer?\n\n",
    "Below are some instructions. Choose the clear, specific and complete ones.\n\n",
    "We can only annotate a few of these tasks. Pick the most useful ones.\n\n",
)
TAILS = (
    "\nName the best {quota}, labels only.",
    "\nSelect {quota}.",
    "\nThe {quota} most useful, the best first:",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text with its worth: 1 good, 0 poor, None for prose that is only to be read."""

    text: Text
    good: int | None
    fluent: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a prompt looks like: how many labels to choose, and whether it is asked at all."""

    quota: int = 1
    asked: bool = True
    published: bool = True
    counted: bool = True
    gaps: bool = False


@dataclass(slots=True)
class Episode:
    """Token ids and targets by position.

    `wrong`: 1 where the text is damaged, 0 where it is not, absent elsewhere. `verdict`: worth, at
    closing labels. `answer`: position → (share of each next token, where to look: the very tokens
    of closing labels that may be copied).
    """

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    wrong: dict[int, int] = field(default_factory=dict)
    verdict: dict[int, int] = field(default_factory=dict)
    fluent: list[int] = field(default_factory=list)
    answer: dict[int, tuple[dict[int, float], list[int]]] = field(default_factory=dict)
    skipped: int = 0

    def add(self, ids: Sequence[int]) -> int:
        """Appends tokens; returns where they begin."""
        start = len(self.ids)
        self.ids.extend(ids)
        self.positions.extend(range(start + self.skipped, len(self.ids) + self.skipped))
        return start


class Writer:
    """Builds episodes with one tokenizer, one chat format and one template."""

    def __init__(self, tokenizer: Tokenizer, chat: Chat, template: Template) -> None:
        self.tokenizer = tokenizer
        self.chat = chat
        self.template = template
        self.content = Tokenizer.from_str(tokenizer.to_str())
        self.content.encode_special_tokens = True  # a special token inside a text stays text
        self.turn_end = tokenizer.token_to_id(chat.turn_end)
        self.padding = tokenizer.token_to_id(chat.padding)

    def plain(self, text: str) -> list[int]:
        return list(self.content.encode(text, add_special_tokens=False).ids)

    def special(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def write(self, candidates: Sequence[Candidate], plan: Plan, rng: Random) -> Episode:
        """The prompt over these candidates in this order, and its answer if `plan.asked`."""
        labels = draw_labels(len(candidates), plan.counted, rng)
        episode = Episode()
        head, tail, answer = self.wording(plan, rng)
        if plan.asked:
            episode.add(self.special(self.chat.prefix) + self.plain(head))
        closings = {}
        for label, candidate in zip(labels, candidates, strict=True):
            if plan.gaps:
                episode.skipped += rng.randrange(5000 // len(candidates))
            closings[label] = self.candidate(episode, label, candidate)
        if plan.asked:
            episode.add(self.plain(tail) + self.special(self.chat.suffix) + self.plain(answer))
            good = {
                label: closings[label]
                for label, candidate in zip(labels, candidates, strict=True)
                if candidate.good
            }
            self.answer(episode, good, plan.quota, rng)
        return episode

    def wording(self, plan: Plan, rng: Random) -> tuple[str, str, str]:
        asked = render(self.template, (), plan.quota)
        if plan.published:
            return asked.head, asked.tail, asked.answer
        return rng.choice(HEADS), rng.choice(TAILS).format(quota=plan.quota), asked.answer

    def candidate(self, episode: Episode, label: str, candidate: Candidate) -> int:
        """Appends `[12] text [12]` and its targets; returns where the closing bracket stands."""
        text = candidate.text.text
        shown = show(self.template, int(label), text)
        before = len(self.template.candidate.split("{text}")[0].replace("{label}", label))
        encoding = self.content.encode(shown, add_special_tokens=False)
        start = episode.add(encoding.ids)
        ranges = candidate.text.wrong
        for at, (left, right) in enumerate(encoding.offsets):
            if right <= before or left >= before + len(text):
                continue
            damaged = any(a < right - before and left - before < b for a, b in ranges)
            if candidate.fluent or ranges:
                episode.wrong[start + at] = int(damaged)
            if candidate.fluent:
                episode.fluent.append(start + at)
        closing = len(episode.ids) - 1
        bracket = self.content.token_to_id("]")
        while episode.ids[closing] != bracket:
            closing -= 1
        if candidate.good is not None:
            for at in range(closing - len(label), closing + 1):
                episode.verdict[at] = candidate.good
        return closing

    def answer(self, episode: Episode, good: dict[str, int], quota: int, rng: Random) -> None:
        """Appends up to `quota` good labels; every step spreads over all that are still good."""
        left = dict(good)
        for pick in range(min(quota, len(good))):
            label = rng.choice(sorted(left))
            for length in range(len(label) + 1):
                prefix = label[:length]
                fitting = [other for other in left if other.startswith(prefix)]
                counts = Counter((other + "]")[length] for other in fitting)
                episode.answer[len(episode.ids) - 1] = (
                    {self.content.token_to_id(c): n / len(fitting) for c, n in counts.items()},
                    [left[other] - len(other) + length for other in fitting],
                )
                if length < len(label):
                    episode.add(self.plain(label[length]))
            del left[label]
            last = pick + 1 == min(quota, len(good))
            episode.add(
                self.plain(after_pick(label))[len(label) :] if not last else self.plain("]")
            )
        episode.answer[len(episode.ids) - 1] = ({self.turn_end: 1.0}, [])


def draw_labels(count: int, counted: bool, rng: Random) -> list[str]:
    """1..count, or random ones: whoever meets only 1..count learns to count instead of to copy."""
    if counted:
        return [str(number) for number in range(1, count + 1)]
    highest = 999 if rng.random() < 0.1 else 99
    return [str(number) for number in rng.sample(range(1, highest + 1), count)]
