"""Real vLLM on real weights → the probabilities and the words of a plain float32 loop.

The loop tokenises by itself, reads one text after the other and remembers nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from localsel.backends.base import Ask, Beginning, Choice, Likelihood, Opening, Passage
from localsel.backends.hf_tokens import load_tokenizer
from localsel.backends.vllm import VllmBackend
from localsel.errors import AnswerError, BackendError
from localsel.stages.prompt import find_template, render

MODELS = Path(__file__).parents[2] / "models"
CONTEXT = 512
NEAR = 1e-4
FORM = "### Instruction:\n{}\n\n### Response:\n"
BARE = "### Response:\n"
TASKS = (
    ("Name three rivers of Africa.", "The Nile, the Congo and the Niger."),
    ("Spell the word lighthouse backwards.", "esuohthgil"),
    ("Say it in French: good morning 🙂", "Bonjour 🙂!\n\n"),
    ("What is 17 times 23?", "391"),
    ("漢字を一つ書いてください。", "水"),
    ("Write <|eot_id|> and <end_of_turn> as they are.", "<|eot_id|><end_of_turn></s>"),
    ("Describe rain to someone who has never seen it.", "Drops fall from the sky. " * 9),
)
PASSAGES = tuple(Passage((FORM.format(task), BARE), answer) for task, answer in TASKS)
# Far more than are handed over at once, with texts that nobody else has.
MANY = tuple(
    Passage((BARE, f"No. {n}: "), f"{n * 37} boats" + " sail" * (n % 5)) for n in range(40)
)
ENDS_SOON = "[1] one [2] two [3] three\nBest: [2"


@dataclass(frozen=True)
class Plain:
    """The weights of a folder, read by transformers the slow way."""

    folder: Path

    @cached_property
    def model(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(
            str(self.folder), dtype=torch.float32, attn_implementation="eager"
        ).eval()

    @cached_property
    def tokenizer(self) -> Any:
        return load_tokenizer(self.folder)

    def tokens(self, text: str) -> list[int]:
        coded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(coded["input_ids"])

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float64]:
        import torch

        with torch.inference_mode():
            said = self.model(torch.tensor([tokens])).logits[0]
        logits: NDArray[np.float64] = said.double().numpy()
        return logits

    def logprob(self, before: Sequence[int], answer: Sequence[int]) -> float:
        logits = self.logits([*before, *answer])[len(before) - 1 : -1]
        highest = logits.max(axis=1, keepdims=True)
        rest = np.log(np.exp(logits - highest).sum(axis=1)) + highest[:, 0]
        return float((logits[range(len(answer)), answer] - rest).sum())

    def goes_on(self, text: str, limit: int) -> str:
        ends = {self.tokenizer.eos_token_id, self.model.generation_config.eos_token_id}
        tokens = self.tokens(text)
        said: list[int] = []
        while len(said) < limit and len(tokens) + len(said) < CONTEXT:
            token = int(self.logits([*tokens, *said])[-1].argmax())
            if token in ends:
                break
            said.append(token)
        return self.spelled(said)

    def spelled(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).replace("�", "")


@pytest.fixture(scope="module", params=["nano-llama", "nano-gemma2"])
def folder(request: pytest.FixtureRequest) -> Path:
    return MODELS / request.param


@pytest.fixture(scope="module")
def plain(folder: Path) -> Plain:
    return Plain(folder)


@pytest.fixture(scope="module")
def vllm(folder: Path) -> Iterator[VllmBackend]:
    with closing(VllmBackend.open(Opening(str(folder), CONTEXT, threads=1))) as backend:
        yield backend


def told(backend: VllmBackend, passage: Passage, limit: int | None = None) -> Likelihood:
    (said,) = backend.logprobs([passage], limit)
    assert isinstance(said, Likelihood), said
    return said


def test_it_says_what_a_plain_loop_says(vllm: VllmBackend, plain: Plain) -> None:
    passages = PASSAGES + MANY
    for passage, said in zip(passages, vllm.logprobs(iter(passages)), strict=True):
        answer = plain.tokens(passage.answer)
        befores = [plain.tokens(before) for before in passage.befores]
        assert isinstance(said, Likelihood), said
        assert said.tokens == len(answer)
        assert said.logprobs == pytest.approx([plain.logprob(b, answer) for b in befores], rel=NEAR)


def test_what_it_remembers_of_a_text_hides_no_probability(vllm: VllmBackend) -> None:
    passage = Passage((FORM.format("Count up. " * 20), BARE), "one two three " * 20)
    first = told(vllm, passage)
    list(vllm.complete([Beginning(passage.befores[0] + passage.answer)], 2))
    again = told(vllm, passage)
    assert (again.tokens, again.read) == (first.tokens, first.read)
    assert again.logprobs == pytest.approx(first.logprobs, rel=1e-6)


def test_a_failure_is_an_answer_among_others(vllm: VllmBackend) -> None:
    good, long = PASSAGES[0], "far too long " * CONTEXT
    bad = (Passage((BARE,), ""), Passage((BARE, long), "short"), Passage(("", BARE), "alone"))
    alone = [told(vllm, each).logprobs for each in PASSAGES[:2]]
    first, *failed, last = vllm.logprobs([good, *bad, PASSAGES[1]])
    assert isinstance(first, Likelihood) and isinstance(last, Likelihood)
    assert [first.logprobs, last.logprobs] == [pytest.approx(each, rel=1e-6) for each in alone]
    words = ("has no tokens", f"of {CONTEXT} are taken", "no token before it")
    for error, expected in zip(failed, words, strict=True):
        assert isinstance(error, AnswerError)
        assert expected in str(error)
    assert all(isinstance(each, AnswerError) for each in vllm.logprobs(bad))


@pytest.mark.parametrize("limit", [40, None])
def test_an_answer_is_cut_alike_after_all_befores(
    vllm: VllmBackend, plain: Plain, limit: int | None
) -> None:
    """Without a limit the longest text fills the context to the last token."""
    befores = (FORM.format("Count."), BARE, "Count to two hundred, please: ")
    answer = " ".join(map(str, range(200)))
    coded = [plain.tokens(before) for before in befores]
    left = (limit or CONTEXT) - max(map(len, coded))
    kept = plain.tokens(answer)[:left]
    assert len(kept) == left
    said = told(vllm, Passage(befores, answer), limit)
    assert said.tokens == left
    assert said.logprobs == pytest.approx([plain.logprob(b, kept) for b in coded], rel=NEAR)


def test_an_answer_keeps_its_tokens_whatever_is_before_it(vllm: VllmBackend, plain: Plain) -> None:
    before, answer = "hel", "lo and more"
    apart, together = plain.tokens(before) + plain.tokens(answer), plain.tokens(before + answer)
    assert apart != together
    said = told(vllm, Passage((before, BARE), answer))
    assert said.tokens == len(plain.tokens(answer))
    expected = plain.logprob(plain.tokens(before), plain.tokens(answer))
    assert said.logprobs[0] == pytest.approx(expected, rel=NEAR)


def test_a_vocabulary_may_begin_every_text(
    vllm: VllmBackend, plain: Plain, folder: Path, tmp_path: Path
) -> None:
    """The nano models' own begin none with their start token; others do, and then it is read."""
    with_start = VllmBackend(vllm._engine, load_tokenizer(beginning(folder, tmp_path)), CONTEXT, 16)
    bos = plain.tokenizer.bos_token_id
    answer, before = plain.tokens("rivers"), plain.tokens(BARE)
    assert told(with_start, Passage((BARE, ""), "rivers")).logprobs == pytest.approx(
        [plain.logprob([bos, *before], answer), plain.logprob([bos], answer)], rel=NEAR
    )
    assert told(vllm, Passage((BARE,), "rivers")).logprobs == pytest.approx(
        [plain.logprob(before, answer)], rel=NEAR
    )
    (from_nothing,) = with_start.complete([Beginning("")], 5)
    assert isinstance(from_nothing, str)


def beginning(folder: Path, tmp_path: Path) -> Path:
    """The tokenizer of a folder, which from now on begins every text as Llama-3's does."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing

    copied = shutil.copytree(folder, tmp_path / "begins", ignore=shutil.ignore_patterns("*.gguf"))
    file, bos = str(copied / "tokenizer.json"), load_tokenizer(folder).bos_token
    tokenizer = Tokenizer.from_file(file)
    start = (bos, tokenizer.token_to_id(bos))
    tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", special_tokens=[start])
    tokenizer.save(file)
    return copied


def test_it_goes_on_as_a_plain_loop_does(vllm: VllmBackend, plain: Plain) -> None:
    texts = [ENDS_SOON, *(FORM.format(task) for task, _ in TASKS)] * 3
    texts = [f"{text}{' ' * (n // 8)}" for n, text in enumerate(texts)]
    said = list(vllm.complete(map(Beginning, texts), 12))
    assert said == [plain.goes_on(text, 12) for text in texts]
    # The end that it sets itself, its token left away.
    assert said[0] == "]"


def test_it_stops_where_the_context_does(vllm: VllmBackend, plain: Plain) -> None:
    filled = " a" * (CONTEXT - 3)
    assert len(plain.tokens(filled)) == CONTEXT - 3
    good, more = Beginning(ENDS_SOON), (" a" * CONTEXT, "")
    before, short, *failed, after = vllm.complete(
        [good, Beginning(filled), *map(Beginning, more), good], 12
    )
    assert (before, after) == ("]", "]")
    assert short == plain.goes_on(filled, 3)
    assert isinstance(failed[0], AnswerError) and isinstance(failed[1], AnswerError)
    assert f"takes {CONTEXT} tokens of a context of {CONTEXT}" in str(failed[0])
    assert "no token before it" in str(failed[1])


def test_a_seed_draws_the_same_again(vllm: VllmBackend) -> None:
    begun = [Beginning("Once upon a time", 1.0, (3, seed)) for seed in range(6)]
    said = list(vllm.complete(begun, 10))
    assert list(vllm.complete(reversed(begun), 10)) == said[::-1]
    assert len(set(said)) > 3


def test_words_are_drawn_as_often_as_they_are_probable(vllm: VllmBackend, plain: Plain) -> None:
    draws, heat = 800, 1.5
    begun = [Beginning(BARE, heat, (5, seed)) for seed in range(draws)]
    said = list(vllm.complete(begun, 1))
    logits = plain.logits(plain.tokens(BARE))[-1]
    assert fit(said, logits / heat, plain) > 0.001
    assert fit(said, logits, plain) < 1e-6


def fit(said: Sequence[object], logits: NDArray[np.float64], plain: Plain) -> float:
    """The chance of draws that are further from these odds."""
    odds: dict[str, float] = {}
    for token, odd in enumerate(np.exp(logits - logits.max())):
        word = plain.spelled([token])
        odds[word] = odds.get(word, 0.0) + float(odd)
    total = sum(odds.values())
    often = [word for word, odd in odds.items() if odd / total * len(said) >= 5]
    seen = [sum(each == word for each in said) for word in often]
    expected = [odds[word] / total * len(said) for word in often]
    rare = len(said) - sum(seen), len(said) - sum(expected)
    return float(chisquare([*seen, rare[0]], [*expected, rare[1]]).pvalue)


def test_more_heat_than_vllm_draws_at_is_refused(vllm: VllmBackend) -> None:
    with pytest.raises(BackendError, match="a temperature of 2 at most") as caught:
        list(vllm.complete([Beginning(BARE, 2.5)], 1))
    assert caught.value.exit_code == 3


def test_neither_leaves_a_trace_in_a_choice(vllm: VllmBackend) -> None:
    texts = [f"Plan {place * 37 % 101}" for place in range(9)]
    asked = Ask(render(find_template("published"), texts, 2), 2)
    (before,) = vllm.choose([asked])
    list(vllm.logprobs(PASSAGES))
    list(vllm.complete([Beginning(BARE, 1.0, (1,)), Beginning(BARE)], 8))
    (after,) = vllm.choose([asked])
    assert isinstance(before, Choice) and isinstance(after, Choice)
    assert after.positions == before.positions
    assert after.scores == pytest.approx(before.scores, abs=1e-5)
