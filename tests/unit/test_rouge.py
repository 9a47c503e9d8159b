"""Texts → the same ROUGE-L as rouge-score's, and the rows that share least with others."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from localsel.methods.base import Journal, Pool, Progress, Remark, Tools
from localsel.methods.overlap import Overlap, tokens
from localsel.methods.rouge import OTHERS, Rouge, others_of
from localsel.records import Instruction, Pick
from localsel.settings import Settings
from tests.cli.conftest import read_lines
from tests.conftest import CHECKOUT

# The first call compiles, which no deadline should count.
relaxed = settings(deadline=None, max_examples=150, derandomize=True)

WORDS = st.sampled_from(
    ["the", "a", "Write", "poem", "2", "of", "sea", "x-ray", "don't", "é", "山"]
)
TEXTS = st.lists(
    st.one_of(st.lists(WORDS, max_size=150).map(" ".join), st.text(max_size=40)),
    min_size=2,
    max_size=4,
)


class OurTokens:
    """What rouge-score asks of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def largest(texts: list[str]) -> list[float]:
    """Of each text with any of the others."""
    overlap = Overlap.of(texts)
    rows = np.arange(len(texts))
    drawn = others_of(rows, len(texts), np.random.default_rng(0))
    return [float(value) for value in overlap.largest(rows, drawn)]


def by_rouge_score(texts: list[str], scorer: RougeScorer) -> list[float]:
    """The same, pair by pair."""
    return [
        max(
            scorer.score(text, other)["rougeL"].fmeasure
            for place, other in enumerate(texts)
            if place != row
        )
        for row, text in enumerate(texts)
    ]


def is_plain(text: str) -> bool:
    """Whether rouge-score sees all letters and digits of a text; new scripts are nobody's yet."""
    rest = (each for each in text.lower() if not (each.isascii() and each.isalnum()))
    kinds = {unicodedata.category(each) for each in rest}
    return not any(kind[0] in "LM" or kind in ("Nd", "Cn") for kind in kinds)


# --- the measure ---------------------------------------------------------------------------------


@relaxed
@given(TEXTS)
def test_it_is_rouge_l_of_all_texts(texts: list[str]) -> None:
    expected = by_rouge_score(texts, RougeScorer(["rougeL"], tokenizer=OurTokens()))
    found = largest(texts)
    for text, value, other in zip(texts, found, expected, strict=True):
        if tokens(text):
            assert value == pytest.approx(other, abs=1e-9)
        else:
            assert np.isnan(value)


@relaxed
@given(st.text(max_size=60))
def test_the_tokens_are_those_of_rouge_score_where_it_sees_all(text: str) -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    if is_plain(text):
        assert tokens(text) == DefaultTokenizer(use_stemmer=False).tokenize(text)


def test_it_is_rouge_l_of_real_texts() -> None:
    rows = read_lines(CHECKOUT / "examples" / "pool.jsonl")
    texts = [row["instruction"] for row in rows if is_plain(row["instruction"])][:120]
    assert len(texts) == 120
    expected = by_rouge_score(texts, RougeScorer(["rougeL"]))
    assert largest(texts) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("size", [63, 64, 65, 128, 129, 700])
def test_texts_longer_than_a_machine_word(size: int) -> None:
    generator = np.random.default_rng(size)
    texts = [
        " ".join(f"w{each}" for each in generator.integers(0, 30, length))
        for length in (size, size - 7, size + 9, 5)
    ]
    expected = by_rouge_score(texts, RougeScorer(["rougeL"]))
    assert largest(texts) == pytest.approx(expected, abs=1e-9)


def test_letters_of_every_script_count() -> None:
    assert tokens("Un café, 3 THÉS_noirs!") == ["un", "café", "3", "thés", "noirs"]
    assert tokens("写一首诗 about 山") == ["写", "一", "首", "诗", "about", "山"]
    assert tokens("हिन्दी में लिखो") == ["हिन्दी", "में", "लिखो"]
    assert tokens("½ ² ☺ — _") == []
    # Half of the characters are shared, which rouge-score would not see.
    assert largest(["写一首诗", "写一封信"]) == [0.5, 0.5]


# --- the method ----------------------------------------------------------------------------------


def told(texts: list[str], budget: int, seed: int = 0) -> list[Pick | Progress | Remark]:
    """All that the method says; rows are 10, 13, 16, …"""
    rows = tuple(Instruction(10 + 3 * place, text) for place, text in enumerate(texts))
    options = Settings(data=Path("data.jsonl"), budget=budget, method="rouge", seed=seed)
    return list(Rouge(Tools(options, Journal())).picks(Pool(rows), budget))


def picked(texts: list[str], budget: int, seed: int = 0) -> list[int]:
    return [each.row for each in told(texts, budget, seed) if isinstance(each, Pick)]


def test_the_least_like_all_others_come_first_and_equal_ones_by_row() -> None:
    texts = ["write a poem", "write a story", "boil water slowly", "write a poem now", "melt ice"]
    assert picked(texts, 5) == [16, 22, 13, 10, 19]


def test_the_input_counts_and_a_missing_one_is_empty() -> None:
    rows = (
        Instruction(1, "Translate.", "the red house"),
        Instruction(2, "Translate."),
        Instruction(3, "Summarise", "the red house"),
    )
    options = Settings(data=Path("data.jsonl"), budget=3, method="rouge")
    picks = [
        each.row
        for each in Rouge(Tools(options, Journal())).picks(Pool(rows), 3)
        if isinstance(each, Pick)
    ]
    # Row 2 has two fifths in common with row 1, which has three quarters in common with row 3.
    assert picks == [2, 1, 3]


def test_rows_without_a_word_come_last_and_are_told_of() -> None:
    said = told(["?!", "☺", "melt ice", "melt lead"], 3)
    assert [each.row for each in said if isinstance(each, Pick)] == [16, 19, 10]
    (remark,) = [each.text for each in said if isinstance(each, Remark)]
    assert remark.startswith("2 rows without letters or digits")
    assert not any(isinstance(each, Remark) for each in told(["melt ice", "go"], 1))


def test_it_says_how_far_it_is() -> None:
    steps = [
        each for each in told([f"say {n}" for n in range(600)], 1) if isinstance(each, Progress)
    ]
    assert [each.done for each in steps] == [250, 500, 600]
    assert {each.total for each in steps} == {600}


def test_everyone_has_a_thousand_distinct_others_and_never_itself() -> None:
    rows = np.arange(0, 3000, 7)
    found = others_of(rows, 3000, np.random.default_rng(3))
    assert found.shape == (len(rows), OTHERS)
    for row, others in zip(rows, found, strict=True):
        assert len(set(others.tolist()) - {int(row)}) == OTHERS
    assert set(found.ravel().tolist()) == set(range(3000))


@pytest.mark.parametrize("size", [1, 2, OTHERS, OTHERS + 1])
def test_a_small_pool_is_measured_whole(size: int) -> None:
    rows = np.arange(size)
    found = others_of(rows, size, np.random.default_rng(0))
    for row, others in zip(rows, found, strict=True):
        assert sorted([*others.tolist(), int(row)]) == list(range(size))


def test_the_seed_decides_the_others_of_a_large_pool() -> None:
    generator = np.random.default_rng(1)
    texts = [" ".join(f"w{each}" for each in generator.integers(0, 90, 9)) for _ in range(1500)]
    assert picked(texts, 20) == picked(texts, 20) != picked(texts, 20, seed=1)
