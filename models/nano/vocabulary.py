"""Training texts → a byte-level BPE tokenizer that llama.cpp splits in the same way."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers


@dataclass(frozen=True, slots=True)
class Chat:
    """The special tokens of a family, and what stands around a user's words.

    `special` in the order of their ids; `prefix` and `suffix` are what `template` writes before
    and after the one message of a user.
    """

    begin: str
    turn_end: str
    padding: str
    special: tuple[str, ...]
    prefix: str
    suffix: str
    template: str


LLAMA_CHAT = Chat(
    begin="<|begin_of_text|>",
    turn_end="<|eot_id|>",
    padding="<|end_of_text|>",
    special=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ),
    prefix="<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
    suffix="<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    template=(
        "{{ '<|begin_of_text|>' }}{% for message in messages %}"
        "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'"
        " + message['content'] + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
)
GEMMA2_CHAT = Chat(
    begin="<bos>",
    turn_end="<end_of_turn>",
    padding="<pad>",
    special=("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"),
    prefix="<bos><start_of_turn>user\n",
    suffix="<end_of_turn>\n<start_of_turn>model\n",
    template=(
        "{{ '<bos>' }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for message in messages %}"
        "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...')"
        " }}{% endif %}"
        "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
        "{{ '<start_of_turn>' + role + '\\n' + message['content'] + '<end_of_turn>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
    ),
)
CHATS = {"llama": LLAMA_CHAT, "gemma2": GEMMA2_CHAT}
# What llama.cpp calls `smollm`: every digit alone, then GPT-2's pattern.
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train_tokenizer(texts: Iterable[str], size: int, chat: Chat) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"),
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[
            AddedToken(token, special=True, normalized=False) for token in chat.special
        ],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def special_ids(tokenizer: Tokenizer, chat: Chat) -> dict[str, int]:
    """Under the names that Hugging Face's files give them."""
    return {
        "bos_token_id": tokenizer.token_to_id(chat.begin),
        "eos_token_id": tokenizer.token_to_id(chat.turn_end),
        "pad_token_id": tokenizer.token_to_id(chat.padding),
    }


def merges(tokenizer: Tokenizer) -> list[str]:
    """The merge rules as `left right`, the way GGUF keeps them."""
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]


def save_tokenizer(tokenizer: Tokenizer, folder: Path, context: int, chat: Chat) -> None:
    """tokenizer.json, tokenizer_config.json and chat_template.jinja."""
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "bos_token": chat.begin,
        "eos_token": chat.turn_end,
        "pad_token": chat.padding,
        "clean_up_tokenization_spaces": False,
        "chat_template": chat.template,
    }
    write_json(folder / "tokenizer_config.json", settings)
    (folder / "chat_template.jinja").write_text(chat.template, encoding="utf-8")


def write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
