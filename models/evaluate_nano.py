"""A GGUF file and instruction files → tables of how often it prefers good candidates to poor ones.

    python models/evaluate_nano.py                     # nano-llama on the example pool
    python models/evaluate_nano.py --data FILE... --trained FOLDER --model other.gguf

Good candidates are the instructions of a file that stand by themselves; poor ones are other
instructions of the same file after one damage (nano/corrupt.py), or vague ones that no training
has seen (`vague_unseen` in nano/phrases.toml). `--trained` leaves out every text that also occurs
in that folder of training files.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from nano.compose import load_phrases  # noqa: E402
from nano.corrupt import KINDS, WIDE, damage, stands_alone  # noqa: E402
from nano.reader import Reader  # noqa: E402
from nano.sources import instructions, read_corpus, rows, text_of, tidy  # noqa: E402

from localsel.stages.prompt import Template, load_template, render  # noqa: E402

SIZES = (2, 4, 8, 12, 14, 16, 20)
SEVERAL = ((8, 2, 2), (8, 3, 3), (14, 4, 4), (16, 4, 4), (20, 5, 5))  # candidates, good, chosen


@dataclass(frozen=True, slots=True)
class Source:
    """Good texts of one file, and poor ones that the file itself marks."""

    name: str
    good: list[str]
    marked_poor: list[str]


def main() -> None:
    options = parse_options()
    known = trained_texts(options.trained)
    sources = [read_source(path, known) for path in options.data]
    bench = Bench(
        Reader(options.model, threads=options.threads),
        load_template(options.prompt),
        load_phrases().vague_unseen,
        options.trials,
        Random(options.seed),
    )
    print(f"{options.model.name}, {options.trials} queries for every figure and source")
    for source in sources:
        print(f"\n## {source.name}: {len(source.good)} good texts\n", flush=True)
        bench.report(source)
    if len(sources) > 1:
        print("\n## All sources together\n")
        bench.total()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a nano selector.")
    parser.add_argument("--model", type=Path, default=HERE / "nano-llama" / "nano-llama.gguf")
    pool = HERE.parent / "examples" / "pool.jsonl"
    parser.add_argument("--data", type=Path, nargs="+", default=[pool], metavar="FILE")
    parser.add_argument("--trained", type=Path, metavar="FOLDER", help="leave out its texts")
    parser.add_argument("--prompt", type=Path, default=HERE.parent / "prompts" / "published.toml")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def trained_texts(folder: Path | None) -> set[str]:
    if folder is None:
        return set()
    return {plain(t) for texts in read_corpus(folder).instructions.values() for t in texts}


def plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


def read_source(path: Path, known: set[str]) -> Source:
    marked = {tidy(text_of(row)): str(row["quality"]) for row in rows(path) if "quality" in row}
    texts = [text for text in dict.fromkeys(instructions(path)) if plain(text) not in known]
    good = [t for t in texts if marked.get(t, "good") == "good" and is_clear(t)]
    return Source(path.stem, good, [text for text, worth in marked.items() if worth == "poor"])


def is_clear(text: str) -> bool:
    """At least six words, and no talk of a text that is not there."""
    words = len(text.split()) + len(WIDE.findall(text)) // 2
    return words >= 6 and len(text) <= 1200 and stands_alone(text)


class Bench:
    """Asks queries and counts."""

    def __init__(
        self, reader: Reader, template: Template, vague: list[str], trials: int, rng: Random
    ) -> None:
        self.reader = reader
        self.template = template
        self.vague = vague
        self.trials = trials
        self.rng = rng
        self.right: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    def report(self, source: Source) -> None:
        right, asked = Counter(self.right), Counter(self.asked)
        for size in SIZES:
            self.ask(f"1 of {size}", source, size, 1, [*KINDS, "vague"])
        for kind in (*KINDS, "vague"):
            self.ask(f"kind {kind}", source, 8, 1, [kind])
        for size, good, quota in SEVERAL:
            self.ask(f"{quota} of {size}", source, size, good, [*KINDS, "vague"], quota)
        if len(source.marked_poor) > 7:
            self.ask("kind as marked", source, 8, 1, ["marked"])
        show(self.right - right, self.asked - asked)

    def total(self) -> None:
        show(self.right, self.asked)

    def ask(
        self, name: str, source: Source, size: int, good: int, kinds: Sequence[str], quota: int = 1
    ) -> None:
        """Counts picks that are good; for one of eight also by where the good one stood."""
        for trial in range(self.trials):
            texts = [(text, True) for text in self.rng.sample(source.good, good)]
            poor = self.poor(source, size - good, kinds)
            texts += [(text, False) for text in poor]
            self.rng.shuffle(texts)
            if good == 1:  # every place equally often
                texts.sort(key=lambda pair: pair[1])
                texts.insert(trial % size, texts.pop())
            prompt = render(self.template, [text for text, _ in texts], quota)
            picks = self.reader.choose(prompt, quota)
            hits = sum(texts[int(label) - 1][1] for label in picks)
            names = [name]
            if name == "1 of 8":
                names.append(f"place {trial % size + 1}")
            for each in names:
                self.right[each] += hits
                self.asked[each] += quota

    def poor(self, source: Source, count: int, kinds: Sequence[str]) -> list[str]:
        """Texts in the kinds' turn; all different."""
        found: dict[str, None] = {}
        while len(found) < count:
            kind = self.rng.choice(kinds)
            if kind == "vague":
                found[self.rng.choice(self.vague)] = None
            elif kind == "marked":
                found[self.rng.choice(source.marked_poor)] = None
            elif damaged := damage(self.rng.choice(source.good), kind, self.rng):
                found[damaged.text] = None
        return list(found)


def show(right: Counter[str], asked: Counter[str]) -> None:
    """Markdown rows, one for each family of figures."""
    families: dict[str, list[str]] = {
        "one good among": [f"1 of {size}" for size in SIZES],
        "place of the good one among 8": [f"place {place}" for place in range(1, 9)],
        "one good among 8, all others": [f"kind {kind}" for kind in (*KINDS, "vague", "as marked")],
        "several": [f"{quota} of {size}" for size, _, quota in SEVERAL],
    }
    for title, names in families.items():
        print_row(title, [(name, right[name] / asked[name]) for name in names if asked[name]])


def print_row(title: str, cells: Iterable[tuple[str, float]]) -> None:
    cells = list(cells)
    print(
        f"| {title} | "
        + " | ".join(re.sub("^(1 of|kind|place) ", "", name) for name, _ in cells)
        + " |"
    )
    print("|---" * (len(cells) + 1) + "|")
    print("| good picks | " + " | ".join(f"{share:.1%}" for _, share in cells) + " |\n")


if __name__ == "__main__":
    main()
