"""Picks → CSV → what spreadsheets and pandas make of it: no formula, numbers, and every text."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.records import Instruction
from localsel.stages.export import Chosen, export, harmless
from localsel.stages.export.spreadsheet import restored

FORMULA = ("=", "+", "-", "@", "\t", "\r")
UNSAFE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def row(**columns: object) -> Chosen:
    return Chosen(Instruction(0, "x"), columns, {"row": 0})


def text_of(folder: Path, *chosen: Chosen) -> str:
    export(chosen, "csv", folder / "picks.csv")
    return (folder / "picks.csv").read_bytes().decode("utf-8")


def cells_of(folder: Path, *chosen: Chosen) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text_of(folder, *chosen), newline="")))


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *((text, f"'{text}") for text in UNSAFE),
        ("1=1", "1=1"),
        ("", ""),
        ("a-b", "a-b"),
        ("nul\0", "nul\ufffd"),
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
    _, cells = cells_of(tmp_path, row(value=value, output=""))
    assert cells == [cell, "", "0"]


@pytest.mark.parametrize("text", UNSAFE)
def test_neither_a_column_name_nor_a_reason_runs_as_a_formula(tmp_path: Path, text: str) -> None:
    chosen = Chosen(Instruction(0, "x"), {text: "", "output": ""}, {"row": 0, "reason": text})
    names, cells = cells_of(tmp_path, chosen)
    assert names == [f"'{text}", "output", "localsel_row", "localsel_reason"]
    assert cells == ["", "", "0", f"'{text}"]


def test_what_follows_a_semicolon_or_a_tab_is_no_cell_of_its_own(tmp_path: Path) -> None:
    """LibreOffice splits at them as well, unless they stand in quotes."""
    text = text_of(tmp_path, row(value="a;=1+1", other="b\t=1+1", output=""))
    assert text.splitlines()[1] == '"a;=1+1","b\t=1+1","",0'


def test_there_is_a_column_to_answer_in(tmp_path: Path) -> None:
    names, cells = cells_of(tmp_path, row(value="x"))
    assert names == ["value", "output", "localsel_row"]
    assert cells == ["x", "", "0"]


@pytest.mark.parametrize("name", ["output", "Response", "answer "])
def test_a_column_that_may_hold_answers_is_the_one_to_answer_in(tmp_path: Path, name: str) -> None:
    assert cells_of(tmp_path, row(**{name: "x"})) == [[name, "localsel_row"], ["x", "0"]]


def test_columns_of_an_earlier_export_give_way_to_those_of_this_one(tmp_path: Path) -> None:
    names, cells = cells_of(tmp_path, row(localsel_row=77, output=""))
    assert (names, cells) == (["output", "localsel_row"], ["", "0"])


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
cells = st.dictionaries(st.text(characters, min_size=1), st.text(characters), min_size=1)


@settings(deadline=None)
@given(cells)
def test_what_was_written_is_read_back(columns: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names, values = cells_of(Path(folder), row(**columns, output="x"))
    assert names == [*map(harmless, columns), "output", "localsel_row"]
    assert values == [*map(harmless, columns.values()), "x", "0"]
    assert not any(cell.startswith(FORMULA) for cell in (*names, *values))


@pytest.mark.parametrize("text", UNSAFE)
def test_the_quote_in_front_is_taken_off_again(text: str) -> None:
    assert restored({harmless(text): harmless(text)}) == {text: text}


@pytest.mark.parametrize("value", ["'quoted'", "'", "", "''=1", "it's", 3, None, ["'=1"]])
def test_nothing_else_is_taken_off(value: object) -> None:
    assert restored({"name": value}) == {"name": value}


def test_pandas_reads_every_row_and_text(tmp_path: Path) -> None:
    texts = [*UNSAFE, "a;=1+1", 'q"uo"te', "line\nbreak\r\nand\rmore", "NaN ", "1e5x", "ü"]
    chosen = [
        Chosen(Instruction(at, text), {"instruction": text, "n": at}, {"row": at, "rank": at})
        for at, text in enumerate(texts)
    ]
    export(chosen, "csv", tmp_path / "picks.csv")
    table = pd.read_csv(tmp_path / "picks.csv")
    assert list(table["instruction"]) == [harmless(text) for text in texts]
    assert list(table["localsel_row"]) == list(table["n"]) == list(range(len(texts)))
    assert table["n"].dtype == table["localsel_rank"].dtype == "int64"
