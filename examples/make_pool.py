"""Take the hand-written tasks in pool/*.toml and write the example pool, pool.jsonl.

    python examples/make_pool.py            write examples/pool.jsonl
    python examples/make_pool.py --check    exit with 1 if the file on disk differs
    python examples/make_pool.py --counts   print the table shown in README.md

Every good row is written by hand. The near-duplicates are hand-written paraphrases
(`again` in the TOML files) and rows derived by NEAR_RULES; the poor rows are those of
pool/poor.toml and rows derived by POOR_RULES. All choices come from one fixed seed, by way
of `Random.random()` alone, the method whose sequence Python keeps from version to version.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "pool"
TARGET = HERE / "pool.jsonl"
SEED = 20240229
EXACT_COPIES = 4
GOOD, POOR, NEAR = "good", "poor", "near-duplicate"
LONG_WORDS = 12
SHORT_CHARACTERS = 120
UNSPACED = frozenset({"ja", "zh"})
KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True)
class Row:
    """One line of the pool; the order of the fields is the order of the keys."""

    instruction: str
    input: str
    topic: str
    language: str
    quality: str


@dataclass
class Sources:
    """The hand-written rows; `paraphrases` belong one by one to those of `told_twice`."""

    told_once: list[Row] = field(default_factory=list)
    told_twice: list[Row] = field(default_factory=list)
    paraphrases: list[Row] = field(default_factory=list)
    poor: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Rule:
    """A named way to derive `count` rows from good rows that `suits` accepts."""

    count: int
    suits: Callable[[Row], bool]
    derive: Callable[[Row, random.Random], Row]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pool, compare it with the file on disk, or count it."""
    parser = argparse.ArgumentParser(description="Make the example pool of localsel.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="exit with 1 if pool.jsonl differs")
    mode.add_argument("--counts", action="store_true", help="print rows by language and quality")
    options = parser.parse_args(argv)
    rows = make_rows()
    if options.counts:
        print(count_table(rows))
        return 0
    if options.check:
        return check(render(rows))
    TARGET.write_bytes(render(rows))
    print(f"{TARGET.name}: {len(rows)} rows")
    return 0


def check(wanted: bytes) -> int:
    """Return 0 if the file on disk holds exactly `wanted`, else say so and return 1."""
    if TARGET.is_file() and TARGET.read_bytes() == wanted:
        return 0
    print(f"{TARGET.name} differs from what make_pool.py writes; run it again", file=sys.stderr)
    return 1


def render(rows: Iterable[Row]) -> bytes:
    """Return the rows as JSON Lines in UTF-8."""
    lines = (json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
    return "".join(lines).encode("utf-8")


def make_rows() -> list[Row]:
    """Return all rows of the pool in their final order."""
    texts = read_sources()
    rng = random.Random(SEED)
    free = mixed(texts.told_once, rng)
    near = derive_all(NEAR_RULES, free, rng)
    copies = [replace(row, quality=NEAR) for row in free[:EXACT_COPIES]]
    del free[:EXACT_COPIES]
    worse = derive_all(POOR_RULES, free, rng)
    by_hand = [*texts.told_once, *texts.told_twice, *texts.paraphrases, *texts.poor]
    return mixed([*by_hand, *near, *copies, *worse], rng)


def read_sources() -> Sources:
    """Return everything that is written by hand, in the order of the files."""
    texts = Sources()
    for path in sorted(SOURCES.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for task in document["task"]:
            row = Row(
                instruction=task["ask"].strip("\n"),
                input=task.get("input", "").strip("\n"),
                topic=task.get("topic", document["topic"]),
                language=task.get("language", "en"),
                quality=POOR if path.stem == "poor" else GOOD,
            )
            if row.quality == POOR:
                texts.poor.append(row)
            elif "again" in task:
                texts.told_twice.append(row)
                texts.paraphrases.append(replace(row, instruction=task["again"], quality=NEAR))
            else:
                texts.told_once.append(row)
    return texts


def mixed(rows: Iterable[Row], rng: random.Random) -> list[Row]:
    """Return the rows in an order drawn from `rng`."""
    return [row for _, _, row in sorted((rng.random(), at, row) for at, row in enumerate(rows))]


def derive_all(rules: dict[str, Rule], free: list[Row], rng: random.Random) -> list[Row]:
    """Apply every rule to its first suitable rows, taking those rows out of `free`."""
    derived: list[Row] = []
    for name, rule in rules.items():
        chosen = [row for row in free if rule.suits(row)][: rule.count]
        if len(chosen) < rule.count:
            raise ValueError(f"rule {name}: only {len(chosen)} of {rule.count} rows suit it")
        for row in chosen:
            free.remove(row)
            derived.append(rule.derive(row, rng))
    return derived


def count_table(rows: Iterable[Row]) -> str:
    """Return a Markdown table of the rows by language and quality."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts.update(product((row.language, "all"), (row.quality, "all")))
    columns = (GOOD, POOR, NEAR, "all")
    lines = [f"| language | {' | '.join(columns)} |", "|---" + "|---:" * len(columns) + "|"]
    languages = {language for language, _ in counts} - {"all"}
    ranked = sorted(languages, key=lambda language: (-counts[language, "all"], language))
    for language in [*ranked, "all"]:
        cells = (str(counts[language, column]) for column in columns)
        lines.append(f"| {language} | {' | '.join(cells)} |")
    return "\n".join(lines)


# Near-duplicates: the same request in other clothes.


def unpunctuated(row: Row, _: random.Random) -> Row:
    """Lower-case the instruction and drop its last mark."""
    return replace(row, instruction=row.instruction.lower().rstrip(".?!"), quality=NEAR)


def shouted(row: Row, _: random.Random) -> Row:
    """Write the instruction in capitals."""
    return replace(row, instruction=row.instruction.upper(), quality=NEAR)


def polite(row: Row, _: random.Random) -> Row:
    """Put "Please" in front of the instruction."""
    text = row.instruction
    return replace(row, instruction=f"Please {text[0].lower()}{text[1:]}", quality=NEAR)


def typographic(row: Row, _: random.Random) -> Row:
    """Replace straight apostrophes by curly ones."""
    return replace(row, instruction=row.instruction.replace("'", "\u2019"), quality=NEAR)


def spaced(row: Row, _: random.Random) -> Row:
    """Double every space, and leave one at the end."""
    return replace(row, instruction=row.instruction.replace(" ", "  ") + " ", quality=NEAR)


# Poor rows: what forms, scrapers and cats leave behind.


def cut_off(row: Row, rng: random.Random) -> Row:
    """Stop in the middle of a word, somewhere between a third and two thirds of the way."""
    words = row.instruction.split()
    kept = words[: int(len(words) * (1 / 3 + rng.random() / 3)) + 1]
    kept[-1] = kept[-1][: (len(kept[-1]) + 1) // 2]
    return replace(row, instruction=" ".join(kept), input="", quality=POOR)


def jumbled(row: Row, rng: random.Random) -> Row:
    """Draw a new order for the words."""
    words = sorted(row.instruction.split(), key=lambda _: rng.random())
    return replace(row, instruction=" ".join(words), input="", quality=POOR)


def stuttered(row: Row, rng: random.Random) -> Row:
    """Say the first few words again and again."""
    start = " ".join(row.instruction.split()[: 3 + int(rng.random() * 3)])
    times = 3 + int(rng.random() * 4)
    return replace(row, instruction=" ".join([start] * times), input="", quality=POOR)


def input_lost(row: Row, _: random.Random) -> Row:
    """Keep the instruction and lose the text that it speaks of."""
    return replace(row, input="", quality=POOR)


def mashed(row: Row, rng: random.Random) -> Row:
    """Replace the words by blows on a keyboard, each on one of its three rows."""
    words = []
    for _ in range(2 + int(rng.random() * 7)):
        keys = KEYBOARD[int(rng.random() * len(KEYBOARD))]
        length = 3 + int(rng.random() * 8)
        words.append("".join(keys[int(rng.random() * len(keys))] for _ in range(length)))
    return replace(row, instruction=" ".join(words), input="", topic="misc", quality=POOR)


def long_enough(row: Row) -> bool:
    """Tell whether the instruction has words between spaces, and a dozen of them."""
    return row.language not in UNSPACED and len(row.instruction.split()) >= LONG_WORDS


def english(row: Row) -> bool:
    """Tell whether the row is English and short enough to be typed without care."""
    return row.language == "en" and len(row.instruction) <= SHORT_CHARACTERS


def imperative(row: Row) -> bool:
    """Tell whether "Please" can stand before the English instruction."""
    starts = ("Compare ", "Describe ", "Design ", "Explain ", "Give ", "List ", "Write ")
    return row.language == "en" and row.instruction.startswith(starts)


def apostrophised(row: Row) -> bool:
    """Tell whether the instruction has an apostrophe inside a word and no quotation."""
    return row.language == "en" and row.instruction.count("'") == 1


def speaks_of_input(row: Row) -> bool:
    """Tell whether the instruction points at an input that the row has."""
    pointers = ("below", "the following", "these ", "this ")
    return bool(row.input) and any(word in row.instruction for word in pointers)


NEAR_RULES = {
    "unpunctuated": Rule(2, english, unpunctuated),
    "shouted": Rule(1, english, shouted),
    "polite": Rule(2, imperative, polite),
    "typographic": Rule(1, apostrophised, typographic),
    "spaced": Rule(2, long_enough, spaced),
}
POOR_RULES = {
    "input-lost": Rule(6, speaks_of_input, input_lost),
    "cut-off": Rule(10, long_enough, cut_off),
    "jumbled": Rule(9, long_enough, jumbled),
    "stuttered": Rule(6, long_enough, stuttered),
    "mashed": Rule(5, english, mashed),
}


if __name__ == "__main__":
    sys.exit(main())
