"""Picks → Label Studio tasks and their labelling configuration; an annotated task → its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from localsel.errors import InputError
from localsel.stages.export.chosen import Chosen, flat, storable

LARGEST = 10_000
"""Tasks in one file."""

RESPONSE = "response"

CONFIG = f"""\
<View>
  <Header value="Instruction"/>
  <Text name="instruction" value="$instruction" valueType="text"/>
  <Header value="Input"/>
  <Text name="input" value="$input" valueType="text"/>
  <Header value="Response"/>
  <TextArea name="{RESPONSE}" toName="instruction" rows="12" editable="true" maxSubmissions="1"
            required="true" requiredMessage="Write a response, or skip the task."/>
</View>
"""
"""`valueType` keeps an instruction that is an address from being fetched."""


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    """A JSON list of tasks. The data manager sorts by the score of their predictions."""
    json.dump([_task(each) for each in chosen], file, ensure_ascii=False, indent=1)
    file.write("\n")


def write_config(file: TextIO) -> None:
    file.write(CONFIG)


def _task(each: Chosen) -> object:
    """The prediction is empty, for no model has answered: it carries score and model alone.

    What was written in review is an annotation, so that the task arrives as done. The user's
    columns go into `meta`: in `data` a column `response` would pass for an answer.
    """
    shown = {"instruction": each.instruction.instruction, "input": each.instruction.input}
    probability = each.why.get("probability")
    score = {"score": min(probability, 1.0)} if isinstance(probability, float) else {}
    prediction = {"model_version": each.by or "localsel", **score, "result": []}
    task = {"data": shown | flat(each.why), "predictions": [prediction], "meta": each.columns}
    return storable(task | _annotations(each.answer))


def _annotations(answer: str) -> dict[str, object]:
    if not answer:
        return {}
    area = {"from_name": RESPONSE, "to_name": "instruction", "type": "textarea"}
    return {"annotations": [{"result": [{**area, "value": {"text": [answer]}}]}]}


def fits(record: Mapping[str, object]) -> bool:
    """Whether this is a task with its annotations; JSON_MIN has no tasks but plain columns."""
    inside = isinstance(record.get("data"), dict) and "_localsel" not in record
    return inside and any(name in record for name in ("annotations", "completions", "predictions"))


def answers(record: Mapping[str, object], column: str | None) -> list[str]:
    """One answer for every annotator who did not skip the task; `column` names the text area.

    Raises:
        InputError: there are several text areas and none is called `response`.
    """
    areas = [
        _areas(each) for each in _objects(record.get("annotations", record.get("completions")))
    ]
    names = list(dict.fromkeys(name for area in areas for name in area))
    name = column or (RESPONSE if RESPONSE in names else next(iter(names), RESPONSE))
    if column is None and name != RESPONSE and len(names) > 1:
        raise InputError(
            f"the task has the text areas {', '.join(names)}.", "Name one with --column."
        )
    return ["\n".join(area[name]) for area in areas if name in area]


def _areas(annotation: Mapping[str, object]) -> dict[str, list[str]]:
    """The texts of each text area; none if the annotator skipped the task."""
    found: dict[str, list[str]] = {}
    if annotation.get("was_cancelled") or annotation.get("skipped"):
        return found
    for result in _objects(annotation.get("result")):
        value = result.get("value")
        text = value.get("text") if isinstance(value, dict) else None
        if result.get("type") == "textarea" and text is not None:
            texts = text if isinstance(text, list) else [text]
            found.setdefault(str(result.get("from_name")), []).extend(map(str, texts))
    return found


def _objects(value: object) -> list[Mapping[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
