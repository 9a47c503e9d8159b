"""The prompt formats of Gemma-2 and Llama-3, as their makers describe them → chat templates, and
both kinds of reader over a real vocabulary.

Gemma-2's own vocabulary does not come along with llama.cpp. Gemma-4's does: the same kind of
tokenizer and the same start token, and its two turn tokens get Gemma-2's names here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localsel.backends.hf_tokens import HfTokens, load_tokenizer
from localsel.backends.llamacpp_tokens import LlamaTokens
from tests.vocabularies import (
    CONTROL,
    FOLDER,
    KINDS,
    TOKENS,
    kinds,
    read_header,
    strings,
    vocabulary_file,
)

LLAMA_3 = """{{ bos_token }}{% for message in messages %}
{{ '<|start_header_id|>' ~ message['role'] ~ '<|end_header_id|>\\n\\n' }}
{{- message['content'] | trim }}<|eot_id|>
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""

# Llama-3.1 always has a system turn, which holds two dates; a system message goes behind them.
DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
LLAMA_31 = """{{ bos_token }}
{%- set asked = messages | selectattr('role', 'equalto', 'system') | map(attribute='content') %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\n' }}
{{- 'Today Date: ' ~ date_string | default('26 Jul 2024') ~ '\\n\\n' }}
{{- asked | join | trim ~ '<|eot_id|>' }}
{%- for message in messages if message['role'] != 'system' %}
{{- '<|start_header_id|>' ~ message['role'] ~ '<|end_header_id|>\\n\\n' }}
{{- message['content'] | trim ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""

# No system message, turns that alternate, and the assistant is called the model.
GEMMA_2 = """{{ bos_token }}
{%- if messages[0]['role'] == 'system' %}{{ raise_exception('there is no system role') }}{% endif %}
{%- for message in messages %}
{%- if message['role'] != ('assistant' if loop.index0 % 2 else 'user') %}
{{- raise_exception('user and assistant take turns') }}
{%- endif %}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{- '<start_of_turn>' ~ role ~ '\\n' ~ message['content'] | trim ~ '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""

# How Llama-3 cuts a text before it joins bytes: a published property of the tokenizer.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Family:
    """A prompt format over the vocabulary it is tried on.

    Attributes:
        tokens: the control tokens that its template writes, and their ids.
        around: ids that stand before and after the user's words, control tokens only.
        known_as: llama.cpp's own name of the format.
        renamed: tokens of the vocabulary that get another name.
        unmarked: control tokens that are not called so, as some files forget to.
    """

    vocabulary: str
    template: str
    tokens: Mapping[str, int]
    around: tuple[list[int], list[int]]
    known_as: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    unmarked: tuple[str, ...] = ()


BEGIN, HEADER, END, TURN = 128000, 128006, 128007, 128009
FAMILIES = {
    "llama-3.1": Family(
        vocabulary="llama-3",
        template=LLAMA_31,
        tokens={
            "<|begin_of_text|>": BEGIN,
            "<|start_header_id|>": HEADER,
            "<|end_header_id|>": END,
            "<|eot_id|>": TURN,
        },
        around=([BEGIN, HEADER, END, TURN, HEADER, END], [TURN, HEADER, END]),
        known_as="llama3",
    ),
    "gemma-2": Family(
        vocabulary="gemma-4",
        template=GEMMA_2,
        tokens={"<bos>": 2, "<start_of_turn>": 105, "<end_of_turn>": 106},
        around=([2, 105], [106, 105]),
        known_as="gemma",
        renamed={"<|turn>": "<start_of_turn>", "<turn|>": "<end_of_turn>"},
    ),
}


def gguf_reader(family: Family, path: Path, **facts: str | bool) -> LlamaTokens:
    """llama.cpp's reader, over a file that has the vocabulary and the template and no weights."""
    import llama_cpp

    facts = {"tokenizer.chat_template": family.template} | facts
    vocabulary_file(
        family.vocabulary, path, facts=facts, renamed=family.renamed, unmarked=family.unmarked
    )
    return LlamaTokens(llama_cpp.Llama(str(path), vocab_only=True, verbose=False), 8192)


def folder_reader(family: Family, folder: Path) -> HfTokens:
    """The reader of a Hugging Face folder with the same vocabulary and the same template."""
    from tokenizers import AddedToken

    header = read_header(FOLDER / f"{family.vocabulary}.gguf")
    spelled = strings(header[TOKENS])
    spelled = [family.renamed.get(token, token) for token in spelled]
    merges = [tuple(pair.split(" ")) for pair in strings(header["tokenizer.ggml.merges"])]
    vocabulary = {token: number for number, token in enumerate(spelled)}
    of_kind = zip(spelled, kinds(header[KINDS]), strict=True)
    control = [
        AddedToken(token, special=token not in family.unmarked, normalized=False)
        for token, kind in of_kind
        if kind == CONTROL
    ]
    make = _llama if family.vocabulary == "llama-3" else _gemma
    tokenizer = make(vocabulary, merges, control)
    tokenizer.chat_template = family.template
    tokenizer.save_pretrained(folder)
    return HfTokens(load_tokenizer(folder), 8192)


def _llama(vocabulary: dict[str, int], merges: list[Any], control: list[Any]) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(control)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"
    )


def _gemma(vocabulary: dict[str, int], merges: list[Any], control: list[Any]) -> Any:
    from transformers import GemmaTokenizer

    return GemmaTokenizer(vocab=vocabulary, merges=merges, additional_special_tokens=control)
