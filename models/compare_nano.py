"""A folder with both forms of a nano selector → whether they cut texts and predict alike.

    python models/compare_nano.py [FOLDER]

Compares token ids on 400 texts, and the next-token logits of transformers (float32 arithmetic)
and llama.cpp on 60 prompts; exits with 1 if any ids or any most likely token differ.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from nano.compose import good_text, load_phrases, vague_text  # noqa: E402
from nano.corrupt import KINDS, damage  # noqa: E402
from nano.reader import Reader  # noqa: E402

from localsel.stages.prompt import load_template, render  # noqa: E402

ODD = (
    "",
    " ",
    "\n",
    "\n\n\n  a",
    "a\tb\r\nc",
    "1234567890",
    "½ ² ٣ ४ Ⅷ 十",
    "don't we'll I'M it's",
    "  two  blanks  ",
    "<|eot_id|> [4] ]]",
    "naïve café — “quoted”…",
    "日本語のテキスト、123個。",
    "中文，测试！",
    "한국어 문장",
    "Привет, мир",
    "مرحبا بالعالم",
    "🙂👍🏽 emoji 👩‍👩‍👧",
    "x=1;y=[2,3]\n\tprint(x[y])",
    "a_b-c/d\\e",
    "$3.50 & 100%",
    "\u00a0non-breaking\u200bzero",
    "e\u0301 combining",
    "ABCdefGHI",
    "example.org/?a=1#b",
)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "nano-llama"
    reader = Reader(folder / f"{folder.name}.gguf")
    texts = [*ODD, *sample_texts(400 - len(ODD))]
    differing = compare_tokens(folder, reader, texts)
    agreeing, gap = compare_logits(folder, reader, texts[len(ODD) :])
    print(f"token ids: {len(texts) - differing} of {len(texts)} texts alike")
    print(f"most likely next token: {agreeing} of 60 prompts alike; largest logit gap {gap:.4f}")
    sys.exit(bool(differing or agreeing < 60))


def sample_texts(count: int) -> list[str]:
    """Good, vague and damaged instructions in turn."""
    rng, phrases = Random(5), load_phrases()
    texts: list[str] = []
    while len(texts) < count:
        text = good_text(phrases, rng)
        damaged = damage(text, rng.choice([*KINDS]), rng)
        texts += [text, vague_text(phrases, rng), damaged.text if damaged else text]
    return texts[:count]


def compare_tokens(folder: Path, reader: Reader, texts: list[str]) -> int:
    """How many texts the two tokenizers cut differently."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    differing = [t for t in texts if tokenizer.encode(t).ids != reader.tokens(t)]
    for text in differing:
        print(f"differs: {text!r}")
    return len(differing)


def compare_logits(folder: Path, reader: Reader, texts: list[str]) -> tuple[int, float]:
    """How often the most likely next token is the same, and the largest gap between logits."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM
    model = model.from_pretrained(folder, dtype=torch.float32).eval()
    template = load_template(HERE.parent / "prompts" / "published.toml")
    rng, agreeing, largest = Random(6), 0, 0.0
    for _ in range(60):
        prompt = render(template, rng.sample(texts, rng.randint(2, 20)), 1)
        tokens = reader.prompt_tokens(prompt)
        theirs = reader.logits(tokens, keep=0)
        with torch.no_grad():
            ours = model(torch.tensor([tokens])).logits[0, -1].numpy()
        agreeing += int(ours.argmax() == theirs.argmax())
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return agreeing, largest


if __name__ == "__main__":
    main()
