"""Permissively licensed instructions and our own phrases → models/nano-gemma2 or models/nano-llama.

    python models/train_nano.py --data FOLDER                                    # from nothing
    python models/train_nano.py --data FOLDER --architecture llama --start models/nano-llama

FOLDER holds the files named in `nano.sources.TRAINED`; what is missing is left out, and without
--data only our own phrases are used, which is enough for a try and not for the published figures.
`--start` goes on from a folder with the last stages; a Llama may go on as a Gemma-2, as
nano/adopt.py has it.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a busy machine is several times slower else

import torch
from tokenizers import Tokenizer
from torch import Tensor, autograd, distributed
from torch.multiprocessing.spawn import spawn

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from nano.adopt import go_on  # noqa: E402
from nano.architecture import FAMILIES, Network, Shape  # noqa: E402
from nano.compose import Phrases, good_text, load_phrases, vague_text  # noqa: E402
from nano.episodes import HEADS, TAILS, Writer  # noqa: E402
from nano.export import export  # noqa: E402
from nano.lessons import STAGES, Teacher  # noqa: E402
from nano.losses import Judge, losses  # noqa: E402
from nano.sources import Corpus, read_corpus  # noqa: E402
from nano.vocabulary import CHATS, Chat, train_tokenizer  # noqa: E402

from localsel.stages.prompt import Template, load_template, show  # noqa: E402

VOCABULARY = 3072


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        spawn(work, (options, meeting), nprocs=options.workers)  # type: ignore[no-untyped-call]


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a nano selector.")
    parser.add_argument("--data", type=Path, help="folder of permissively licensed instructions")
    parser.add_argument("--out", type=Path, help="default: models/nano-ARCHITECTURE")
    parser.add_argument("--start", type=Path, help="go on from this folder")
    parser.add_argument("--architecture", choices=FAMILIES, default="gemma2")
    parser.add_argument("--steps", type=int, default=3500)
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="end after so many, decayed"
    )
    parser.add_argument("--tokens", type=int, default=3072, help="tokens per step and worker")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    options.out = options.out or HERE / f"nano-{options.architecture}"
    return options


def work(rank: int, options: argparse.Namespace, meeting: str) -> None:
    """One of several equal workers: each reads its own prompts, all share one gradient.

    Two processes of one thread get through more on a busy machine than one of two threads,
    which would wait for each other after every product instead of once a step.
    """
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=options.workers
    )
    torch.set_num_threads(1)
    keep_memory()
    corpus = read_corpus(options.data) if options.data else Corpus()
    phrases = load_phrases()
    template = load_template(HERE.parent / "prompts" / "published.toml")
    chat, family = CHATS[options.architecture], FAMILIES[options.architecture]
    seed = options.seed * 1000 + rank
    torch.manual_seed(options.seed)

    def teach(tokenizer: Tokenizer, chat: Chat, seed: int) -> Teacher:
        return Teacher(corpus, phrases, Writer(tokenizer, chat, template), seed)

    def show_some(tokenizer: Tokenizer, chat: Chat) -> tuple[Tensor, Tensor]:
        batch = next(teach(tokenizer, chat, options.seed).batches(STAGES[-2], options.tokens))
        return batch.ids, batch.positions

    if options.start:
        tokenizer, model = go_on(options.start, family, show_some)
    else:
        tokenizer = train_tokenizer(vocabulary_texts(corpus, phrases, template), VOCABULARY, chat)
        shape = Shape(tokenizer.get_vocab_size(), width=options.width, layers=options.layers)
        model = Network(shape, family)
    judge = Judge(model.shape.width)
    torch.manual_seed(seed)
    teacher = teach(tokenizer, chat, seed)
    train(model, judge, teacher, tokenizer, options)
    if not rank:
        export(model, tokenizer, options.out, options.out.name)
    distributed.destroy_process_group()


def keep_memory() -> None:
    """Tells glibc not to hand big blocks back: fetching them anew costs a third of a step."""
    if sys.platform == "linux":
        trim_threshold, mmap_threshold = -1, -3
        for option in (trim_threshold, mmap_threshold):
            ctypes.CDLL(None).mallopt(option, 1 << 30)


def vocabulary_texts(corpus: Corpus, phrases: Phrases, template: Template) -> Iterator[str]:
    """What the tokens are cut for: instructions, answers, our phrases, the prompts themselves."""
    rng = Random(0)
    for texts in corpus.instructions.values():
        yield from texts
    yield from corpus.prose[::3]
    for _ in range(3000):
        yield good_text(phrases, rng)
        yield vague_text(phrases, rng)
        yield show(template, rng.randint(1, 99), "Text.")
    for _ in range(40):
        yield from (template.head.format(criteria=template.criteria), template.tail, *HEADS, *TAILS)


def train(
    model: Network,
    judge: Judge,
    teacher: Teacher,
    tokenizer: Tokenizer,
    options: argparse.Namespace,
) -> None:
    optimizers = make_optimizers(model, judge)
    parameters = [*model.parameters(), *judge.parameters()]
    log = Log()
    lessons = {stage: teacher.batches(stage, options.tokens) for stage in STAGES}
    partial = options.out.with_name(f"{options.out.name}.partial")
    if not distributed.get_rank():
        print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    for step in itertools.count():
        progress = agree(max(step / options.steps, log.minutes / options.minutes))
        if progress >= 1:
            break
        skipped = STAGES[1].until if options.start else 0.0
        stage = next(s for s in STAGES if skipped + (1 - skipped) * progress < s.until)
        batch = next(lessons[stage])
        terms = losses(model, judge, batch, stage)
        autograd.backward([sum(terms.values(), torch.zeros(()))])
        share_gradients(parameters)
        learn(parameters, optimizers, rate(step, progress))
        if not distributed.get_rank():
            log.note(step, batch.tokens, terms)
            if step % 100 == 99:
                export(model, tokenizer, partial, options.out.name)


def agree(progress: float) -> float:
    """The first worker's clock counts."""
    told = torch.tensor([progress], dtype=torch.float64)
    distributed.broadcast(told, 0)
    return float(told)


def make_optimizers(model: Network, judge: Judge) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices; AdamW for the rest, gently for the tiny final norm."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    vectors = [p for p in model.blocks.parameters() if p.ndim == 1]
    groups = [
        {"params": [model.embedding.weight, *vectors], "lr": 3e-3},
        {"params": [model.norm.weight], "lr": 2e-4 / model.filed},
        {"params": list(judge.parameters()), "lr": 3e-3},
    ]
    muon = torch.optim.Muon(
        matrices, lr=4e-3, weight_decay=0.02, adjust_lr_fn="match_rms_adamw", ns_steps=4
    )
    adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["full"] = group["lr"]
    return [muon, adam]


def rate(step: int, progress: float) -> float:
    """Warms up over 30 steps, holds, and falls to nothing over the last 60 %."""
    return min(1.0, (step + 1) / 30) * min(1.0, (1 - progress) / 0.6)


def share_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Every worker goes on with the mean of all."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    start = 0
    for parameter in parameters:
        parameter.grad = flat[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()


def learn(
    parameters: list[torch.nn.Parameter], optimizers: list[torch.optim.Optimizer], scale: float
) -> None:
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * scale
        optimizer.step()
        optimizer.zero_grad()


class Log:
    """Running means of the losses, printed now and then."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.tokens = 0
        self.means: dict[str, float] = {}

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self.began) / 60

    def note(self, step: int, tokens: int, terms: dict[str, Tensor]) -> None:
        self.tokens += tokens
        for name, value in terms.items():
            self.means[name] = 0.95 * self.means.get(name, value.item()) + 0.05 * value.item()
        if step % 20 == 0:
            shown = " ".join(f"{name} {value:.3f}" for name, value in self.means.items())
            millions = self.tokens * distributed.get_world_size() / 1e6
            print(
                f"{self.minutes:5.1f} min, step {step}, {millions:.2f}M tokens: {shown}", flush=True
            )


if __name__ == "__main__":
    main()
