"""Picks → a Parquet table: all input columns and the struct `_localsel`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from localsel.stages.export.chosen import Chosen, reasons_among

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = ("row", "rank", "cluster", "query", "label", "position", "votes")


def write(chosen: Sequence[Chosen], file: TextIO) -> None:
    """Writes nothing from nothing: without picks there are no columns."""
    import pyarrow as pa
    from pyarrow import parquet

    if not chosen:
        return
    names = dict.fromkeys(name for each in chosen for name in each.columns)
    columns = {name: _column([each.columns.get(name) for each in chosen]) for name in names}
    why = pa.array([dict(each.why) for each in chosen], _struct(reasons_among(chosen)))
    parquet.write_table(pa.table({**columns, "_localsel": why}), file.buffer)


def _struct(names: Sequence[str]) -> pa.DataType:
    """Typed by name, because a field may be empty in every pick."""
    import pyarrow as pa

    special = {"probability": pa.float64(), "score": pa.float64(), "accepted": pa.bool_()}
    special |= dict.fromkeys(NUMBERS, pa.int64())
    return pa.struct([(name, special.get(name, pa.string())) for name in names])


def _column(values: list[object]) -> pa.Array:
    """As it is where Parquet gives back the same, else what is no text as JSON."""
    import pyarrow as pa

    try:
        array = pa.array(values)
        if _returned(array) == values:
            return array
    except (pa.ArrowException, OverflowError):
        pass
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]
    return pa.array(texts, pa.string())


def _returned(array: pa.Array) -> list[object]:
    """What a reader gets. Only trying tells: objects of unlike keys come back with all keys."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"column": array}), sink)
    returned: list[object] = parquet.read_table(sink.getvalue())["column"].to_pylist()
    return returned
