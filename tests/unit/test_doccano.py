"""Picks → JSONL by the rules of doccano's importer; its exports → the answers in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.export import Chosen, export
from localsel.stages.export.doccano import answers, fits
from tests.filling import doccano_examples

WHY = {"row": 3, "rank": 1, "cluster": None, "probability": 0.25, "run": "a1"}


def exported(folder: Path, *chosen: Chosen) -> Path:
    export(chosen, "doccano", folder / "tasks.jsonl")
    return folder / "tasks.jsonl"


def pick(instruction: str = "Say hi", given: str = "", **columns: object) -> Chosen:
    return Chosen(Instruction(3, instruction, given), columns, WHY)


def test_every_line_is_a_text_with_an_empty_label(tmp_path: Path) -> None:
    lines = exported(tmp_path, pick(given="to all")).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"text": "Say hi\nto all", "label": [], "_localsel": WHY}
    ]


def test_the_importer_keeps_localsel_as_metadata(tmp_path: Path) -> None:
    chosen = [pick(str(at), id=at) if at % 2 else pick(str(at), topic="x") for at in range(9)]
    examples = doccano_examples(exported(tmp_path, *chosen))
    assert examples == [(str(at), {"_localsel": WHY}) for at in range(9)]


@pytest.mark.parametrize("name", ["filename", "upload_name", "example_uuid", "#line_number", "id"])
def test_no_column_takes_the_place_of_one_of_doccanos_own(tmp_path: Path, name: str) -> None:
    path = exported(tmp_path, pick(**{name: "mine"}))
    assert doccano_examples(path) == [("Say hi", {"_localsel": WHY})]


@pytest.mark.parametrize("text", ["é", "三", "\u2028", "\x85", "\r\n", "\U0001f600", "\\u0000"])
def test_no_encoding_can_be_guessed_wrong_and_no_line_broken(tmp_path: Path, text: str) -> None:
    path = exported(tmp_path, pick(f"a{text}b"), pick("second"))
    assert path.read_bytes().isascii()
    assert [example for example, _ in doccano_examples(path)] == [f"a{text}b", "second"]


def test_texts_can_be_stored_by_postgresql(tmp_path: Path) -> None:
    assert doccano_examples(exported(tmp_path, pick("a\0b")))[0][0] == "a\ufffdb"


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"label": []}, []),
        ({"label": ["Hi"]}, ["Hi"]),
        ({"label": ["Hi", "Ho"]}, ["Hi", "Ho"]),
        ({"labels": ["Hi"]}, ["Hi"]),
        ({"labels": ["Hi"], "annotation_approver": None, "meta": {}}, ["Hi"]),
        ({"annotations": [{"id": 1, "text": "Hi", "user": 2}]}, ["Hi"]),
        ({"label": ["Hi"], "Comments": ["odd"]}, ["Hi"]),
    ],
)
def test_every_version_of_its_export_has_its_answers(
    record: dict[str, Any], found: list[str]
) -> None:
    record = {"id": 1, "text": "Say hi"} | record
    assert fits(record)
    assert answers(record) == found


@pytest.mark.parametrize("label", [[0, 2, "ORG"], 7, {"label": 1, "user": 2}, None])
def test_a_project_of_another_type_is_named(label: object) -> None:
    with pytest.raises(InputError, match=r"not a text\. Annotate .* Sequence to sequence"):
        answers({"text": "Say hi", "label": [label]})


@pytest.mark.parametrize("record", [{"label": ["x"]}, {"text": "x"}, {"text": "x", "label": "y"}])
def test_other_records_are_not_doccanos(record: dict[str, Any]) -> None:
    assert not fits(record)
