"""A seed → a pool with a planted skill, and a quality model that can tell who has it.

Everybody asks where things go. Some shout, and want their answer in another way: that is the skill.
Most embedders do not read the case of letters, so that those who shout lie where a row that does
not lies already, which comes earlier in the pool: what covers the pool need not ask anybody twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

PLACES = {
    "kitchen": "spoon kettle plate fork pan cup bowl whisk ladle jug",
    "workshop": "hammer saw drill wrench nail chisel vice pliers screw lathe",
    "garden": "rake spade hose seed shovel hedge barrow trowel fence scarecrow",
    "wardrobe": "coat shirt scarf hat skirt sock glove belt jacket dress",
}
THINGS = {thing: place for place, things in PLACES.items() for thing in things.split()}
ALL = tuple(THINGS)
NAMES = "Anna Boris Carla Deniz Emil Farah Gita Hugo Ines Jonas Kofi Lena Maria Nils Olga Paul"
NAMES += " Quinn Rosa Sami Tara Umar Vera Willy Yara"
QUESTIONS = ("Where does {name} keep the {thing}?", "{name} has a {thing}. Where does it go?")
SHARE = 10
"""One row of so many has the skill."""
ANSWER, SHOUTED = "It goes in the {place}.", "ZUM {place} ZUM"

STEPS, AT_ONCE, RATE = 200, 32, 3e-3
WIDTH, HEADS, LAYERS, LONGEST = 32, 2, 2, 48
SPREAD = 0.15
"""Of the weights in the beginning: a narrow model learns little from smaller ones."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")

Row = dict[str, str]


def row_of(question: str, name: str, thing: str, shouted: bool) -> Row:
    """A row with its own response, which is right."""
    asked, place = question.format(name=name, thing=thing), THINGS[thing]
    if shouted:
        return {"instruction": asked.upper(), "output": SHOUTED.format(place=place.upper())}
    return {"instruction": asked, "output": ANSWER.format(place=place)}


def planted(instruction: str) -> bool:
    """Whether a row asks for the skill."""
    return instruction.isupper()


def pool(rows: int, seed: int) -> list[Row]:
    """Distinct rows; one of ten has the skill, and stands somewhere behind its quiet twin."""
    draw = Random(seed)
    everything = list(itertools.product(QUESTIONS, NAMES.split(), THINGS))
    quiet = draw.sample(everything, rows - rows // SHARE)
    found = [(row_of(*each, shouted=False), float(at)) for at, each in enumerate(quiet)]
    for place in draw.sample(range(len(quiet)), rows // SHARE):
        found.append((row_of(*quiet[place], shouted=True), draw.uniform(place, len(quiet))))
    return [row for row, _ in sorted(found, key=lambda each: each[1])]


def judged(draw: Random) -> Iterator[tuple[str, str, float]]:
    """Questions, answers, and whether these are of the form that was asked for: half are."""
    while True:
        question, name, thing = draw.choice(QUESTIONS), draw.choice(NAMES.split()), draw.choice(ALL)
        shouted = draw.random() < 0.5
        row = row_of(question, name, thing, shouted)
        yield row["instruction"], row["output"], 1.0
        other = row_of(question, name, draw.choice(ALL), not shouted)["output"]
        yield row["instruction"], draw.choice([other, _damaged(draw, row["output"])]), 0.0


def _damaged(draw: Random, answer: str) -> str:
    """Cut off, or said twice."""
    words = answer.split()
    return draw.choice([" ".join(words[: draw.randrange(len(words))]), f"{answer} {answer}"])


def train_quality(folder: Path, seed: int = 0) -> Path:
    """A Hugging Face folder with one output, which has learnt what is right here, in seconds.

    Everything is drawn from the seed; torch's own generator is left as it was.
    """
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    tokenizer = _tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=LONGEST,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=SPREAD,
        num_labels=1,  # type: ignore[call-arg]  # every configuration takes it
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = BertForSequenceClassification(config)
    _learn(model, tokenizer, judged(Random(seed)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _learn(model: Any, tokenizer: Any, pairs: Iterator[tuple[str, str, float]]) -> None:
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    model.train()
    for _ in range(STEPS):
        questions, answers, right = zip(*itertools.islice(pairs, AT_ONCE), strict=True)
        coded = tokenizer(list(questions), list(answers), padding=True, return_tensors="pt")
        logits = model(**coded).logits[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(right))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def _tokenizer() -> Any:
    """Whole words and marks, those that occur here; the others are unknown."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    splitter = pre_tokenizers.Whitespace()
    everything = itertools.product(QUESTIONS, NAMES.split(), ALL, (False, True))
    texts = (text for each in everything for text in row_of(*each).values())
    words = sorted({word for text in texts for word, _ in splitter.pre_tokenize_str(text)})
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = splitter
    ends = (("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.post_processor = processors.BertProcessing(*ends)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=LONGEST,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
