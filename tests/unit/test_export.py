"""Picks → the exact text of every format; a file name → the format it asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet

from localsel.errors import UsageError
from localsel.records import Instruction
from localsel.stages.export import (
    BY_SUFFIX,
    EXPORTERS,
    Chosen,
    export,
    format_of,
)

FORMULA = '=HYPERLINK("http://example.invalid","x")'

CHOSEN = [
    Chosen(
        Instruction(7, "Say “hi”", 'to\nall, "please"'),
        {"instruction": "Say “hi”", "input": 'to\nall, "please"', "id": 3},
        {"row": 7, "rank": 1, "cluster": 0, "probability": 0.5, "chosen_by": "model", "run": "a1"},
        "nano",
    ),
    Chosen(
        Instruction(2, FORMULA, response="Oui"),
        {"instruction": FORMULA, "output": "Oui", "tags": ["-a", {"b": None}], "id": -4},
        {"row": 2, "rank": 2, "cluster": 1, "probability": None, "chosen_by": "human", "run": "a1"},
        "nano",
    ),
]

JSONL = (
    '{"instruction": "Say “hi”", "input": "to\\nall, \\"please\\"", "id": 3,'
    ' "_localsel": {"row": 7, "rank": 1, "cluster": 0, "probability": 0.5,'
    ' "chosen_by": "model", "run": "a1"}}\n'
    '{"instruction": "=HYPERLINK(\\"http://example.invalid\\",\\"x\\")", "output": "Oui",'
    ' "tags": ["-a", {"b": null}], "id": -4,'
    ' "_localsel": {"row": 2, "rank": 2, "cluster": 1, "probability": null,'
    ' "chosen_by": "human", "run": "a1"}}\n'
)

ALPACA = """\
[
 {
  "instruction": "Say “hi”",
  "input": "to\\nall, \\"please\\"",
  "output": ""
 },
 {
  "instruction": "=HYPERLINK(\\"http://example.invalid\\",\\"x\\")",
  "input": "",
  "output": "Oui"
 }
]
"""

CSV = (
    '"instruction","input","id","output","tags",'
    '"localsel_row","localsel_rank","localsel_cluster","localsel_probability",'
    '"localsel_chosen_by","localsel_run"\r\n'
    '"Say “hi”","to\nall, ""please""",3,"","",7,1,0,0.5,"model","a1"\r\n'
    '"\'=HYPERLINK(""http://example.invalid"",""x"")","",-4,"Oui","[""-a"", {""b"": null}]",'
    '2,2,1,"","human","a1"\r\n'
)

LABEL_STUDIO = """\
[
 {
  "data": {
   "instruction": "Say “hi”",
   "input": "to\\nall, \\"please\\"",
   "localsel_row": 7,
   "localsel_rank": 1,
   "localsel_cluster": 0,
   "localsel_probability": 0.5,
   "localsel_chosen_by": "model",
   "localsel_run": "a1"
  },
  "predictions": [
   {
    "model_version": "nano",
    "score": 0.5,
    "result": []
   }
  ],
  "meta": {
   "instruction": "Say “hi”",
   "input": "to\\nall, \\"please\\"",
   "id": 3
  }
 },
 {
  "data": {
   "instruction": "=HYPERLINK(\\"http://example.invalid\\",\\"x\\")",
   "input": "",
   "localsel_row": 2,
   "localsel_rank": 2,
   "localsel_cluster": 1,
   "localsel_probability": null,
   "localsel_chosen_by": "human",
   "localsel_run": "a1"
  },
  "predictions": [
   {
    "model_version": "nano",
    "result": []
   }
  ],
  "meta": {
   "instruction": "=HYPERLINK(\\"http://example.invalid\\",\\"x\\")",
   "output": "Oui",
   "tags": [
    "-a",
    {
     "b": null
    }
   ],
   "id": -4
  }
 }
]
"""

DOCCANO = (
    '{"text": "Say \\u201chi\\u201d\\nto\\nall, \\"please\\"", "label": [],'
    ' "_localsel": {"row": 7, "rank": 1, "cluster": 0, "probability": 0.5,'
    ' "chosen_by": "model", "run": "a1"}}\n'
    '{"text": "=HYPERLINK(\\"http://example.invalid\\",\\"x\\")", "label": [],'
    ' "_localsel": {"row": 2, "rank": 2, "cluster": 1, "probability": null,'
    ' "chosen_by": "human", "run": "a1"}}\n'
)

MARKDOWN = """\
<!-- localsel sheet CODE run a1 -->

# 2 instructions to answer

Write each answer between its two comment lines, "answer" and "end", and leave those lines
as they are. An answer may hold anything: headings, lists, fences. No answer: leave it empty.

## 1. Row 7

```text
Say “hi”
```

Input:

```text
to
all, "please"
```

Answer:

<!-- localsel CODE answer 7 -->


<!-- localsel CODE end 7 -->

## 2. Row 2

```text
=HYPERLINK("http://example.invalid","x")
```

Answer:

<!-- localsel CODE answer 2 -->


<!-- localsel CODE end 2 -->
"""

GOLDEN = {
    "jsonl": JSONL,
    "alpaca": ALPACA,
    "csv": CSV,
    "label-studio": LABEL_STUDIO,
    "doccano": DOCCANO,
    "markdown": MARKDOWN.replace("CODE", "84a9a4641ad3"),
}


def written(path: Path, chosen: list[Chosen], form: str) -> str:
    name = path / ("picks.json" if form == "label-studio" else "picks")
    export(chosen, form, name)
    return name.read_bytes().decode("utf-8")


# --- golden files --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", GOLDEN)
def test_golden(tmp_path: Path, form: str) -> None:
    assert written(tmp_path, CHOSEN, form) == GOLDEN[form]


def test_a_parquet_file_holds_all_columns_and_localsel(tmp_path: Path) -> None:
    export(CHOSEN, "parquet", tmp_path / "picks.parquet")
    first, second = parquet.read_table(tmp_path / "picks.parquet").to_pylist()
    assert first == CHOSEN[0].as_json() | {"output": None, "tags": None}
    assert second == CHOSEN[1].as_json() | {"input": None, "tags": '["-a", {"b": null}]'}


def test_every_format_is_compared_with_what_it_should_be() -> None:
    assert {*GOLDEN, "parquet"} == set(EXPORTERS) >= set(BY_SUFFIX.values())


@pytest.mark.parametrize("form", EXPORTERS)
def test_no_picks(tmp_path: Path, form: str) -> None:
    assert written(tmp_path, [], form).strip() in ("", "[]")


# --- by the ending -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", "jsonl"),
        ("a.json", "alpaca"),
        ("a.csv", "csv"),
        ("A.b.JSONL", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.MD", "markdown"),
    ],
)
def test_the_ending_says_the_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["picks", "picks.txt", ".jsonl", "picks.jsonl.gz"])
def test_an_ending_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path(name))
    assert str(caught.value) == (
        f"The ending of {name} does not say how to write it."
        " Use one of .jsonl, .json, .csv, .parquet, .md."
    )
