"""A file of instructions → how many tokens a query of 14 is to Gemma and to Llama-3.1.

    python -m tests.prompt_tokens FILE [QUERIES]

draws seeded queries from the file, as `--grouping random` does, and counts them whole: nothing is
shortened to fit a context.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from localsel.records import Instruction
from localsel.stages.load import Row, open_rows
from localsel.stages.prompt import find_template, render
from tests.families import FAMILIES, gguf_reader
from tests.vocabularies import fetch

SIZE, QUERIES = 14, 500
CONTEXTS = (4096, 8192)


def main(file: Path, queries: int = QUERIES) -> None:
    _, rows = open_rows(file)
    texts = [
        Instruction(row.row, row.instruction, row.input).text
        for row in rows
        if isinstance(row, Row)
    ]
    drawn = [
        np.random.default_rng([0, query]).choice(len(texts), SIZE, replace=False)
        for query in range(queries)
    ]
    prompts = [render(find_template("published"), [texts[row] for row in one], 1) for one in drawn]
    fetch()
    print(f"{queries} queries of {SIZE} of {len(texts):,} instructions")
    for name, family in FAMILIES.items():
        with tempfile.TemporaryDirectory() as folder:
            reader = gguf_reader(family, Path(folder) / "model.gguf")
            counts = np.array([reader.count_prompt(prompt) for prompt in prompts])
            around = len(reader._before) + len(reader._after)
            reader.close()
        low, middle, high = np.percentile(counts, [5, 50, 95])
        above = ", ".join(f"{(counts > most).mean():.1%} above {most:,}" for most in CONTEXTS)
        print(
            f"{name} on the vocabulary of {family.vocabulary}: median {middle:,.0f}, "
            f"90 of 100 in {low:,.0f} to {high:,.0f}, longest {counts.max():,}, {above}; "
            f"{around} of them are the template's"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
