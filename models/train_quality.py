"""Our own phrases → models/nano-quality, which tells good answers from damaged ones.

    python models/train_quality.py                                        # train, and measure
    python models/train_quality.py --start models/nano-quality --data FOLDER --steps 250
    python models/train_quality.py --measure models/nano-quality [--on FILE...]

FOLDER holds the files named in `nano.sources.TRAINED`, all of permissive licences; half of the
pairs are theirs then. One process, one thread, one seed: the same bits on the same machine. What
is measured is made of phrases that no training has seen, or of the rows of instruction files.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, processors
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import LlamaConfig, LlamaForSequenceClassification

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from nano.answers import ENDS, Composer, Pair, damages  # noqa: E402
from nano.compose import load_phrases  # noqa: E402
from nano.sources import TRAINED  # noqa: E402
from nano.vocabulary import LLAMA_CHAT, write_json  # noqa: E402

from localsel.errors import AnswerError  # noqa: E402
from localsel.quality import QualityModel  # noqa: E402
from localsel.stages.load import Row, open_rows  # noqa: E402

LAYERS, LENGTH = 3, 512
SHORTEST, LONGEST = 40, 900
"""Letters of an answer that is damaged: shorter ones may have no word to lose."""
GOOD = 0.42
"""Share of good answers in training."""
HARD = {"off topic": 4, "shuffled": 2, "garbled": 1, "truncated": 3, "repeated": 2, "empty": 0.7}
"""How often each damage is drawn: what is hard to see, most often."""


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    if options.measure is None:
        tokenizer = pair_tokenizer(options.start)
        model = train(tokenizer, options)
        export(model, tokenizer, options.out)
    measure(options.measure or options.out, options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a nano quality model.")
    parser.add_argument("--out", type=Path, default=HERE / "nano-quality")
    parser.add_argument("--measure", type=Path, metavar="FOLDER", help="measure, train nothing")
    parser.add_argument("--on", type=Path, nargs="*", default=[], help="measure on these, too")
    parser.add_argument("--data", type=Path, help="folder of permissively licensed instructions")
    parser.add_argument("--start", type=Path, default=HERE / "nano-llama")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--tokens", type=int, default=1536, help="of a step, padding included")
    parser.add_argument("--trials", type=int, default=400, help="pairs of each measurement")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def pair_tokenizer(folder: Path) -> Tokenizer:
    """A nano selector's, with a token before the question, between the two, and at the end."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    begin, end = LLAMA_CHAT.begin, LLAMA_CHAT.turn_end
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B {end}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )
    tokenizer.enable_truncation(LENGTH, strategy="longest_first")
    return tokenizer


def network(tokenizer: Tokenizer, folder: Path) -> LlamaForSequenceClassification:
    """The lower layers of a nano selector, which can read, and an output that says nothing yet."""
    config = LlamaConfig.from_pretrained(folder, local_files_only=True)
    config.num_hidden_layers = LAYERS
    config.max_position_embeddings = LENGTH
    config.num_labels, config.dtype = 1, torch.float32
    model = LlamaForSequenceClassification(config)
    known = load_file(folder / "model.safetensors")
    read = {name: known[name].float() for name in model.state_dict() if name in known}
    model.load_state_dict(read, strict=False)
    if "score.weight" not in known:
        with torch.no_grad():
            model.score.weight.zero_()
            # A selector's is small, so that its own output could learn.
            model.model.norm.weight.fill_(1.0)
    return model


def batches(
    composer: Composer, tokenizer: Tokenizer, size: int, rng: Random
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Ids, mask and targets of about `size` tokens, endlessly new ones."""
    made, padding = damages(composer), tokenizer.token_to_id(LLAMA_CHAT.padding)
    while True:
        drawn = []
        for _ in range(512):
            pair, is_good = composer.pair(rng), rng.random() < GOOD
            name = rng.choices([*HARD], [*HARD.values()])[0]
            answer = pair.answer if is_good else made[name](pair, rng)
            drawn.append((tokenizer.encode(pair.question, answer).ids, float(is_good)))
        drawn.sort(key=lambda each: len(each[0]))
        groups: list[list[tuple[list[int], float]]] = [[]]
        for each in drawn:
            if (len(groups[-1]) + 1) * len(each[0]) > size:
                groups.append([])
            groups[-1].append(each)
        rng.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            gaps = [width - len(ids) for ids, _ in group]
            padded = [ids + [padding] * gap for (ids, _), gap in zip(group, gaps, strict=True)]
            mask = [[1] * (width - gap) + [0] * gap for gap in gaps]
            targets = torch.tensor([target for _, target in group])
            yield torch.tensor(padded), torch.tensor(mask), targets


def train(tokenizer: Tokenizer, options: argparse.Namespace) -> LlamaForSequenceClassification:
    torch.manual_seed(options.seed)
    model = network(tokenizer, options.start).train()
    print(f"{model.num_parameters():,} parameters", flush=True)
    composer = Composer.load(load_phrases())
    if options.data:
        composer = Half.read(options.data, composer)
    lessons = batches(composer, tokenizer, options.tokens, Random(options.seed))
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    began, mean, tokens = time.monotonic(), math.log(2), 0
    for step in range(options.steps):
        ids, mask, targets = next(lessons)
        logits = model(input_ids=ids, attention_mask=mask).logits[:, 0]
        loss = binary_cross_entropy_with_logits(logits, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * rate(step / options.steps)
        optimizer.step()
        optimizer.zero_grad()
        mean, tokens = 0.98 * mean + 0.02 * float(loss.detach()), tokens + ids.numel()
        if step % 100 == 99:
            minutes = (time.monotonic() - began) / 60
            print(
                f"{minutes:4.1f} min, step {step + 1}, {tokens / 1e6:.1f}M tokens: {mean:.3f}",
                flush=True,
            )
    return model.eval()


def rate(progress: float) -> float:
    """Warms up over a fiftieth, then falls as a cosine does."""
    return min(1.0, progress * 50 + 0.02) * (1 + math.cos(math.pi * progress)) / 2


def export(model: LlamaForSequenceClassification, tokenizer: Tokenizer, folder: Path) -> None:
    """float16 weights, the configuration, and a tokenizer of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(str(folder))
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    chat = LLAMA_CHAT
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": LENGTH,
            "bos_token": chat.begin,
            "eos_token": chat.turn_end,
            "pad_token": chat.padding,
            "clean_up_tokenization_spaces": False,
        },
    )


def measure(folder: Path, options: argparse.Namespace) -> None:
    """For each damage: how often the good answer is rated higher than the damaged one."""
    model = QualityModel.open(folder, threads=1)
    own = Composer.load(load_phrases(), held_out=True)
    show("our own phrases, held out", model, own, options)
    for path in options.on:
        show(path.name, model, Rows.read(path, own), options)


@dataclass(frozen=True, slots=True)
class Rows(Composer):
    """The same of the rows of a file: off topic is the answer of another row."""

    pairs: Sequence[Pair]

    @classmethod
    def read(cls, path: Path, own: Composer) -> Rows:
        found = (row for row in open_rows(path)[1] if isinstance(row, Row))
        rows = [row for row in found if len(row.response) > SHORTEST]
        pairs = [Pair(asked(row), str(row.response), str(row.row)) for row in rows]
        return cls(own.phrases, own.answers, True, pairs)

    def pair(self, rng: Random) -> Pair:
        return rng.choice(self.pairs)


@dataclass(frozen=True, slots=True)
class Half(Rows):
    """Half of the pairs composed, half of them from files that may be learnt from."""

    @classmethod
    def read(cls, path: Path, own: Composer) -> Half:
        files = [path / name for name in TRAINED if (path / name).exists()]
        rows = [row for file in files for row in open_rows(file)[1] if isinstance(row, Row)]
        pairs = [
            Pair(asked(row)[:400], row.response, f"{place}")
            for place, row in enumerate(rows)
            if SHORTEST < len(row.response) < LONGEST and row.response.rstrip()[-1] in ENDS
        ]
        print(f"{len(pairs):,} pairs of {len(files)} files", flush=True)
        return cls(own.phrases, own.answers, own.held_out, pairs)

    def pair(self, rng: Random) -> Pair:
        return rng.choice(self.pairs) if rng.random() < 0.5 else Composer.pair(self, rng)


def asked(row: Row) -> str:
    return f"{row.instruction}\n{row.input}" if row.input else row.instruction


def show(name: str, model: QualityModel, composer: Composer, options: argparse.Namespace) -> None:
    rng = Random(options.seed + 1)
    pairs = [composer.pair(rng) for _ in range(options.trials)]
    good = rated(model, [(pair.question, pair.answer) for pair in pairs])
    above = sum(score > 0 for score in good) / len(good)
    print(f"\n{name}: {len(pairs)} pairs, {above:.1%} of the good answers above 0")
    for damage, make in damages(composer).items():
        bad = rated(model, [(pair.question, make(pair, rng)) for pair in pairs])
        right = sum(a > b for a, b in zip(good, bad, strict=True)) / len(bad)
        below = sum(score <= 0 for score in bad) / len(bad)
        print(f"{damage:>12}: {right:6.1%} below the good answer, {below:6.1%} not above 0")


def rated(model: QualityModel, pairs: Sequence[tuple[str, str]]) -> list[float]:
    scores = list(model.scores(pairs))
    return [math.nan if isinstance(score, AnswerError) else score for score in scores]


if __name__ == "__main__":
    main()
