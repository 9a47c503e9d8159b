"""What docs/formats.md says of examples → what the loader does with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localsel.stages.load import Row, open_rows

DOC = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
KINDS = ["alpaca", "sharegpt", "messages", "prompt-completion", "strings", "mapped"]
EXAMPLES = [
    (kind, line)
    for kind, block in zip(KINDS, re.findall("```json\n(.*?)```", DOC, re.DOTALL), strict=True)
    for line in block.splitlines()
]


@pytest.mark.parametrize(("kind", "line"), EXAMPLES)
def test_each_example_is_what_it_is_said_to_be(tmp_path: Path, kind: str, line: str) -> None:
    (tmp_path / "file").write_text(line, encoding="utf-8")
    columns = {"instruction": "task.body"} if kind == "mapped" else None
    layout, rows = open_rows(tmp_path / "file", columns=columns)
    (row,) = rows
    assert layout.kind == kind
    assert isinstance(row, Row)
    assert row.instruction.startswith(("Name a ", "Which river", "Shorten"))
    assert row.response or len(line) < 90
