"""Picks → tasks that Label Studio's own rules accept; its exports → the answers in them.

The rules are those of its documentation and of its importer: `TaskValidator` for tasks, and
`LabelInterface` of its SDK for configurations and predictions.
"""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.export import Chosen, export
from localsel.stages.export.label_studio import CONFIG, answers, fits, write_config

PREDICTION = {
    "type": "object",
    "required": ["result"],
    "additionalProperties": False,
    "properties": {
        "result": {"type": "array"},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "model_version": {"type": "string", "minLength": 1},
    },
}
TASKS = {
    "type": "array",
    "minItems": 1,
    "maxItems": 10_000,
    "items": {
        "type": "object",
        "required": ["data", "predictions"],
        "additionalProperties": False,
        "properties": {
            "data": {
                "type": "object",
                "required": ["instruction", "input", "localsel_row"],
                "properties": {"instruction": {"type": "string"}, "input": {"type": "string"}},
                # Keys of JSON_MIN that would be taken from the task instead of its annotation.
                "not": {"anyOf": [{"required": ["response"]}, {"required": ["id"]}]},
            },
            "meta": {"type": ["object", "array"]},
            "predictions": {"type": "array", "items": PREDICTION, "minItems": 1, "maxItems": 1},
        },
    },
}
VALIDATOR = Draft202012Validator(TASKS)

Task = dict[str, Any]


def tasks_of(folder: Path, *chosen: Chosen) -> list[Task]:
    export(chosen, "label-studio", folder / "tasks.json")
    tasks: list[Task] = json.loads((folder / "tasks.json").read_bytes())
    VALIDATOR.validate(tasks)
    return tasks


def pick(probability: float | None = 0.25, **columns: object) -> Chosen:
    why = {"row": 3, "rank": 1, "probability": probability, "run": "a1"}
    return Chosen(Instruction(3, "Say hi", "to all"), columns, why, "gemma-2-9b")


# --- tasks ---------------------------------------------------------------------------------------


def test_a_task_holds_what_is_shown_what_is_sorted_by_and_the_users_columns(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, pick(topic="greeting", response="Hello"))
    shown = {"instruction": "Say hi", "input": "to all"}
    why = {"row": 3, "rank": 1, "probability": 0.25, "run": "a1"}
    assert task["data"] == shown | {f"localsel_{name}": value for name, value in why.items()}
    assert task["predictions"] == [{"model_version": "gemma-2-9b", "score": 0.25, "result": []}]
    assert task["meta"] == {"topic": "greeting", "response": "Hello"}


@pytest.mark.parametrize(
    ("probability", "score"),
    [
        (0.0, {"score": 0.0}),
        (1.0, {"score": 1.0}),
        (1.0000000000000002, {"score": 1.0}),
        (None, {}),
    ],
)
def test_a_score_is_a_probability_or_missing(
    tmp_path: Path, probability: float | None, score: dict[str, float]
) -> None:
    (task,) = tasks_of(tmp_path, pick(probability))
    assert task["predictions"] == [{"model_version": "gemma-2-9b", "result": []} | score]


def test_tasks_can_be_stored_by_postgresql(tmp_path: Path) -> None:
    chosen = Chosen(Instruction(0, "a\0b", "\0"), {"c\0": ["\0", {"d": "\0"}]}, {"row": 0})
    (task,) = tasks_of(tmp_path, chosen)
    assert "\\u0000" not in (tmp_path / "tasks.json").read_text()
    assert task["data"]["instruction"] == "a\ufffdb"
    assert task["meta"] == {"c\ufffd": ["\ufffd", {"d": "\ufffd"}]}


@pytest.mark.parametrize(
    "task",
    [
        {"predictions": []},
        {"data": {"instruction": "x", "localsel_row": 1}, "predictions": [{"result": []}]},
        {"data": {"instruction": 1, "input": "", "localsel_row": 1}, "predictions": []},
    ],
)
def test_the_schema_refuses_what_label_studio_refuses(task: Task) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate([task])


# --- the labelling configuration -----------------------------------------------------------------


def tags(name: str) -> list[dict[str, str]]:
    return [tag.attrib for tag in ElementTree.fromstring(CONFIG).iter(name)]


def test_the_configuration_names_every_tag_once_and_labels_one_that_is_there() -> None:
    named = [tag["name"] for tag in (*tags("Text"), *tags("TextArea"))]
    assert sorted(named) == ["input", "instruction", "response"]
    (area,) = tags("TextArea")
    assert area["toName"] in named


def test_the_configuration_shows_what_every_task_has(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, pick())
    for tag in tags("Text"):
        variable = tag["value"]
        assert variable.startswith("$")
        assert isinstance(task["data"][variable[1:]], str)


def test_a_text_that_is_an_address_is_not_fetched() -> None:
    assert {tag["valueType"] for tag in tags("Text")} == {"text"}


def test_the_configuration_lies_beside_the_tasks(tmp_path: Path) -> None:
    tasks_of(tmp_path, pick())
    written = io.StringIO()
    write_config(written)
    assert (tmp_path / "tasks.xml").read_text() == CONFIG == written.getvalue()


# --- what comes back -----------------------------------------------------------------------------


def result(*texts: str, name: str = "response", **more: object) -> Task:
    value = {"text": list(texts)}
    return {"from_name": name, "to_name": "instruction", "type": "textarea", "value": value} | more


def annotation(*results: Task, **more: object) -> Task:
    return {"id": 1, "result": list(results), "was_cancelled": False} | more


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ([], []),
        ([annotation()], []),
        ([annotation(result("Hi"))], ["Hi"]),
        ([annotation(result("Hi", "there"))], ["Hi\nthere"]),
        ([annotation(result("Hi"), result("there"))], ["Hi\nthere"]),
        ([annotation(result("Hi")), annotation(result("Ho"))], ["Hi", "Ho"]),
        ([annotation(result("Hi"), was_cancelled=True), annotation(result("Ho"))], ["Ho"]),
        ([annotation(result("Hi"), skipped=True)], []),
        ([annotation(result("Hi"), result("why", name="note"))], ["Hi"]),
        ([annotation(result("why", name="note"))], ["why"]),
        ([annotation(result(value={"text": "of an old version"}))], ["of an old version"]),
        ([annotation({"type": "choices", "value": {"choices": ["bad"]}}, result("Hi"))], ["Hi"]),
        ([annotation({"type": "relation", "from_id": "a", "to_id": "b"}, result("Hi"))], ["Hi"]),
        (None, []),
    ],
)
def test_an_annotated_task_has_an_answer_of_everyone_who_gave_one(
    annotations: list[Task] | None, found: list[str]
) -> None:
    task = {"id": 1, "data": {}, "annotations": annotations}
    assert fits(task)
    assert answers(task, None) == found


def test_old_versions_say_completions() -> None:
    task = {"data": {}, "completions": [annotation(result("Hi"))]}
    assert fits(task)
    assert answers(task, None) == ["Hi"]


def test_a_text_area_of_another_name_is_named_by_the_user() -> None:
    task = {"data": {}, "annotations": [annotation(result("a", name="x"), result("b", name="y"))]}
    with pytest.raises(InputError, match=r"text areas x, y\. Name one with --column"):
        answers(task, None)
    assert answers(task, "y") == ["b"]


@pytest.mark.parametrize(
    "record",
    [
        {"data": "x", "annotations": []},
        {"data": {}},
        {"annotations": []},
        {"data": {}, "annotations": [], "_localsel": {"row": 1}},
    ],
)
def test_other_records_are_no_tasks(record: Task) -> None:
    assert not fits(record)
