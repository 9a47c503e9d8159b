"""Picks → a Parquet table that pyarrow and pandas read: columns as they are, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyarrow import parquet

from localsel.records import Instruction
from localsel.stages.export import Chosen, export


def column_of(folder: Path, *values: object) -> tuple[str, list[Any]]:
    """Type and values of a column as they are read back."""
    chosen = [Chosen(Instruction(0, "x"), {"c": value}, {"row": 0}) for value in values]
    export(chosen, "parquet", folder / "picks.parquet")
    table = parquet.read_table(folder / "picks.parquet")
    return str(table.schema.field("c").type), table["c"].to_pylist()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("string", ["a", None, "b\0\n"]),
        ("int64", [1, None, -2]),
        ("double", [1.5, 2]),
        ("bool", [True, False]),
        ("null", [None, None]),
        ("list<element: string>", [["a"], [], None]),
        ("struct<a: int64>", [{"a": 1}, {"a": 2}]),
        (
            "list<element: struct<from: string, value: string>>",
            [[{"from": "human", "value": "Hi"}], [{"from": "gpt", "value": "Ho"}]],
        ),
    ],
)
def test_what_parquet_gives_back_stays_as_it_is(
    tmp_path: Path, kind: str, values: list[object]
) -> None:
    assert column_of(tmp_path, *values) == (kind, values)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, "a", None], ["1", "a", None]),
        ([2**64, 1], ["18446744073709551616", "1"]),
        ([{}], ["{}"]),
        ([[{}]], ["[{}]"]),
        ([{"a": 1}, {"b": "é"}], ['{"a": 1}', '{"b": "é"}']),
        ([["a"], [1]], ['["a"]', "[1]"]),
        ([True, 1], ["true", "1"]),
        ([2**60 + 1, 0.5], ["1152921504606846977", "0.5"]),
    ],
)
def test_what_it_would_change_is_json(
    tmp_path: Path, values: list[object], texts: list[str | None]
) -> None:
    assert column_of(tmp_path, *values) == ("string", texts)


def test_localsel_has_its_types_also_where_a_method_cannot_say(tmp_path: Path) -> None:
    why = {"row": 3, "rank": 1, "cluster": None, "probability": None, "votes": None}
    why |= {"chosen_by": "method", "run": "a1", "reason": None}
    export([Chosen(Instruction(3, "x"), {}, why)], "parquet", tmp_path / "picks.parquet")
    table = parquet.read_table(tmp_path / "picks.parquet")
    types = {field.name: str(field.type) for field in table.schema.field("_localsel").type}
    numbers = dict.fromkeys(("row", "rank", "cluster", "votes"), "int64")
    texts = dict.fromkeys(("chosen_by", "run", "reason"), "string")
    assert types == numbers | texts | {"probability": "double"}
    assert table.to_pylist() == [{"_localsel": why}]


def test_a_column_of_an_earlier_export_gives_way(tmp_path: Path) -> None:
    chosen = Chosen(Instruction(3, "x"), {"_localsel": {"row": 7}}, {"row": 3})
    export([chosen], "parquet", tmp_path / "picks.parquet")
    assert parquet.read_table(tmp_path / "picks.parquet").to_pylist() == [{"_localsel": {"row": 3}}]


def test_pandas_reads_it(tmp_path: Path) -> None:
    chosen = [Chosen(Instruction(at, "x"), {"a": at}, {"row": at, "run": "a1"}) for at in (5, 2)]
    export(chosen, "parquet", tmp_path / "picks.parquet")
    table = pd.read_parquet(tmp_path / "picks.parquet")
    assert list(table["a"]) == [5, 2]
    assert list(table["_localsel"]) == [{"row": 5, "run": "a1"}, {"row": 2, "run": "a1"}]
