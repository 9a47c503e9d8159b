"""A corpus and a stage of the curriculum → batches of tensors, endlessly new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from nano import corrupt
from nano.compose import Phrases, good_text, over_prose, vague_text
from nano.corrupt import Damage, Text, apply, stands_alone
from nano.episodes import Candidate, Episode, Plan, Writer
from nano.sources import Corpus
from torch import Tensor

# How often a poor candidate is of each sort: the hard ones most often.
VAGUE = 26
POOR: dict[Damage, int] = {
    corrupt.shuffle: 6,
    corrupt.shuffle_nearby: 13,
    corrupt.drop_words: 13,
    corrupt.misspell: 12,
    corrupt.mash: 2,
    corrupt.noise: 3,
    corrupt.squeeze: 3,
    corrupt.cut_tail: 8,
    corrupt.cut_head: 9,
    corrupt.lose_input: 3,
    corrupt.stutter: 7,
    corrupt.loop: 13,
}
READ: dict[Damage, int] = {
    corrupt.shuffle: 2,
    corrupt.shuffle_nearby: 4,
    corrupt.drop_words: 4,
    corrupt.misspell: 4,
    corrupt.loop: 3,
    corrupt.stutter: 1,
}
# Share of our own phrases in the draw, and of requests over prose, and of prose itself.
OWN, OVER_PROSE, PROSE = 0.25, 0.10, 0.08
# The spaced-out marks of tokenised text: no mistake of its writer, but not sound either.
SPACED = re.compile(r" n't|\w [.,] \w| ' ?[sm] |``|-LRB-")
# Share of each source in the draw: rows to the power 0.6, so that large files do not drown small.
SMOOTH = 0.6


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the curriculum; `reading` is the share of batches without a question."""

    until: float
    most: int
    reading: float
    longest: int
    guide: float
    language: float


STAGES = (
    Stage(0.30, 4, 0.80, 350, 1.0, 1.0),
    Stage(0.45, 6, 0.40, 400, 1.0, 0.5),
    Stage(0.70, 12, 0.30, 500, 0.4, 0.3),
    Stage(1.00, 20, 0.25, 1500, 0.2, 0.2),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Flat targets: `*_at` index the flattened (row, time) grid."""

    ids: Tensor
    positions: Tensor
    wrong_at: Tensor
    wrong: Tensor
    verdict_at: Tensor
    verdict: Tensor
    fluent_at: Tensor
    next_ids: Tensor
    answer_at: Tensor
    answer: Tensor
    looks: Tensor

    @property
    def tokens(self) -> int:
        return self.ids.numel()


class Teacher:
    """Draws candidates, builds prompts, packs prompts of similar length into batches."""

    def __init__(self, corpus: Corpus, phrases: Phrases, writer: Writer, seed: int) -> None:
        self.rng = Random(seed)
        self.phrases = phrases
        self.writer = writer
        self.prose = corpus.prose
        self.sources = {
            name: kept
            for name, texts in corpus.instructions.items()
            if (kept := [t for t in texts if stands_alone(t) and not SPACED.search(t)])
        }
        self.shares = [len(texts) ** SMOOTH for texts in self.sources.values()]

    def good(self, longest: int) -> str:
        """An instruction; now and then prose, which widens what is known to be in order."""
        while True:
            text = self.draw()
            # Short texts cost little to judge, and how many texts are judged is what counts.
            if len(text) <= longest and self.rng.random() < max(0.2, 200 / len(text)):
                return text

    def draw(self) -> str:
        draw = self.rng.random()
        if draw < OWN or not self.sources:
            return good_text(self.phrases, self.rng)
        if draw < OWN + OVER_PROSE:
            return over_prose(self.passage(), self.phrases, self.rng)
        if draw < OWN + OVER_PROSE + PROSE:
            return self.passage()
        source = self.rng.choices([*self.sources], self.shares)[0]
        return self.rng.choice(self.sources[source])

    def passage(self) -> str:
        while True:
            text = self.rng.choice(self.prose)
            if len(text) > 60 and not SPACED.search(text):
                return text

    def good_candidate(self, longest: int) -> Candidate:
        text = self.good(longest)
        draw = self.rng.random()
        if draw < 0.06:  # careless but clear: no reason to reject it
            text = text[0].lower() + text[1:]
        elif draw < 0.12:
            text = text.rstrip(".")
        return Candidate(Text(text), 1, True)

    def poor_candidate(self, longest: int) -> Candidate:
        sort = self.rng.choices([None, *POOR], [VAGUE, *POOR.values()])[0]
        if sort is None:
            return Candidate(Text(vague_text(self.phrases, self.rng)), 0, False)
        while True:
            if damaged := apply(sort, self.good(longest), self.rng):
                return Candidate(damaged, 0, False)

    def prose_candidate(self) -> Candidate:
        text = self.passage()
        if self.rng.random() < 0.5:
            sort = self.rng.choices([*READ], [*READ.values()])[0]
            if damaged := apply(sort, text, self.rng):
                return Candidate(damaged, None, False)
        return Candidate(Text(text), None, True)

    def prompt(self, stage: Stage) -> Episode:
        """A question over 2 to `stage.most` candidates with one good one, or with several."""
        rng = self.rng
        count = rng.randint(2, stage.most)
        good = 1
        if count > 3 and rng.random() < 0.6:
            good = rng.randint(2, max(2, round(count * 0.6)))
        longest = int(min(stage.longest, 12_000 / count))
        candidates = [self.good_candidate(longest) for _ in range(good)]
        candidates += [self.poor_candidate(longest) for _ in range(count - good)]
        rng.shuffle(candidates)
        quota = rng.randint(1, good)
        published = rng.random() < (0.75 if stage.most > 8 else 0.35)
        plan = Plan(quota, True, published, rng.random() < 0.5, rng.random() < 0.15)
        return self.writer.write(candidates, plan, rng)

    def page(self, stage: Stage) -> Episode:
        """A few candidates to be judged and read, nothing asked."""
        rng = self.rng
        candidates = []
        for _ in range(rng.randint(2, 3)):
            draw = rng.random()
            if draw < 0.25 and self.prose:
                candidates.append(self.prose_candidate())
            elif draw < 0.6:
                candidates.append(self.good_candidate(min(stage.longest, 500)))
            else:
                candidates.append(self.poor_candidate(min(stage.longest, 500)))
        return self.writer.write(candidates, Plan(asked=False, counted=False), rng)

    def batches(self, stage: Stage, budget: int) -> Iterator[Batch]:
        """Endless; each holds about `budget` tokens, padding included."""
        while True:
            queue = []
            for make, share in ((self.page, stage.reading), (self.prompt, 1 - stage.reading)):
                episodes: list[Episode] = []
                while sum(len(episode.ids) for episode in episodes) < 16 * budget * share:
                    episodes.append(make(stage))
                queue += pack(episodes, budget)
            self.rng.shuffle(queue)
            for group in queue:
                yield to_batch(group, self.writer.padding, self.rng)


def pack(episodes: list[Episode], budget: int) -> list[list[Episode]]:
    """Sorts by length, so that little of a batch is padding."""
    groups: list[list[Episode]] = []
    for episode in sorted(episodes, key=lambda episode: len(episode.ids)):
        if not groups or (len(groups[-1]) + 1) * len(episode.ids) > budget:
            groups.append([])
        groups[-1].append(episode)
    return groups


def to_batch(
    episodes: list[Episode], padding: int, rng: Random, fluent_share: float = 0.2
) -> Batch:
    """Pads on the right; nothing looks right in a causal network, so no mask is needed."""
    time = max(len(episode.ids) for episode in episodes)
    ids = torch.full((len(episodes), time), padding)
    positions = torch.zeros((len(episodes), time), dtype=torch.long)
    wrong: dict[int, int] = {}
    verdict: dict[int, int] = {}
    fluent: list[int] = []
    answers: list[tuple[int, int, float]] = []
    answer_at: list[int] = []
    looks: list[tuple[int, int]] = []
    for row, episode in enumerate(episodes):
        size, base = len(episode.ids), row * time
        ids[row, :size] = torch.tensor(episode.ids)
        positions[row, :size] = torch.tensor(episode.positions)
        wrong |= {base + at: value for at, value in episode.wrong.items()}
        verdict |= {base + at: value for at, value in episode.verdict.items()}
        fluent += [base + at for at in episode.fluent if rng.random() < fluent_share]
        for at, (shares, keys) in episode.answer.items():
            answers += [(len(answer_at), token, share) for token, share in shares.items()]
            looks += [(len(answer_at), base + key) for key in keys]
            answer_at.append(base + at)
    flat = ids.view(-1)
    # A text's token is predicted from the one before it.
    fluent_at = torch.tensor([at - 1 for at in fluent if at], dtype=torch.long)
    return Batch(
        ids,
        positions,
        torch.tensor(list(wrong), dtype=torch.long),
        torch.tensor(list(wrong.values()), dtype=torch.float32),
        torch.tensor(list(verdict), dtype=torch.long),
        torch.tensor(list(verdict.values()), dtype=torch.float32),
        fluent_at,
        flat[fluent_at + 1],
        torch.tensor(answer_at, dtype=torch.long),
        torch.tensor(answers, dtype=torch.float64).reshape(-1, 3),
        torch.tensor(looks, dtype=torch.long).reshape(-1, 2),
    )
