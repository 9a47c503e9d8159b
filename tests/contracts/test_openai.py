"""Servers that obey, that do not, that go and come back: what localsel makes of their answers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from localsel.backends.base import Ask, Choice, Opening
from localsel.backends.llamacpp import LlamaCppBackend, load
from localsel.backends.openai import OpenAIBackend
from localsel.backends.openai_http import Card, Server
from localsel.backends.openai_tokens import estimate, neutral
from localsel.errors import AnswerError, BackendError, UsageError
from localsel.records import Prompt
from localsel.servers import address_of
from localsel.stages.prompt import find_template, render
from tests.serving import Serving, free_port, llama_server
from tests.strangers import Stranger, serving

MODELS = Path(__file__).parents[2] / "models"
TEMPLATE = find_template("published")
CONTEXT = 1536
QUERIES = int(os.environ.get("SERVER_QUERIES", 30))


def prompt_of(size: int, quota: int = 1) -> Prompt:
    return render(TEMPLATE, [f"Plan {place * 37 % 101}" for place in range(size)], quota)


# Strangers.


def test_a_server_without_probabilities_chooses_and_invents_none() -> None:
    with serving(Stranger()) as address, closing(OpenAIBackend.open(Opening(address))) as backend:
        assert backend.facts["log_probabilities"] is False
        assert backend.facts["constraint"] == "response_format"
        (choice,) = backend.choose([Ask(prompt_of(9, 3), 3)])
        assert isinstance(choice, Choice)
        assert choice.positions == (0, 1, 2)
        assert choice.probabilities == choice.scores == ()
        assert choice.prompt_tokens == 12


def test_without_probabilities_two_digits_and_chance_are_refused() -> None:
    with serving(Stranger()) as address, closing(OpenAIBackend.open(Opening(address))) as backend:
        backend.refuse_unfit(9, 0.0)
        for size, temperature, hint in ((10, 0.0, "--query-size 9"), (9, 0.5, "--temperature")):
            with pytest.raises(BackendError, match="no log-probabilities") as caught:
                backend.refuse_unfit(size, temperature)
            assert hint in caught.value.hint
            with pytest.raises(BackendError):
                next(backend.choose([Ask(prompt_of(size), 1, temperature)]))


def test_a_server_that_ignores_every_constraint_is_refused() -> None:
    stranger = Stranger(obeys="nothing")
    with serving(stranger) as address, pytest.raises(BackendError, match="valid answers") as caught:
        OpenAIBackend.open(Opening(address))
    assert caught.value.exit_code == 3
    asked = {name for body in stranger.seen for name in body}
    assert {"structured_outputs", "grammar", "response_format"} <= asked


ODD = [
    *("a label that is not there", "no choices", "other JSON", "no JSON", "deep JSON"),
    *("half a letter", "too much", "compressed", "no end", "elsewhere", "an error", "a refusal"),
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_answer_is_none(odd: str) -> None:
    stranger = Stranger()
    with serving(stranger) as address, closing(OpenAIBackend.open(Opening(address))) as backend:
        stranger.then, stranger.after = odd, len(stranger.seen)
        (failed,) = backend.choose([Ask(prompt_of(5), 1)])
        assert isinstance(failed, AnswerError), failed
        assert str(failed).isprintable() and len(str(failed)) < 250
        stranger.then = ""
        (choice,) = backend.choose([Ask(prompt_of(5), 1)])
        assert isinstance(choice, Choice)


@pytest.mark.parametrize("odd", [*ODD, "a key", "busy"])
def test_a_server_that_is_odd_from_the_start_is_refused(odd: str) -> None:
    with (
        serving(Stranger(then=odd)) as address,
        closing(impatient(address)) as server,
        pytest.raises(BackendError) as caught,
    ):
        OpenAIBackend(server, server.look(), Opening(address))
    assert caught.value.exit_code == 3
    assert str(caught.value).isprintable()


def impatient(address: str) -> Server:
    """It may be away for less than a second; a slow answer is waited for."""
    return Server(address_of(address), patience=0.6)


@pytest.mark.parametrize("odd", ["busy", "slow", "a key"])
def test_a_server_that_is_away_for_too_long_stops_the_run(
    odd: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = Stranger()
    with serving(stranger) as address, closing(impatient(address)) as server:
        backend = OpenAIBackend(server, server.look(), Opening(address))
        stranger.then, stranger.after = odd, len(stranger.seen)
        server._answer = 0.4
        with pytest.raises(BackendError, match=r"0\.6|1 s|key") as caught:
            list(backend.choose([Ask(prompt_of(5), 1)]))
        assert caught.value.hint
    assert ("waiting for it" in capsys.readouterr().err) == (odd != "a key")


def test_a_server_that_dies_over_a_long_question_is_waited_for() -> None:
    stranger = Stranger()
    with (
        serving(stranger) as address,
        closing(Server(address_of(address), patience=0.1)) as server,
    ):
        backend = OpenAIBackend(server, server.look(), Opening(address))
        stranger.then, stranger.after = "dies over it", len(stranger.seen)
        (choice,) = backend.choose([Ask(prompt_of(5), 1)])
    assert isinstance(choice, Choice)
    assert stranger.seen[-1] == stranger.seen[-2]


@pytest.mark.parametrize("says", ["Best: [7]", "7", "Best: [12]", "Best: [4]", "23]"])
def test_the_canary_asks_for_what_the_model_would_not_say(says: str) -> None:
    stranger = Stranger(says=says)
    with serving(stranger) as address:
        OpenAIBackend.open(Opening(address)).close()
    asked = [body["response_format"] for body in stranger.seen if "response_format" in body]
    legal = [form["json_schema"]["schema"]["properties"]["answer"]["enum"] for form in asked]
    begun = says.removeprefix("Best: [")[0]
    assert {len(each) for each in legal} == {2}
    assert not [each for each in chain(*legal) if each.startswith(f"Best: [{begun}")]


def test_a_prompt_that_took_more_than_there_is_has_no_answer() -> None:
    stranger = Stranger()
    with (
        serving(stranger) as address,
        closing(OpenAIBackend.open(Opening(address, context=2048))) as backend,
    ):
        stranger.reads = 2049
        (failed,) = backend.choose([Ask(prompt_of(5), 1)])
    assert isinstance(failed, AnswerError)
    assert "2,049 tokens" in str(failed) and "--context" in str(failed)


def test_tokens_that_nobody_counted_are_not_told() -> None:
    with (
        serving(Stranger(reads=0)) as address,
        closing(OpenAIBackend.open(Opening(address))) as backend,
    ):
        (choice,) = backend.choose([Ask(prompt_of(5), 1)])
    assert isinstance(choice, Choice)
    assert choice.prompt_tokens == 0


def test_an_estimate_is_no_less_than_there_can_be() -> None:
    # A token for each digit and each sign: Llama-2, Gemma and Qwen do so.
    for text in ("31415926535" * 20, "((()))[]{};;", "    \n\n\t", "x=1;y=2", "日本語 né"):
        others = len(text.encode()) - sum(c.isascii() and c.isalpha() for c in text)
        assert estimate(text) >= others


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("[gMASK][control_12]", "[ gMASK][ control_12]"),
        ("[INST] [/INST]", "[ INST] [ /INST]"),
        ("<|eot_id|><bos>", "< |eot_id|>< bos>"),
        ("a <div> of 3 < 4 > 2, [100] and [a] or [two words]",) * 2,
    ],
)
def test_what_looks_like_a_control_token_is_taken_apart(text: str, clean: str) -> None:
    assert neutral(text) == clean.replace("<div>", "< div>")


def test_the_same_model_in_another_folder_is_the_same() -> None:
    one, moved, other = (
        Card("gemma", root=root).identity for root in ("/home/a/Gemma", "/srv/Gemma/", "/srv/Qwen")
    )
    assert one == moved != other


def test_what_no_client_takes_for_an_address_is_refused() -> None:
    with pytest.raises(BackendError, match="no address"):
        OpenAIBackend.open(Opening("http://999.1.1.1:80", hosts=("999.1.1.1",)))


def test_another_model_after_a_restart_is_noticed() -> None:
    stranger = Stranger()
    with serving(stranger) as address, closing(impatient(address)) as server:
        backend = OpenAIBackend(server, server.look(), Opening(address))
        stranger.then, stranger.after, stranger.models = "busy", len(stranger.seen), ("two",)
        with pytest.raises(BackendError, match="another model"):
            list(backend.choose([Ask(prompt_of(5), 1)]))


def test_the_model_is_named_or_the_only_one() -> None:
    with serving(Stranger(models=("one", "two"))) as address:
        with closing(OpenAIBackend.open(Opening(f"{address}/v1#two"))) as backend:
            assert backend.name == "two"
        for model, words in (
            (address, "several models: one, two"),
            (f"{address}#three", "'three'"),
        ):
            with pytest.raises(BackendError, match=words):
                OpenAIBackend.open(Opening(model))


def test_a_key_is_sent_and_nowhere_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSEL_API_KEY", "s3cret")
    stranger = Stranger()
    with serving(stranger) as address, closing(OpenAIBackend.open(Opening(address))) as backend:
        assert "s3cret" not in repr(backend.facts)
    assert set(stranger.keys) == {"Bearer s3cret"}


@pytest.mark.parametrize("key", ["schlüssel", "a\nb", "a\x1bb"])
def test_what_is_no_key_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSEL_API_KEY", key)
    threads = threading.active_count()
    with pytest.raises(UsageError, match="LOCALSEL_API_KEY") as caught:
        OpenAIBackend.open(Opening("http://127.0.0.1:1"))
    assert key not in str(caught.value)
    with pytest.raises(UnicodeEncodeError):
        Server(address_of("http://127.0.0.1:1"), "schlüssel")
    assert threading.active_count() == threads


def test_nobody_there_is_refused_in_words() -> None:
    with pytest.raises(BackendError, match="No server answers") as caught:
        OpenAIBackend.open(Opening(f"http://127.0.0.1:{free_port()}"))
    assert caught.value.exit_code == 3
    with pytest.raises(UsageError, match="not on this machine"):
        OpenAIBackend.open(Opening("http://192.0.2.1:8000"))


# A real server.


@pytest.fixture(scope="module", params=["nano-llama", "nano-gemma2"])
def gguf(request: pytest.FixtureRequest) -> Path:
    return MODELS / request.param / f"{request.param}.gguf"


@pytest.fixture(scope="module")
def server(gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    served = llama_server(gguf, tmp_path_factory.mktemp("server") / "log", CONTEXT)
    with served.running():
        yield served


@pytest.fixture
def backend(server: Serving) -> Iterator[OpenAIBackend]:
    opened = OpenAIBackend.open(Opening(server.address, context=CONTEXT))
    yield opened
    opened.close()


class AsOneText(LlamaCppBackend):
    """llama.cpp, which reads as such a server does: the whole prompt is one text."""

    def _head_tokens(self, prompt: Prompt) -> tuple[int, ...]:
        around = [self._text(part, special=True) for part in (self._before, self._after)]
        return tuple(self._tokens(neutral(prompt.content).join(around), special=True))

    def _tail_tokens(self, prompt: Prompt) -> list[int]:
        return self._tokens(prompt.answer)


def asks(count: int) -> list[Ask]:
    """Queries of 14 over the example pool, with one, two and five picks in turn."""
    pool = (Path(__file__).parents[2] / "examples" / "pool.jsonl").read_text(encoding="utf-8")
    texts = [json.loads(line)["instruction"] for line in pool.splitlines()]
    generator = np.random.default_rng(6)
    rows = [generator.choice(len(texts), 14, replace=False) for _ in range(count)]
    quotas = [(1, 2, 5)[number % 3] for number in range(count)]
    prompts = [
        render(TEMPLATE, [texts[row] for row in own], quota)
        for own, quota in zip(rows, quotas, strict=True)
    ]
    return [Ask(prompt, quota) for prompt, quota in zip(prompts, quotas, strict=True)]


def test_it_answers_as_llamacpp_does(backend: OpenAIBackend, gguf: Path) -> None:
    assert backend.facts["constraint"] == "grammar"
    wanted, apart = asks(QUERIES), 0
    with closing(AsOneText(load(gguf, CONTEXT, 1), CONTEXT)) as own:
        for ask, one, other in zip(wanted, own.choose(wanted), backend.choose(wanted), strict=True):
            assert isinstance(one, Choice) and isinstance(other, Choice), (one, other)
            assert len(set(other.positions)) == ask.quota
            read = len(own._head_tokens(ask.prompt)) + len(own._tail_tokens(ask.prompt))
            assert abs(other.prompt_tokens - read) <= 4
            if one.positions == other.positions:
                assert np.abs(np.exp(one.scores) - np.exp(other.scores)).max() < 0.01
            apart += one.positions != other.positions
    assert apart <= max(1, 0.02 * QUERIES)


def test_control_tokens_of_an_instruction_stay_text(backend: OpenAIBackend, gguf: Path) -> None:
    nasty = "<|eot_id|><end_of_turn><start_of_turn>model <bos> <|begin_of_text|> [INST] <<SYS>>"
    with closing(load(gguf, 512, 1, vocab_only=True)) as llama:
        plain = llama.tokenize(neutral(nasty).encode(), add_bos=False, special=False)
        parsed = llama.tokenize(neutral(nasty).encode(), add_bos=False, special=True)
        assert plain == parsed
        assert plain != llama.tokenize(nasty.encode(), add_bos=False, special=True)
    assert backend.count(nasty) == len(plain)


def test_a_restart_in_the_middle_loses_nothing(
    server: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = asks(5)
    opening = Opening(server.address, context=CONTEXT, concurrency=3)
    with closing(OpenAIBackend.open(opening)) as backend:
        undisturbed = [choice for choice in backend.choose(wanted) if isinstance(choice, Choice)]
        answers = backend.choose(wanted)
        first = [next(answers) for _ in range(2)]
        server.kill()
        server.begin()
        after = [*first, *answers]
    assert [each.positions for each in undisturbed] == [
        choice.positions for choice in after if isinstance(choice, Choice)
    ]
    assert capsys.readouterr().err.count("does not answer; waiting for it") == 1


def test_a_sentence_needs_no_constraint(backend: OpenAIBackend) -> None:
    reason = render(find_template("reason"), ["Name three rivers."], 1)
    first, again = backend.generate([reason, reason], 6)
    assert first == again
    assert "\n" not in first
