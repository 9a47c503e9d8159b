"""An exported file and answers by row → the file as an annotator or a tool would give it back.

Label Studio and doccano are played by their documented rules: what their importers keep, and what
their exporters write. What the importers refuse fails here.
"""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

Answers = Mapping[int, str]

LABEL_STUDIO_SAYS = {"annotator": 1, "created_at": "2026-11-20T16:00:00Z", "lead_time": 4.2}


def fill(form: str, path: Path, answers: Answers) -> Path:
    """Writes the filled file beside `path`; rows without an answer are left as they were."""
    back = path.with_name(f"filled-{form}{path.suffix}")
    TOOLS[form](path, back, answers)
    return back


def jsonl(path: Path, back: Path, answers: Answers) -> None:
    lines = [json.loads(line) for line in text_of(path).split("\n") if line]
    for line in lines:
        if (row := line["_localsel"]["row"]) in answers:
            line["output"] = answers[row]
    back.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def alpaca(path: Path, back: Path, answers: Answers) -> None:
    """Alpaca has no rows: the answers come in the order of the file."""
    records = json.loads(text_of(path))
    for record, answer in zip(records, answers.values(), strict=True):
        record["output"] = answer
    back.write_text(json.dumps(records), encoding="utf-8")


def spreadsheet(path: Path, back: Path, answers: Answers) -> None:
    names, *rows = csv.reader(io.StringIO(text_of(path), newline=""))
    if "output" not in names:
        names, rows = ["output", *names], [["", *row] for row in rows]
    where, what = names.index("localsel_row"), names.index("output")
    for row in rows:
        row[what] = answers.get(int(row[where]), row[what])
    with back.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def parquet(path: Path, back: Path, answers: Answers) -> None:
    table = pd.read_parquet(path)
    rows = [why["row"] for why in table["_localsel"]]
    table["output"] = [answers.get(row) for row in rows]
    table.to_parquet(back)


def sheet(path: Path, back: Path, answers: Answers) -> None:
    text = text_of(path)
    for row, answer in answers.items():
        mark = re.search(f"^<!-- localsel \\w+ answer {row} -->\n", text, re.MULTILINE)
        assert mark
        text = f"{text[: mark.end()]}{answer}\n{text[mark.end() :]}"
    back.write_bytes(text.encode("utf-8"))


def label_studio(path: Path, back: Path, answers: Answers) -> None:
    """As the format JSON of its export."""
    tasks = json.loads(text_of(path))
    for number, task in enumerate(tasks, 1):
        row = task["data"]["localsel_row"]
        result = [label_studio_result(answers[row])] if row in answers else []
        annotation = {"id": number, "was_cancelled": False, "result": result, "completed_by": 1}
        task |= {"id": number, "annotations": [annotation] if result else [], "drafts": []}
        task["predictions"] = [100 + number]
    back.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")


def label_studio_result(answer: str) -> dict[str, Any]:
    named = {"id": "Dx_aB91ISN", "from_name": "response", "to_name": "instruction"}
    return named | {"type": "textarea", "origin": "manual", "value": {"text": [answer]}}


def label_studio_min(path: Path, back: Path, answers: Answers) -> None:
    """As the format JSON_MIN of its export: data, and the answer under the text area's name."""
    records = []
    for number, task in enumerate(json.loads(text_of(path)), 1):
        record = task["data"] | {"id": number, "annotation_id": number} | LABEL_STUDIO_SAYS
        if (row := task["data"]["localsel_row"]) in answers:
            record["response"] = answers[row]
        records.append(record)
    back.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")


def doccano(path: Path, back: Path, answers: Answers) -> None:
    """As its JSONL export of a project of the type Sequence to sequence."""
    examples = []
    for number, (text, meta) in enumerate(doccano_examples(path), 1):
        row = meta["_localsel"]["row"]
        labels = [answers[row]] if row in answers else []
        examples.append({"id": number, "text": text, **meta, "label": labels, "Comments": []})
    frame = pd.DataFrame(examples)
    frame.to_json(back, orient="records", force_ascii=False, lines=True)


def doccano_examples(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Text and metadata of each line, by the rules of doccano's JSONL importer (`data_import`).

    A line without `text`, or with an empty one, is an error; everything else on it is metadata but
    `label`; a table is made of all lines, so that a gap in one becomes NaN.
    """
    frame = pd.DataFrame(doccano_rows(path))
    assert {"text", "label"} <= set(frame.columns)
    assert not frame["text"].isnull().any()
    labels = frame.explode("label")["label"].dropna()
    assert labels.empty, "nothing is annotated yet"
    examples = []
    for row in frame.drop(columns=["label"]).to_dict(orient="records"):
        for name in ("#line_number", "example_uuid", "filename", "upload_name"):
            row.pop(name)
        text = row.pop("text")
        assert isinstance(text, str) and text
        json.dumps(row, allow_nan=False)
        examples.append((text, row))
    return examples


def doccano_rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    # It guesses the encoding; ASCII cannot be guessed wrong.
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            given = {"example_uuid": uuid.uuid4(), "filename": "generated", "upload_name": "up"}
            rows.append({**given, "#line_number": number, **json.loads(line.rstrip())})
    return rows


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


TOOLS: dict[str, Callable[[Path, Path, Answers], None]] = {
    "jsonl": jsonl,
    "alpaca": alpaca,
    "csv": spreadsheet,
    "parquet": parquet,
    "label-studio": label_studio,
    "label-studio-min": label_studio_min,
    "doccano": doccano,
    "markdown": sheet,
}

EXPORTED = {name: name.removesuffix("-min") for name in TOOLS}
"""The export format that each of these begins with."""

ENDINGS = {"alpaca": ".json", "label-studio": ".json", "parquet": ".parquet", "csv": ".csv"}
ENDINGS |= {"jsonl": ".jsonl", "doccano": ".jsonl", "markdown": ".md"}
