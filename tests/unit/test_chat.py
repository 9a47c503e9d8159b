"""Chat templates of every shape → what stands around the message, or a refusal."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import pytest

from localsel.backends.base import Opening
from localsel.backends.chat import wrap
from localsel.backends.llamacpp import LlamaCppBackend
from localsel.errors import BackendError
from localsel.stages.prompt import find_template, render
from tests.families import GEMMA_2, LLAMA_3
from tests.vocabularies import random_model

# In the shape of ChatML, which brings a system message of its own.
CHATML = """{% if messages[0]['role'] != 'system' %}
{{ '<|im_start|>system\\nBe of use.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' ~ message['role'] ~ '\\n' ~ message['content'] ~ '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""


def test_headers() -> None:
    assert wrap(LLAMA_3, bos="<|begin_of_text|>") == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    )


def test_a_template_that_refuses_system_messages_gets_none() -> None:
    assert wrap(GEMMA_2, bos="<bos>") == (
        "<bos><start_of_turn>user\n",
        "<end_of_turn>\n<start_of_turn>model\n",
    )


def test_chatml() -> None:
    assert wrap(CHATML) == (
        "<|im_start|>system\nBe of use.<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
    )


def test_loops_may_be_left() -> None:
    template = "{% for m in messages %}[{{ m.content }}]{% break %}{% endfor %}"
    assert wrap(template) == ("[", "]")


def test_today_is_always_the_same_day() -> None:
    template = "{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }}"
    assert wrap(template) == ("26 Jul 2024: ", "")


@pytest.mark.parametrize(
    "template",
    ["", "a fixed text", "{{ bos_token }}", "{{ messages[0].role }}", "{{ messages | length }}"],
)
def test_a_template_without_the_message_is_refused(template: str) -> None:
    with pytest.raises(BackendError, match="does not show") as caught:
        wrap(template, bos="<s>")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('never') }}",
        "{% for message in messages %}",
        "{{ messages[0].content.nothing.at.all }}",
        "{{ 1 / 0 }}{{ messages[0].content }}",
        "{{ [1, 2][0]() }}{{ messages[0].content }}",
        "{{ range(10 ** 9) | list }}{{ messages[0].content }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% include 'secret.txt' %}{{ messages[0].content }}",
        "{% import 'os' as os %}{{ messages[0].content }}",
    ],
)
def test_a_template_that_fails_is_refused(template: str) -> None:
    with pytest.raises(BackendError, match="cannot be rendered") as caught:
        wrap(template)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "trick",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "messages.__class__",
        "raise_exception.__globals__['__builtins__']",
        "strftime_now.__globals__['date']",
        "strftime_now.__code__.co_consts",
        "cycler.__init__.__globals__.os.popen('true').read()",
        "self.__init__.__globals__",
        "messages.append('one more')",
        "messages[0].update(content='another')",
        "(messages | attr('__class__')).__base__",
    ],
)
def test_a_template_stays_in_its_sandbox(trick: str) -> None:
    with pytest.raises(BackendError):
        wrap("{{ (" + trick + ").x }}{{ messages[0].content }}")


def test_formatting_shows_no_attributes() -> None:
    before, _ = wrap("{{ '{0.__class__}'.format(messages) }}|{{ messages[0].content }}")
    assert "class" not in before


BOTH = "{{ bos_token }}[Q] {{ messages[0].content }} [A]"
NEITHER = "[Q] {{ messages[0].content }} [A]"


@pytest.mark.parametrize("wanted", [True, False, None])
@pytest.mark.parametrize("template", [BOTH, NEITHER, ""])
@pytest.mark.parametrize("family", ["llama-2", "qwen-2"])
def test_one_start_token_at_most(
    family: str, template: str, wanted: bool | None, tmp_path: Path
) -> None:
    """Whoever asks for it, the template or the tokenizer; `None` is a file that does not say."""
    facts: dict[str, str | bool] = {"tokenizer.chat_template": template} if template else {}
    if wanted is not None:
        facts["tokenizer.ggml.add_bos_token"] = wanted
    left_out = ["tokenizer.chat_template", "tokenizer.ggml.add_bos_token"]
    path = random_model(family, tmp_path / "model.gguf", facts=facts, left_out=left_out)
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    backend = LlamaCppBackend(llama, 512)
    prompt = render(find_template("published"), ["<s> one", "<|endoftext|> two"], 1)
    tokens = [*backend._head_tokens(prompt), *backend._tail_tokens(prompt)]
    # Llama-2's tokenizer wants the token where its file does not say, Qwen2's does not.
    implied = family == "llama-2" if wanted is None else wanted
    assert tokens.count(llama.token_bos()) == int(implied or template == BOTH)
    assert tokens.index(llama.token_bos()) == 0 if implied or template == BOTH else True
    llama.close()


def test_the_template_of_a_file_is_used(tmp_path: Path) -> None:
    facts = {"tokenizer.chat_template": LLAMA_3}
    path = random_model("llama-3", tmp_path / "model.gguf", facts=facts)
    backend = LlamaCppBackend.open(Opening(str(path), context=512, threads=1))
    prompt = render(find_template("published"), ["one", "two"], 1)
    tokens = [*backend._head_tokens(prompt), *backend._tail_tokens(prompt)]
    begin, header, end, turn = 128000, 128006, 128007, 128009
    assert [token for token in tokens if token >= begin] == [begin, header, end, turn, header, end]
    assert tokens[0] == begin
    backend.close()
