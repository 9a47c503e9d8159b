"""Instruction files in the layouts people publish → plain texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]

# With their licences; HELD_OUT is permissive too, but never trained on.
TRAINED: dict[str, str] = {
    "t0/t0_20_per_template.jsonl": "Apache-2.0",
    "self_instruct/seed_tasks.jsonl": "Apache-2.0",
    "gpteacher/roleplay-simple-deduped.json": "MIT",
    "gpteacher/toolformer-dedupe-only.json": "MIT",
    "alpaca_libre/tasks_v1.jsonl": "MIT",
    "alpaca_libre/tasks_v2.jsonl": "MIT",
    "alpaca_libre/tasks_v3.jsonl": "MIT",
    "chat_formats/glaive_toolcall_en_demo.json": "Apache-2.0",
    "chat_formats/dpo_en_demo.json": "Apache-2.0",
    "chat_formats/kto_en_demo.json": "Apache-2.0",
    "chat_formats/sharegpt_zh_1K.jsonl": "Apache-2.0",
    "chat_formats/medical_sft_1K.jsonl": "Apache-2.0",
    "domain/chatdoctor5k.json": "Apache-2.0",
    "domain/rasbt_instruction_data.json": "Apache-2.0",
    "multilingual/instruction_ja.jsonl": "MIT",
    "multilingual/lc1332_developer_instruction.json": "Apache-2.0",
}
HELD_OUT = "self_instruct/user_oriented_instructions.jsonl"
NO_INPUT = {"", "n/a", "none", "no input", "<no input>", "noinput", "<noinput>"}
BROKEN = ("ERROR", "TOO LONG", "instruction:", "input:", "output:")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Instructions by source, and prose: answers, which teach language but are no candidates."""

    instructions: dict[str, list[str]] = field(default_factory=dict)
    prose: list[str] = field(default_factory=list)


def read_corpus(folder: Path, longest: int = 1500) -> Corpus:
    """Everything in TRAINED under `folder`, without texts of over `longest` characters."""
    corpus = Corpus()
    unseen = set(instructions(folder / HELD_OUT)) if (folder / HELD_OUT).exists() else set()
    for name in TRAINED:
        if not (folder / name).exists():
            continue
        texts = dict.fromkeys(instructions(folder / name))
        corpus.instructions[name] = [t for t in texts if len(t) <= longest and t not in unseen]
        corpus.prose.extend(piece for row in rows(folder / name) for piece in prose(row))
    return corpus


def instructions(path: Path) -> list[str]:
    """Instruction texts of one file, as a selector would be shown them: instruction, then input."""
    read = (
        toolformer if "toolformer" in path.name else patient if "doctor5k" in path.name else text_of
    )
    texts = (tidy(read(row)) for row in rows(path))
    return [text for text in texts if is_sound(text)]


def rows(path: Path) -> Iterator[Row]:
    """Rows of a JSON list or of JSON lines; unreadable lines are skipped."""
    content = path.read_text(encoding="utf-8")
    try:
        whole = json.loads(content)
    except ValueError:
        for line in content.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row
        return
    yield from (row for row in (whole if isinstance(whole, list) else [whole]))


def text_of(row: Row) -> str:
    """The first thing a user says in a row of any common layout."""
    if row.get("status", "ok") not in ("ok", "too similar"):
        return ""
    for key in ("conversations", "messages", "utterances"):
        if row.get(key):
            return said(next((turn for turn in row[key] if is_user(turn)), ""))
    if "instances" in row and isinstance(row["instances"], list):
        row = {**row, "input": row["instances"][0].get("input", "")}
    text = str(row.get("instruction") or row.get("prompt") or "")
    given = str(row.get("input") or "").strip()
    return f"{text.strip()}\n{given}" if given.lower().strip(".") not in NO_INPUT else text


def is_user(turn: Any) -> bool:
    speaker = (
        turn.get("from", turn.get("role", turn.get("name", ""))) if isinstance(turn, dict) else ""
    )
    return not speaker or speaker in ("human", "user")


def said(turn: Any) -> str:
    if isinstance(turn, str):
        return turn
    content = turn.get("value") or turn.get("text") or turn.get("content") or ""
    return content if isinstance(content, str) else ""


def toolformer(row: Row) -> str:
    """Drops the lines that announce a tool; what is left is the request."""
    lines = str(row.get("instruction", "")).splitlines()
    calls = [at for at, line in enumerate(lines) if re.fullmatch(r"\w+\([^)]*\)", line.strip())]
    kept = "\n".join(lines[calls[-1] + 1 :]) if calls else ""
    given = str(row.get("input") or "").strip()
    return f"{kept}\n{given}" if kept and given else kept


def patient(row: Row) -> str:
    return str(row.get("input", ""))


def prose(row: Row) -> Iterator[str]:
    """Answers of a row, in pieces of whole sentences of up to about 500 characters."""
    answers = [row.get(key) for key in ("output", "response", "completion")]
    turns = row.get("conversations") or row.get("utterances") or []
    answers += [said(turn) for turn in turns if not is_user(turn)]
    for answer in answers:
        if isinstance(answer, str) and len(answer) > 40:
            yield from pieces(tidy(answer)[:3000])


def pieces(text: str, size: int = 400) -> Iterator[str]:
    piece = ""
    for sentence in re.findall(r".+?(?:[.!?。！？]\s+|[。！？]|\n+|$)", text, flags=re.DOTALL):
        piece += sentence
        if len(piece) > size:
            yield piece.strip()
            piece = ""
    if len(piece) > 40:
        yield piece.strip()


def tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip()


def is_sound(text: str) -> bool:
    """At least three words (or eight wide characters), and no note of the program that made it."""
    long_enough = len(text.split()) >= 3 or (not text.isascii() and len(text) >= 8)
    return long_enough and not text.startswith(BROKEN) and "{{" not in text
