"""Picks → files: the exact text of every format, and what is left when writing goes wrong."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.errors import UsageError
from localsel.records import Instruction
from localsel.stages.export import (
    BY_SUFFIX,
    EXPORTERS,
    Chosen,
    check_writable,
    export,
    format_of,
    harmless,
)

relaxed = settings(deadline=None)

FORMULA = '=HYPERLINK("http://example.invalid","x")'

CHOSEN = [
    Chosen(
        Instruction(7, "Say “hi”", 'to\nall, "please"'),
        {"instruction": "Say “hi”", "input": 'to\nall, "please"', "id": 3},
        {"row": 7, "rank": 1, "cluster": 0, "probability": 0.5, "chosen_by": "model", "run": "a1"},
    ),
    Chosen(
        Instruction(2, FORMULA, response="Oui"),
        {"instruction": FORMULA, "output": "Oui", "tags": ["-a", {"b": None}], "id": -4},
        {"row": 2, "rank": 2, "cluster": 1, "probability": None, "chosen_by": "human", "run": "a1"},
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
    "instruction,input,id,output,tags,"
    "localsel_row,localsel_rank,localsel_cluster,localsel_probability,localsel_chosen_by,"
    "localsel_run\r\n"
    'Say “hi”,"to\nall, ""please""",3,,,7,1,0,0.5,model,a1\r\n'
    '"\'=HYPERLINK(""http://example.invalid"",""x"")",,-4,Oui,"[""-a"", {""b"": null}]",'
    "2,2,1,,human,a1\r\n"
)


def row(**columns: object) -> Chosen:
    return Chosen(Instruction(0, "x"), columns, {"row": 0})


def written(path: Path, chosen: list[Chosen], form: str) -> str:
    export(chosen, form, path / "picks")
    return (path / "picks").read_bytes().decode("utf-8")


# --- golden files --------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "golden"), [("jsonl", JSONL), ("alpaca", ALPACA), ("csv", CSV)])
def test_golden(tmp_path: Path, form: str, golden: str) -> None:
    assert written(tmp_path, CHOSEN, form) == golden


@pytest.mark.parametrize(("form", "golden"), [("jsonl", ""), ("alpaca", "[]\n"), ("csv", "\r\n")])
def test_no_picks(tmp_path: Path, form: str, golden: str) -> None:
    assert written(tmp_path, [], form) == golden


def test_every_format_has_a_golden_file() -> None:
    assert set(EXPORTERS) == {"jsonl", "alpaca", "csv"} == set(BY_SUFFIX.values())


# --- csv -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("1=1", "1=1"),
        ("", ""),
        ("a-b", "a-b"),
        (-1, "-1"),
        (-0.5, "-0.5"),
        (True, "True"),
        (None, ""),
        (["=1"], '["=1"]'),
        ({"=": "é"}, '{"=": "é"}'),
    ],
)
def test_no_cell_runs_as_a_formula_and_numbers_stay_numbers(
    tmp_path: Path, value: object, cell: str
) -> None:
    _, cells = read_csv(written(tmp_path, [row(value=value)], "csv"))
    assert cells == [cell, "0"]


def test_a_column_name_runs_as_no_formula_either(tmp_path: Path) -> None:
    names, _ = read_csv(written(tmp_path, [row(**{"=A1": "x"})], "csv"))
    assert names == ["'=A1", "localsel_row"]


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(keepends=True)))


cells = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    min_size=1,
)


@relaxed
@given(cells)
def test_what_was_written_to_csv_is_read_back(columns: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picks.csv"
        export([row(**columns)], "csv", path)
        with path.open(encoding="utf-8", newline="") as file:
            names, values = csv.reader(file)
    assert names == [*map(harmless, columns), "localsel_row"]
    assert values == [*map(harmless, columns.values()), "0"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in (*names, *values))


# --- replaced in one step ------------------------------------------------------------------------


def test_an_earlier_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "picks").write_text("something much longer than what comes after it" * 99)
    assert written(tmp_path, [row(a="b")], "jsonl") == '{"a": "b", "_localsel": {"row": 0}}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["picks"]


@pytest.mark.parametrize("old", ["old", None])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, old: str | None
) -> None:
    path = tmp_path / "picks.jsonl"
    if old:
        path.write_text(old)

    class Full(Chosen):
        def as_json(self) -> dict[str, object]:
            raise OSError(28, "No space left on device")

    chosen = [*CHOSEN, Full(Instruction(0, "x"), {}, {})]
    with pytest.raises(
        UsageError, match=r"picks\.jsonl cannot be written: No space left"
    ) as caught:
        export(chosen, "jsonl", path)
    assert caught.value.exit_code == 2
    assert [each.read_text() for each in tmp_path.iterdir()] == ([old] if old else [])


def test_a_defect_while_writing_leaves_the_old_file_too(tmp_path: Path) -> None:
    path = tmp_path / "picks.jsonl"
    path.write_text("old")
    with pytest.raises(TypeError, match="not JSON serializable"):
        export([*CHOSEN, row(a=object())], "jsonl", path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone/picks\.csv cannot be written: No such file"):
        export(CHOSEN, "csv", tmp_path / "gone" / "picks.csv")


# --- refused early -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.jsonl", "jsonl"), ("a.json", "alpaca"), ("a.csv", "csv"), ("A.b.JSONL", "jsonl")],
)
def test_the_ending_says_the_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["picks", "picks.txt", ".jsonl", "picks.jsonl.gz"])
def test_an_ending_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        format_of(Path(name))
    assert str(caught.value) == (
        f"The ending of {name} does not say how to write it. Use one of .jsonl, .json, .csv."
    )


@pytest.fixture
def anybody() -> Iterator[None]:
    """Root may write everywhere: be somebody else for a while."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    yield
    os.setresuid(0, 0, 0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Unlike `tmp_path`, a folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "closed").mkdir(mode=0o555)
        (path / "hidden").mkdir(mode=0o000)
        yield path
        (path / "hidden").chmod(0o700)


def test_a_place_that_can_be_written_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    check_writable(tmp_path / "new.csv")
    check_writable(tmp_path / "old.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_relative_name_is_looked_up_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable(Path("new.csv"))
    with pytest.raises(UsageError, match=f"There is no folder {tmp_path}/sub to write new.csv"):
        check_writable(Path("sub/new.csv"))


def test_a_folder_is_no_file_to_write_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, not a file to write to"):
        check_writable(tmp_path)


def test_a_file_is_no_folder_to_write_into(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError, match="There is no folder"):
        check_writable(tmp_path / "a" / "b.csv")


@pytest.mark.usefixtures("anybody")
def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match=f"The folder {folder}/closed cannot be written"):
        check_writable(folder / "closed" / "picks.csv")
    with pytest.raises(UsageError, match=f"The folder {folder}/hidden cannot be written"):
        check_writable(folder / "hidden" / "picks.csv")
    with pytest.raises(UsageError, match="There is no folder"):
        check_writable(folder / "hidden" / "further" / "picks.csv")
