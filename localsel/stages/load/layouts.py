"""A sample of records → where they keep instruction, input and response; a new layout is a row."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from localsel.errors import InputError
from localsel.stages.load.conversations import is_chat, is_dialogue
from localsel.stages.load.paths import KIND, Columns, inside, leaves, lookup

ROLES = ("instruction", "input", "response")
INSTRUCTIONS = ("instruction", "instructions")
PROMPTS = ("prompt", "question", "query", "problem", "inputs", "text", "user", "input")
INPUTS = ("input", "inputs", "context")
RESPONSES = (
    *("output", "response", "completion", "completions", "answer", "answers"),
    *("chosen", "target", "targets", "solution", "assistant"),
)
CHATS = ("conversations", "conversation", "utterances", "dialogue", "dialog", "turns")
MESSAGES = ("messages",)
KNOWN = frozenset((*INSTRUCTIONS, *PROMPTS, *CHATS, *MESSAGES))
"""Names that make a first line the header of a CSV file and not a bare string."""

SHOWN, LONGEST, ROOM = 12, 40, 120
"""Columns named in a refusal, and the letters that one and all of them may take."""

Found = tuple[str, dict[str, str]]


def alpaca(sample: Sequence[object]) -> dict[str, str] | None:
    """`instruction` with input and output beside it, or inside the first of its `instances`."""
    records = _objects(sample)
    if (name := _find(records, INSTRUCTIONS, _is_prompt)) is None:
        return None
    columns = {"instruction": name} | _others(records, name)
    if len(columns) == 1 and (inner := _find(records, ("instances",), _is_list)):
        columns |= {"input": f"{inner}.0.input", "response": f"{inner}.0.output"}
    return columns


def sharegpt(sample: Sequence[object]) -> dict[str, str] | None:
    """Turns under any of the usual names: `{from, value}`, `{name, text}` or plain strings."""
    name = _find(_objects(sample), CHATS, is_chat)
    return {"instruction": name, "response": name} if name else None


def messages(sample: Sequence[object]) -> dict[str, str] | None:
    """`messages` of `{role, content}`."""
    name = _find(_objects(sample), MESSAGES, is_chat)
    return {"instruction": name, "response": name} if name else None


def prompt_completion(sample: Sequence[object]) -> dict[str, str] | None:
    """Any other usual name for what is asked, with any usual name for what is answered."""
    records = _objects(sample)
    name = _find(records, PROMPTS, _is_prompt)
    return {"instruction": name} | _others(records, name) if name else None


def strings(sample: Sequence[object]) -> dict[str, str] | None:
    """Records that are texts themselves."""
    texts = sum(isinstance(value, str) for value in sample)
    return {"instruction": "instruction"} if texts and 2 * texts >= len(sample) else None


LAYOUTS: dict[str, Callable[[Sequence[object]], dict[str, str] | None]] = {
    "alpaca": alpaca,
    "sharegpt": sharegpt,
    "messages": messages,
    "prompt-completion": prompt_completion,
    "strings": strings,
}
"""Asked in this order: kind to the columns of its roles, or None where it does not fit."""


def recognise_layout(sample: Sequence[object], asked: Mapping[str, str] | None) -> Found | None:
    """Kind and columns, as asked or else as guessed; None if the sample does not have them."""
    asked = asked or {}
    if odd := sorted(set(asked) - set(ROLES)):
        raise InputError(f"--map does not know {odd[0]!r}.", f"It maps {', '.join(ROLES)}.")
    if _missing(sample, asked):
        return None
    if "instruction" in asked:
        return "mapped", dict(asked)
    for kind, guess in LAYOUTS.items():
        if columns := guess(sample):
            return kind, columns | dict(asked)
    return None


def refusal(path: Path, sample: Sequence[object], asked: Mapping[str, str] | None) -> InputError:
    """What was seen where no layout fits, and the `--map` that most likely helps."""
    records = _objects(sample)
    if not records:
        return InputError(
            f"{path} holds {KIND[type(sample[0])]} where an object is expected.",
            "Give objects with an instruction, or bare strings without --map.",
        )
    seen = column_names(records)
    if not seen:
        return InputError(f"{path} holds objects without columns.", "Check that it is the file.")
    if missing := _missing(sample, asked or {}):
        problem = f"{'nothing in' if missing in seen else 'no'} column {missing!r}"
    else:
        problem = "no column that is known to hold instructions"
    likely = _most_textual(records) or ""
    example = shlex.quote(f"instruction={likely if 0 < len(likely) <= LONGEST else 'COL'}")
    return InputError(
        f"{path} has {problem}; columns seen: {_listed(seen)}.",
        f"Say which column holds the instruction, for example --map {example}.",
    )


def _objects(sample: Iterable[object]) -> list[Columns]:
    return [value for value in sample if isinstance(value, dict)]


def column_names(records: Iterable[Columns]) -> list[str]:
    """Every name of a column, in the order in which they come."""
    return list(dict.fromkeys(name for record in records for name in record))


def _find(
    records: Sequence[Columns],
    names: Iterable[str],
    fits: Callable[[object], bool],
    share: float = 0.5,
) -> str | None:
    """The first of `names`, case ignored, that fits in at least this share of the records."""
    seen = {name.strip().lower(): name for name in reversed(column_names(records))}
    for column in (seen[name] for name in names if name in seen):
        fitting = sum(fits(record.get(column)) for record in records)
        if fitting and fitting >= share * len(records):
            return column
    return None


def _others(records: Sequence[Columns], instruction: str) -> dict[str, str]:
    """Input and response, wherever they occur at all."""
    columns = {}
    left = [name for name in INPUTS if name != instruction.strip().lower()]
    if name := _find(records, left, _is_there, share=0):
        columns["input"] = name
    if name := _find(records, RESPONSES, _is_there, share=0):
        filled = next((value for record in records if (value := record.get(name))), "")
        columns["response"] = name if is_dialogue(filled) else inside(filled, name)
    return columns


def _is_prompt(value: object) -> bool:
    return isinstance(value, str | int | float) or is_dialogue(value)


def _is_there(value: object) -> bool:
    return value is not None


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _missing(sample: Iterable[object], asked: Mapping[str, str]) -> str | None:
    """A column that was asked for and is not there, or that holds no instruction at all."""
    records = _objects(sample)
    known = column_names(records)
    for role, path in asked.items():
        empty = all(lookup(record, path) is None for record in records)
        if empty and (role == "instruction" or path not in known):
            return path
    return None


def _most_textual(records: Sequence[Columns]) -> str | None:
    """The column with most letters; a nested one only if no other has any."""
    letters: dict[str, int] = {}
    for path, text in (leaf for record in records for leaf in leaves(record)):
        letters[path] = letters.get(path, 0) + sum(map(str.isalpha, text[:1000]))
    top = {path: count for path, count in letters.items() if count and path in records[0]}
    return max(top or letters, key=(top or letters).__getitem__, default=None)


def _listed(names: Sequence[str]) -> str:
    shown, room = list[str](), ROOM
    for name in names[:SHOWN]:
        shown.append(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")
        room -= len(shown[-1])
        if room <= 0:
            break
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more
