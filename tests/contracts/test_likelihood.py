"""How probable a text is, and what comes after it: whatever backend tells, against a plain loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from localsel.backends import BACKENDS
from localsel.backends.base import Ask, Backend, Beginning, Choice, Likelihood, Opening, Passage
from localsel.backends.drawing import Drawing, log_probabilities
from localsel.backends.transformers import TransformersBackend
from localsel.errors import AnswerError
from localsel.stages.prompt import find_template, render
from tests.likely import MODELS, NANO, Plain, told, write_float32, write_folder

CONTEXT = 768
NEAR = {"rel": 1e-4}
RIVERS = "### Instruction:\nName three rivers of Europe.\n\n### Response:\n"
PASSAGES = [
    Passage((RIVERS, "### Response:\n"), "The Danube, the Rhine and the Volga."),
    Passage(("Once upon a time there was",), " a mill at the end of the village."),
    Passage(("hel", "he", "h"), "lo"),
    Passage(("Grüße, 漢字 und 🙂: ", "x"), "naïve – <|eot_id|><end_of_turn> is text here"),
    # More than is evaluated at once: it is cut before this answer, and within the next.
    Passage(("Count on. " * 150, "Count: "), "one, two, three. " * 4),
    Passage(("Say it again: ",), "again and " * 300),
    Passage(("Q: 1 + 1?\nA:", "\n", " "), " 2"),
]
BEGINNINGS = [
    Beginning(RIVERS),
    Beginning("Once upon a time"),
    Beginning("Write a letter to " * 30),
    Beginning("Plan 3, plan"),
]


@dataclass(frozen=True)
class Case:
    """A backend on a nano model in float32, and the plain loop over the same weights."""

    backend: Backend
    plain: Plain
    kind: str
    model: str
    folder: Path

    def variant(self, begun: bool = False, end: int | None = None) -> tuple[Backend, Path]:
        """The same with a vocabulary that begins every text, or ends it with another token."""
        folder = write_folder(self.model, self.folder / "variant", begun, end)
        path = folder
        if self.kind == "llamacpp":
            facts: dict[str, object] = {"tokenizer.ggml.add_bos_token": begun}
            if end is not None:
                facts |= {f"tokenizer.ggml.{each}_token_id": end for each in ("eos", "eot")}
            path = write_float32(self.model, self.folder / "variant.gguf", facts)
        return BACKENDS.load(self.kind).open(Opening(str(path), CONTEXT, 1)), folder


@pytest.fixture(scope="module", params=NANO)
def plain(request: pytest.FixtureRequest) -> Plain:
    return Plain(MODELS / request.param)


@pytest.fixture(scope="module", params=["llamacpp", "transformers"])
def opened(
    request: pytest.FixtureRequest, plain: Plain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    path = plain.folder
    if request.param == "llamacpp":
        path = write_float32(plain.folder.name, tmp_path_factory.mktemp("float32") / "nano.gguf")
    with closing(BACKENDS.load(request.param).open(Opening(str(path), CONTEXT, 1))) as backend:
        yield backend


@pytest.fixture
def case(request: pytest.FixtureRequest, opened: Backend, plain: Plain, tmp_path: Path) -> Case:
    kind = "transformers" if isinstance(opened, TransformersBackend) else "llamacpp"
    return Case(opened, plain, kind, plain.folder.name, tmp_path)


def check(plain: Plain, passage: Passage, seen: Likelihood, limit: int = CONTEXT) -> None:
    """Tokenised apart, evaluated whole, added up."""
    befores = [plain.tokens(before) for before in passage.befores]
    answer = plain.tokens(passage.answer)[: limit - max(map(len, befores))]
    expected = [plain.logprob(before, answer) for before in befores]
    assert seen.tokens == len(answer)
    assert seen.logprobs == pytest.approx(expected, **NEAR)
    assert seen.losses == pytest.approx([-each / len(answer) for each in expected], **NEAR)
    assert seen.read == sum(len(before) + len(answer) - 1 for before in befores)


def test_it_equals_a_plain_loop(case: Case) -> None:
    for passage, seen in zip(PASSAGES, told(case.backend, PASSAGES), strict=True):
        check(case.plain, passage, seen)


def test_order_is_kept_and_company_changes_nothing(case: Case) -> None:
    together = told(case.backend, PASSAGES)
    assert told(case.backend, PASSAGES[::-1]) == together[::-1]
    assert [told(case.backend, [each])[0] for each in PASSAGES] == together


def test_an_answer_has_its_own_tokens_whatever_it_would_merge_with(case: Case) -> None:
    plain, merged = case.plain, []
    for before, answer in (
        ("hel", "lo"),
        ("A riv", "er of"),
        ("\n", "\n\n"),
        (" ", " a"),
        ("1", "2"),
    ):
        apart = [*plain.tokens(before), *plain.tokens(answer)]
        if plain.tokens(before + answer) != apart:
            merged.append(Passage((before,), answer))
    assert len(merged) > 2
    for passage, seen in zip(merged, told(case.backend, merged), strict=True):
        check(plain, passage, seen)


@pytest.mark.parametrize("limit", [9, 40, 700, 100_000])
def test_an_answer_is_cut_alike_after_all_that_stands_before(case: Case, limit: int) -> None:
    long = Passage(("one", "one two three", ""), "again and " * 400)
    (refused,) = case.backend.logprobs([long], limit)
    assert isinstance(refused, AnswerError)
    long = Passage(long.befores[:2], long.answer)
    (seen,) = told(case.backend, [long], limit)
    check(case.plain, long, seen, min(limit, CONTEXT))
    longest = max(len(case.plain.tokens(before)) for before in long.befores)
    assert longest + seen.tokens == min(limit, CONTEXT)


def test_what_cannot_be_told_fails_and_others_go_on(case: Case) -> None:
    good = PASSAGES[0]
    bad = {
        "the answer has no tokens": Passage(("Say nothing:",), ""),
        "no token of the answer is left": Passage(("so " * 2 * CONTEXT,), "long"),
        "no token of the answer is left: ": Passage(("short", "so " * 2 * CONTEXT), "long"),
        "there is no token before it": Passage(("",), "A text from nothing."),
    }
    expected = told(case.backend, [good])[0]
    found = list(case.backend.logprobs([each for one in bad.values() for each in (one, good)]))
    assert found[1::2] == [expected] * len(bad)
    for reason, failed in zip(bad, found[::2], strict=True):
        assert isinstance(failed, AnswerError)
        assert reason in str(failed)


def test_a_text_begins_as_its_vocabulary_begins_it(case: Case) -> None:
    """The nano models' own does not; both readers of a vocabulary that does put one token there."""
    variant, folder = case.variant(begun=True)
    passages = [*PASSAGES[:3], Passage(("", "hel"), "A text from nothing.")]
    assert case.plain.tokens("a", begun=True) == case.plain.tokens("a")
    with closing(variant):
        own = Plain(folder)
        assert len(own.tokens("a", begun=True)) == len(own.tokens("a")) + 1
        for passage, seen in zip(passages, told(variant, passages), strict=True):
            answer = own.tokens(passage.answer)
            befores = [own.tokens(before, begun=True) for before in passage.befores]
            expected = [own.logprob(before, answer) for before in befores]
            assert seen.logprobs == pytest.approx(expected, **NEAR)
            assert seen.read == sum(len(before) + len(answer) - 1 for before in befores)
        for text in ("", RIVERS):
            expected_text = own.text(own.greedy(own.tokens(text, begun=True), 9))
            assert list(variant.complete([Beginning(text)], 9)) == [expected_text]


def test_a_choice_is_the_same_before_and_after(case: Case) -> None:
    prompt = render(find_template("published"), [f"Plan {place}" for place in range(7)], 2)
    before = choice(case.backend, Ask(prompt, 2))
    texts = told(case.backend, PASSAGES)
    said = list(case.backend.complete(BEGINNINGS, 6))
    assert choice(case.backend, Ask(prompt, 2)) == before
    assert told(case.backend, PASSAGES) == texts
    assert choice(case.backend, Ask(prompt, 2)) == before
    assert list(case.backend.complete(BEGINNINGS, 6)) == said


def choice(backend: Backend, ask: Ask) -> tuple[tuple[int, ...], tuple[float, ...]]:
    (made,) = backend.choose([ask])
    assert isinstance(made, Choice)
    return made.positions, made.scores


def test_the_most_probable_goes_on(case: Case) -> None:
    said = list(case.backend.complete(BEGINNINGS, 12))
    for beginning, text in zip(BEGINNINGS, said, strict=True):
        expected = case.plain.greedy(case.plain.tokens(beginning.text), 12)
        assert text == case.plain.text(expected)
        assert list(case.backend.complete([beginning], 12)) == [text]
    shorter = list(case.backend.complete(BEGINNINGS, 4))
    assert all(long.startswith(short) for long, short in zip(said, shorter, strict=True))
    assert shorter != said


def test_it_ends_where_the_model_ends_it(case: Case) -> None:
    tokens = case.plain.tokens(RIVERS)
    said = case.plain.greedy(tokens, 8)
    place = next(i for i in range(1, 8) if said[i] not in said[:i])
    variant, _ = case.variant(end=said[place])
    with closing(variant):
        (text,) = variant.complete([Beginning(RIVERS)], 30)
    assert text == case.plain.text(said[:place])


def test_it_ends_where_the_context_does(case: Case) -> None:
    room = 5
    text = "so" * CONTEXT
    while (count := case.backend.count(text)) > CONTEXT - room:
        text = text[: -max(count - CONTEXT + room, 1)]
    beginnings = [Beginning(text), Beginning("so " * 2 * CONTEXT), Beginning(""), BEGINNINGS[3]]
    last, full, empty, other = case.backend.complete(beginnings, 30)
    assert isinstance(last, str)
    assert case.backend.count(last) <= CONTEXT - count
    assert isinstance(full, AnswerError) and f"a context of {CONTEXT}" in str(full)
    assert isinstance(empty, AnswerError) and "no token before it" in str(empty)
    assert [other] == list(case.backend.complete([BEGINNINGS[3]], 30))


def test_the_seed_decides_what_is_drawn(case: Case) -> None:
    hot = [Beginning(RIVERS, 1.5, (4, seed)) for seed in range(4)]
    said = list(case.backend.complete(hot, 8))
    assert len(set(map(str, said))) == len(hot)
    assert list(case.backend.complete(hot[::-1], 8)) == said[::-1]
    cold = [Beginning(RIVERS, seed=(4, seed)) for seed in range(2)]
    assert len(set(map(str, case.backend.complete(cold, 8)))) == 1


def test_texts_that_are_read_together_are_told_apart(plain: Plain) -> None:
    """As on a GPU: batches of padded texts, of which other ones share each."""
    alone = BACKENDS.load("transformers").open(Opening(str(plain.folder), CONTEXT, 1))
    together = TransformersBackend(plain.model, plain.tokenizer, CONTEXT, tokens_at_once=1024)
    passages = [*PASSAGES, Passage((" ",), ""), *PASSAGES[::-1]]
    found = list(together.logprobs(passages))
    assert isinstance(found.pop(len(PASSAGES)), AnswerError)
    for seen, expected in zip(found, told(alone, PASSAGES + PASSAGES[::-1]), strict=True):
        assert isinstance(seen, Likelihood)
        assert (seen.tokens, seen.read) == (expected.tokens, expected.read)
        assert seen.logprobs == pytest.approx(expected.logprobs, **NEAR)
    drawn = [Beginning(each.text, 1.0, (place,)) for place, each in enumerate(BEGINNINGS)]
    asked = [*BEGINNINGS, Beginning(""), *drawn, Beginning(RIVERS * CONTEXT)]
    said = list(together.complete(asked, 12))
    assert list(map(str, said)) == list(map(str, alone.complete(asked, 12)))
    failed = [place for place, text in enumerate(said) if isinstance(text, AnswerError)]
    assert failed == [len(BEGINNINGS), len(asked) - 1]


def test_a_batch_is_handed_over_before_the_next_is_begun(plain: Plain) -> None:
    together = TransformersBackend(plain.model, plain.tokenizer, CONTEXT, tokens_at_once=500)
    taken: list[Beginning] = []

    def beginnings() -> Iterator[Beginning]:
        for _ in range(20):
            taken.append(Beginning(RIVERS))
            yield taken[-1]

    size = len(plain.tokens(RIVERS)) + 40
    next(together.complete(beginnings(), 40))
    # One more is looked at, to see that it does not fit.
    assert 20 > len(taken) == together.side_by_side(size) + 1 == 500 // size + 1 > 2


def test_a_text_that_ends_does_not_end_those_beside_it(plain: Plain, tmp_path: Path) -> None:
    before = [plain.tokens(each.text) for each in BEGINNINGS]
    said = [plain.greedy(tokens, 12) for tokens in before]
    # The first text ends at its second new token, if not before.
    ends = next(token for token in said[0] if token != said[0][0])
    own = Plain(write_folder(plain.folder.name, tmp_path / "variant", end=ends))
    batch = TransformersBackend(own.model, own.tokenizer, CONTEXT, tokens_at_once=4096)
    cut = [tokens[: tokens.index(ends)] if ends in tokens else tokens for tokens in said]
    assert len({len(tokens) for tokens in cut}) > 1
    assert list(batch.complete(BEGINNINGS, 12)) == [plain.text(tokens) for tokens in cut]


def test_tokens_are_drawn_as_often_as_they_should_be() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))
    shares = np.exp(logits.astype(np.float64) / 0.7)
    drawn = [Drawing(Beginning("", 0.7, (seed,))).take(logits) for seed in range(4000)]
    seen = np.bincount(drawn, minlength=4)
    assert chisquare(seen, 4000 * shares / shares.sum()).pvalue > 1e-3
    one = Drawing(Beginning("", 0.7, (1,)))
    assert len({one.take(logits) for _ in range(200)}) == 4
    assert {Drawing(Beginning("", 1e-300, (seed,))).take(logits) for seed in range(50)} == {0}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_number_is_no_answer(value: float) -> None:
    logits = np.array([[1, value, 0]], dtype=np.float32)
    with pytest.raises(AnswerError, match="no numbers"):
        log_probabilities(logits.copy(), [0])
    with pytest.raises(AnswerError, match="no numbers"):
        Drawing(Beginning("")).take(logits[0])


def test_probabilities_of_all_tokens_are_one() -> None:
    generator = np.random.default_rng(5)
    logits = generator.normal(0, 8, (40, 900)).astype(np.float32)
    exact = logits.astype(np.float64)
    exact -= np.logaddexp.reduce(exact, axis=1)[:, None]
    for token in (0, 450, 899):
        seen = log_probabilities(logits.copy(), [token] * 40)
        np.testing.assert_allclose(seen, exact[:, token], rtol=1e-5)
