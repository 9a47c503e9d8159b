"""Real vLLM, real transformers and real llama.cpp on the same weights: valid answers, the same."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from localsel.backends.base import Ask, Backend, Choice, Opening
from localsel.backends.hf_tokens import load_tokenizer
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.backends.openai import OpenAIBackend
from localsel.backends.openai_tokens import neutral
from localsel.backends.tokens import Tokens
from localsel.backends.transformers import TransformersBackend, load
from localsel.backends.vllm import VllmBackend
from localsel.errors import AnswerError
from localsel.records import Prompt
from localsel.stages.prompt import find_template, render
from tests.serving import vllm_server

MODELS = Path(__file__).parents[2] / "models"
POOL = Path(__file__).parents[2] / "examples" / "pool.jsonl"
QUERIES = int(os.environ.get("AGREEMENT_QUERIES", 2000))
FEWER = QUERIES // 10
SHOWN, QUOTAS = 14, (1, 2, 5)
NEAR = 0.02
"""Two labels whose probabilities differ by less are a tie that the last bits may decide."""


Tell = Callable[[str], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Says it whether or not the test passes."""

    def shown(text: str) -> None:
        with capsys.disabled():
            print(text)

    return shown


@pytest.fixture(scope="module", params=["nano-llama", "nano-gemma2"])
def folder(request: pytest.FixtureRequest) -> Path:
    return MODELS / request.param


@pytest.fixture(scope="module")
def wanted() -> list[Ask]:
    """Queries over random rows of the example pool, with one, two and five picks in turn."""
    texts = [json.loads(line)["instruction"] for line in POOL.read_text().splitlines()]
    generator = np.random.default_rng(6)
    template = find_template("published")
    found = []
    for number in range(QUERIES):
        rows = generator.choice(len(texts), SHOWN, replace=False)
        quota = QUOTAS[number % len(QUOTAS)]
        found.append(Ask(render(template, [texts[row] for row in rows], quota), quota))
    return found


@pytest.fixture(scope="module")
def llamacpp(folder: Path) -> Iterator[LlamaCppBackend]:
    path = folder / f"{folder.name}.gguf"
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(path).tensors}
    assert kinds <= {"F16", "F32"}, "the weights are not those of the folder"
    with closing(LlamaCppBackend.open(Opening(str(path), threads=1))) as backend:
        yield backend


@pytest.fixture(scope="module")
def theirs(llamacpp: LlamaCppBackend, wanted: list[Ask]) -> list[Choice]:
    """What llama.cpp says to all of them."""
    said = list(llamacpp.choose(wanted))
    assert all(isinstance(each, Choice) for each in said)
    return [each for each in said if isinstance(each, Choice)]


@pytest.fixture(scope="module")
def vllm(folder: Path) -> Iterator[VllmBackend]:
    with closing(VllmBackend.open(Opening(str(folder), threads=1))) as backend:
        yield backend


@pytest.mark.timeout(3000)
def test_vllm_chooses_what_llamacpp_does(
    vllm: VllmBackend,
    llamacpp: LlamaCppBackend,
    wanted: list[Ask],
    theirs: list[Choice],
    tell: Tell,
) -> None:
    agree(vllm, llamacpp, wanted, theirs, tell)


@pytest.mark.timeout(3000)
def test_transformers_in_padded_batches_chooses_what_llamacpp_does(
    folder: Path, llamacpp: LlamaCppBackend, wanted: list[Ask], theirs: list[Choice], tell: Tell
) -> None:
    # Two or three queries side by side: more at once only take longer on a CPU.
    backend = TransformersBackend(load(folder, 1), load_tokenizer(folder), 8192, 2048)
    assert not backend.repeatable
    agree(backend, llamacpp, wanted, theirs, tell)


@pytest.mark.timeout(600)
def test_transformers_one_by_one_chooses_what_llamacpp_does(
    folder: Path, llamacpp: LlamaCppBackend, wanted: list[Ask], theirs: list[Choice], tell: Tell
) -> None:
    with closing(TransformersBackend.open(Opening(str(folder), threads=1))) as backend:
        assert backend.repeatable
        agree(backend, llamacpp, wanted[:FEWER], theirs[:FEWER], tell)


def test_an_answer_that_does_not_end_is_none(vllm: VllmBackend, wanted: list[Ask]) -> None:
    """vLLM gives up in silence: here the context ends after the first token of the answer."""
    good, room = wanted[0], vllm.context
    asks = [good, Ask(filling(vllm, room - 1), 1), Ask(filling(vllm, room), 1), good]
    before, unfinished, refused, after = vllm.choose(asks)
    assert isinstance(unfinished, AnswerError)
    assert "'length'" in str(unfinished)
    assert isinstance(refused, AnswerError)
    assert f"takes {room} tokens of a context of {room}" in str(refused)
    assert isinstance(before, Choice) and isinstance(after, Choice)
    assert before.positions == after.positions


@pytest.mark.timeout(3000)
def test_vllms_server_chooses_what_llamacpp_does(
    folder: Path,
    llamacpp: LlamaCppBackend,
    wanted: list[Ask],
    theirs: list[Choice],
    tell: Tell,
    tmp_path: Path,
) -> None:
    with vllm_server(folder, tmp_path / "log").running() as address:
        opening = Opening(address, context=3072)
        with closing(OpenAIBackend.open(opening)) as backend:
            assert backend.facts["constraint"] == "structured_outputs"
            assert backend.facts["reads"] == "tokens"
            asks = [replace(ask, prompt=taken_apart(ask.prompt)) for ask in wanted]
            answers = [
                one if ask == asked else answer_of(llamacpp, ask)
                for ask, asked, one in zip(asks, wanted, theirs, strict=True)
            ]
            agree(backend, llamacpp, asks, answers, tell)


@pytest.mark.timeout(600)
def test_xgrammar_holds_vllm_to_the_same_labels(
    folder: Path, llamacpp: LlamaCppBackend, wanted: list[Ask], theirs: list[Choice], tell: Tell
) -> None:
    """The last of its kind here: an engine that is closed takes the others along."""
    opening = Opening(str(folder), threads=1, constraint="xgrammar")
    with closing(VllmBackend.open(opening)) as backend:
        agree(backend, llamacpp, wanted[:FEWER], theirs[:FEWER], tell)


def agree(
    backend: OpenAIBackend | TransformersBackend | VllmBackend,
    llamacpp: LlamaCppBackend,
    wanted: Sequence[Ask],
    theirs: Sequence[Choice],
    tell: Tell,
) -> None:
    """All answers valid and distinct, 98 % of them those of llama.cpp, the others near-ties."""
    apart, widest = 0, 0.0
    for ask, one, other in zip(wanted, theirs, backend.choose(wanted), strict=True):
        assert isinstance(other, Choice), other
        assert len(set(other.positions)) == ask.quota
        assert all(0 <= place < SHOWN for place in other.positions)
        assert np.exp(other.scores).sum() == pytest.approx(1)
        assert tokens_of(backend, ask.prompt) == tokens_of(llamacpp, ask.prompt)
        assert other.prompt_tokens == one.prompt_tokens
        widest = max(widest, float(np.abs(np.exp(one.scores) - np.exp(other.scores)).max()))
        if one.positions != other.positions:
            apart += 1
            tell(near_tie(llamacpp, ask, one, other))
    counted = f"{apart} of {len(wanted)} queries apart"
    tell(f"{type(backend).__name__}: {counted}, probabilities by {widest:.5f} at most")
    assert apart <= 0.02 * len(wanted)
    assert widest < NEAR


def taken_apart(prompt: Prompt) -> Prompt:
    """As a server is asked: what it could take for a control token has a space in it."""
    return replace(prompt, candidates=tuple(map(neutral, prompt.candidates)))


def answer_of(backend: Backend, ask: Ask) -> Choice:
    (said,) = backend.choose([ask])
    assert isinstance(said, Choice)
    return said


def tokens_of(reader: Tokens | OpenAIBackend, prompt: Prompt) -> list[int]:
    if isinstance(reader, OpenAIBackend):
        return list(reader._server.wait(reader.prompt_ids(prompt)))
    return [*reader._head_tokens(prompt), *reader._tail_tokens(prompt)]


def near_tie(llamacpp: LlamaCppBackend, ask: Ask, one: Choice, other: Choice) -> str:
    """Says how near the two labels are to llama.cpp where they part; fails where they are not."""
    turn = next(
        turn
        for turn, (a, b) in enumerate(zip(one.positions, other.positions, strict=True))
        if a != b
    )
    before = one.positions[:turn]
    left = [place for place in range(SHOWN) if place not in before]
    odds = dict(zip(left, odds_of(llamacpp, ask.prompt, before, left), strict=True))
    mine, yours = odds[one.positions[turn]], odds[other.positions[turn]]
    assert mine == pytest.approx(one.probabilities[turn])
    assert abs(mine - yours) < NEAR, (one, other)
    return f"pick {turn + 1} of {ask.quota}: {mine:.4f} and {yours:.4f}"


def filling(backend: Backend, tokens: int) -> Prompt:
    """A query of exactly so many tokens."""
    short = render(find_template("published"), ["one", "two"], 1)
    missing = tokens - backend.count_prompt(short)
    filled = replace(short, tail=short.tail + " a" * missing)
    assert backend.count_prompt(filled) == tokens
    return filled


def odds_of(
    llamacpp: LlamaCppBackend, prompt: Prompt, before: Sequence[int], left: Sequence[int]
) -> list[float]:
    """The probabilities of the labels left once those of `before` were chosen."""
    llamacpp._evaluate_head(llamacpp._head_tokens(prompt))
    llamacpp._llama.eval(llamacpp._tail_tokens(prompt))
    for place in before:
        llamacpp._llama.eval(llamacpp._after_pick(prompt.labels[place]))
    scores = llamacpp._score([prompt.labels[place] for place in left])
    return [float(odd) for odd in np.exp(scores)]
