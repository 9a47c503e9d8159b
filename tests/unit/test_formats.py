"""What docs/formats.md says of examples and of real files → what the loader does with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.load import Row, open_rows
from tests.unit.test_load import SHARED, bad, good, needs_data, real

DOC = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOC.partition("| file |")[2].splitlines()[2:]
]
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


def options(flag: str) -> dict[str, object]:
    """What `--encoding NAME` or `--map instruction=COL` is to the loader."""
    name, _, value = flag.strip("`").partition(" ")
    if name == "--map":
        return {"columns": {"instruction": value.partition("=")[2]}}
    return {"encoding": value} if name else {}


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@needs_data
@pytest.mark.parametrize("row", TABLE, ids=lambda row: " ".join(row[:2]).strip())
def test_each_real_file_is_what_it_is_said_to_be(row: list[str]) -> None:
    file, flag, recognised, *counts = row
    if recognised.startswith("refused: "):
        with pytest.raises(InputError) as caught:
            real(file, **options(flag))
        assert f"{file} {recognised.removeprefix('refused: ')}" in caught.value.message
        return
    layout, rows = real(file, **options(flag))
    texts = [Instruction(each.row, each.instruction, each.input).text for each in good(rows)]
    assert layout.describe() == recognised
    found = [len(texts), len(bad(rows)), len(texts) - len(set(texts))]
    assert found == [number(cell) for cell in counts]


@needs_data
def test_every_real_file_has_a_row() -> None:
    files = {str(path.relative_to(SHARED)) for path in SHARED.glob("*/*") if path.is_file()}
    assert files == {file for file, *_ in TABLE}
