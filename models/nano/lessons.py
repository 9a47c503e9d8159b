"""A corpus and a stage of the curriculum → batches of tensors, endlessly new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from nano.compose import Phrases, good_text, vague_text
from nano.corrupt import Text, damage, stands_alone
from nano.episodes import Candidate, Episode, Plan, Writer
from nano.sources import Corpus
from torch import Tensor

# Shuffles, slips and cut ends are the hard ones, so they come most often.
POOR = {"broken": 30, "garbled": 22, "truncated": 18, "repeated": 10, "vague": 20}
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
            if (kept := [text for text in texts if stands_alone(text)])
        }
        self.own = sum(len(texts) ** SMOOTH for texts in self.sources.values()) * 0.12 or 1.0

    def good(self, longest: int) -> str:
        weights = [len(texts) ** SMOOTH for texts in self.sources.values()]
        while True:
            source = self.rng.choices([*self.sources, ""], [*weights, self.own])[0]
            text = (
                self.rng.choice(self.sources[source])
                if source
                else good_text(self.phrases, self.rng)
            )
            # Short texts cost little to judge, and how many texts are judged is what counts.
            if len(text) <= longest and self.rng.random() < max(0.15, 160 / len(text)):
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
        kind = self.rng.choices([*POOR], [*POOR.values()])[0]
        if kind == "vague":
            return Candidate(Text(vague_text(self.phrases, self.rng)), 0, False)
        while True:
            if damaged := damage(self.good(longest), kind, self.rng):
                return Candidate(damaged, 0, False)

    def prose_candidate(self) -> Candidate:
        text = self.rng.choice(self.prose)
        if self.rng.random() < 0.5:
            kind = self.rng.choice(("broken", "broken", "garbled", "repeated"))
            if damaged := damage(text, kind, self.rng):
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
            if draw < 0.2 and self.prose:
                candidates.append(self.prose_candidate())
            elif draw < 0.58:
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
