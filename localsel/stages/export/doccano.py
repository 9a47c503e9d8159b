"""Picks → JSONL that doccano imports; a line of its export → the answers in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from localsel.errors import InputError
from localsel.stages.export.chosen import Chosen, storable

LABELS = ("label", "labels", "annotations")
"""Where doccano puts what was annotated, in the order of its versions, the newest first."""


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    """`text`, `label`, and `_localsel`, which doccano keeps as metadata and gives back.

    `label` is empty but for what was written in review. Every line has the same keys, because
    doccano fills the gaps of a table with NaN. The user's columns stay here: `id`, `filename` or
    `upload_name` would replace doccano's own. All is ASCII, because doccano guesses the encoding.
    """
    for each in chosen:
        line = {"text": each.instruction.text, "label": [each.answer] * bool(each.answer)} | {
            "_localsel": each.why
        }
        file.write(json.dumps(storable(line)) + "\n")


def fits(record: Mapping[str, object]) -> bool:
    return "text" in record and any(isinstance(record.get(name), list) for name in LABELS)


def answers(record: Mapping[str, object]) -> list[str]:
    """What was written to this text, by whomever.

    Raises:
        InputError: the project marks spans or classes instead of writing texts.
    """
    labels = next(found for name in LABELS if isinstance(found := record.get(name), list))
    return [_text(label) for label in labels]


def _text(label: object) -> str:
    text = label.get("text") if isinstance(label, dict) else label
    if isinstance(text, str):
        return text
    raise InputError(
        f"a label is {json.dumps(label, ensure_ascii=False)[:60]}, not a text.",
        "Annotate in a doccano project of the type Sequence to sequence.",
    )
