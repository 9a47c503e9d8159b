"""Files of every format, layout and kind of damage → rows, bad rows, or one clear refusal."""

from __future__ import annotations

import base64
import csv
import datetime
import decimal
import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from localsel.errors import InputError
from localsel.stages.load import BadRow, Layout, Row, open_rows
from localsel.stages.load.encodings import probable_encoding
from localsel.stages.load.paths import lookup
from localsel.stages.load.values import jsonable

Objects = list[dict[str, object]]
Loaded = tuple[Layout, list[Row | BadRow]]

FORMATS = ("json", "jsonl", "csv", "tsv", "parquet")


# --- writing files -------------------------------------------------------------------------------


def as_json(records: Objects) -> bytes:
    return json.dumps(records, ensure_ascii=False, indent=1).encode()


def as_jsonl(records: Objects) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def as_csv(records: Objects, delimiter: str = ",") -> bytes:
    names = list(dict.fromkeys(name for record in records for name in record))
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, names, delimiter=delimiter)
    writer.writeheader()
    for record in records:
        writer.writerow({name: as_cell(value) for name, value in record.items()})
    return stream.getvalue().encode()


def as_cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def as_tsv(records: Objects) -> bytes:
    return as_csv(records, "\t")


def as_parquet(records: Objects | pa.Table) -> bytes:
    table = records if isinstance(records, pa.Table) else pa.Table.from_pylist(records)
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()


WRITERS: dict[str, Callable[[Objects], bytes]] = {
    "json": as_json,
    "jsonl": as_jsonl,
    "csv": as_csv,
    "tsv": as_tsv,
    "parquet": as_parquet,
}


def load(path: Path, content: bytes | str, **options: object) -> Loaded:
    """The name says nothing about the content, on purpose."""
    file = path / "file.dat"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    layout, rows = open_rows(file, **options)  # type: ignore[arg-type]
    return layout, list(rows)


def refused(path: Path, content: bytes | str, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        load(path, content, **options)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return str(caught.value).replace(str(path / "file.dat"), "FILE")


def good(rows: Iterable[Row | BadRow]) -> list[Row]:
    return [row for row in rows if isinstance(row, Row)]


def bad(rows: Iterable[Row | BadRow]) -> list[BadRow]:
    return [row for row in rows if isinstance(row, BadRow)]


def parts(rows: Iterable[Row | BadRow]) -> list[tuple[str, str, str]]:
    return [(row.instruction, row.input, row.response) for row in good(rows)]


# --- every format, every layout -----------------------------------------------------------------

TALK = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes?"}]
CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
SEED = [{"input": "a", "output": "b"}]

LAYOUTS: list[tuple[str, dict[str, object], tuple[str, str, str], str]] = [
    ("alpaca", {"instruction": "Do", "input": "it", "output": "ok"}, ("Do", "it", "ok"), ""),
    ("alpaca", {"Instruction": "Do", "Context": "it", "Response": "ok"}, ("Do", "it", "ok"), ""),
    ("alpaca", {"instruction": "Do"}, ("Do", "", ""), ""),
    ("alpaca", {"instruction": "Do", "instances": SEED}, ("Do", "a", "b"), "nested"),
    ("sharegpt", {"conversations": TALK}, ("Hi", "", "Yes?"), ""),
    ("sharegpt", {"conversations": ["Hi", "Yes?"]}, ("Hi", "", "Yes?"), ""),
    ("sharegpt", {"conversation": [{"human": "Hi", "assistant": "Yes?"}]}, ("Hi", "", "Yes?"), ""),
    ("sharegpt", {"utterances": [{"name": "user", "text": "Hi"}]}, ("Hi", "", ""), ""),
    ("messages", {"messages": CHAT, "prompt": "no"}, ("Hi", "", "Yes?"), ""),
    ("prompt-completion", {"prompt": "Do", "completion": "ok"}, ("Do", "", "ok"), ""),
    ("prompt-completion", {"prompt": "Do", "completions": ["ok", "x"]}, ("Do", "", "ok"), "nested"),
    (
        "prompt-completion",
        {"prompt": "Do", "completions": [{"model": "m", "completion": "ok"}]},
        ("Do", "", "ok"),
        "nested",
    ),
    ("prompt-completion", {"prompt": CHAT[:1], "chosen": CHAT}, ("Hi", "", "Yes?"), "nested"),
    (
        "prompt-completion",
        {"question": "Q?", "context": "C", "answers": {"text": ["A"]}},
        ("Q?", "C", "A"),
        "nested",
    ),
    ("prompt-completion", {"question": "Q?", "answer": "A"}, ("Q?", "", "A"), ""),
    ("prompt-completion", {"query": "Q?", "label": "x"}, ("Q?", "", ""), ""),
    ("prompt-completion", {"label": "x", "text": "T"}, ("T", "", ""), ""),
    ("prompt-completion", {"input": "I", "output": "O"}, ("I", "", "O"), ""),
    ("prompt-completion", {"inputs": "I", "context": "C", "targets": "O"}, ("I", "C", "O"), ""),
]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("form", "kind", "record", "expected"),
    [
        (form, kind, record, expected)
        for kind, record, expected, needs in LAYOUTS
        for form in FORMATS
        # The cells of a table are flat.
        if needs != "nested" or form not in ("csv", "tsv")
    ],
)
def test_format_and_layout(
    tmp_path: Path,
    form: str,
    packed: bool,
    kind: str,
    record: dict[str, object],
    expected: tuple[str, str, str],
) -> None:
    records = [record | {"n": str(place)} for place in range(3)]
    content = WRITERS[form](records)
    layout, rows = load(tmp_path, gzip.compress(content) if packed else content)
    assert (layout.format, layout.encoding, layout.kind) == (form, "utf-8", kind)
    assert parts(rows) == [expected] * 3
    assert [row.row for row in rows] == [0, 1, 2]
    assert [row.columns["n"] for row in good(rows)] == ["0", "1", "2"]
    if form not in ("csv", "tsv"):
        assert [row.columns for row in good(rows)] == records


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ('["One", "Two"]', "json"),
        ('[\n  "One",\n  "Two"\n]\n', "json"),
        ('"One"\n"Two"\n', "jsonl"),
        ('{"data": ["One", "Two"]}', "json"),
    ],
)
def test_bare_strings(tmp_path: Path, content: str, form: str) -> None:
    layout, rows = load(tmp_path, content)
    assert (layout.format, layout.kind) == (form, "strings")
    assert layout.describe() == f"{form}, utf-8, bare strings"
    assert rows == [
        Row(0, "One", "", "", {"instruction": "One"}),
        Row(1, "Two", "", "", {"instruction": "Two"}),
    ]


def test_among_bare_strings_scalars_are_text_and_the_rest_is_bad(tmp_path: Path) -> None:
    _, rows = load(tmp_path, '["One", "Two", 3, null, {"a": 1}, " "]')
    assert [row.instruction for row in good(rows)] == ["One", "Two", "3"]
    assert [(row.row, row.reason) for row in bad(rows)] == [
        (3, "null, not an object"),
        (4, "instruction is missing"),
        (5, "instruction is empty"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        '{"version": 1, "data": [{"instruction": "A"}, 7, {"instruction": "B"}]}',
        '{\n "version": 1,\n "data": [\n{"instruction": "A"},\n7,\n{"instruction": "B"}\n]}',
    ],
    ids=["one line", "many lines"],
)
def test_an_object_that_wraps_the_records(tmp_path: Path, content: str) -> None:
    layout, rows = load(tmp_path, content)
    assert (layout.format, layout.kind) == ("json", "alpaca")
    assert [row.row for row in good(rows)] == [0, 2]
    assert rows[1] == BadRow(1, None, "a number, not an object")


def test_a_wrapped_list_can_be_mapped(tmp_path: Path) -> None:
    _, rows = load(tmp_path, '{"data": [{"x": "A"}]}', columns={"instruction": "x"})
    assert parts(rows) == [("A", "", "")]


def test_one_conversation_in_a_file_is_a_record_and_not_a_wrapper(tmp_path: Path) -> None:
    layout, rows = load(tmp_path, json.dumps({"messages": CHAT}, indent=1))
    assert (layout.format, layout.kind) == ("json", "messages")
    assert parts(rows) == [("Hi", "", "Yes?")]


def test_a_bad_row_keeps_the_wrapped_object_from_being_one(tmp_path: Path) -> None:
    assert "columns seen: data" in refused(tmp_path, '{"data": [{"a": 1}]}\n{"data": []}')
    assert "columns seen: a." in refused(tmp_path, '{"data": [{"a": 1}]}')


# --- what the guess says -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            {"instruction": "A", "input": "", "output": "B"},
            "jsonl, utf-8, Alpaca columns: instruction, input, output as response",
        ),
        (
            {"conversations": TALK},
            "jsonl, utf-8, ShareGPT turns: conversations as instruction and response",
        ),
        ({"messages": CHAT}, "jsonl, utf-8, OpenAI messages: messages as instruction and response"),
        (
            {"prompt": "A", "completions": ["B"]},
            "jsonl, utf-8, prompt and completion: prompt as instruction, completions.0 as response",
        ),
    ],
)
def test_describe(tmp_path: Path, record: dict[str, object], said: str) -> None:
    layout, _ = load(tmp_path, as_jsonl([record]))
    assert layout.describe() == said


def test_the_guess_wants_half_of_the_records(tmp_path: Path) -> None:
    mixed = [{"instruction": "A"}, {"prompt": "B"}, {"prompt": "C"}]
    layout, rows = load(tmp_path, as_json(mixed))  # type: ignore[arg-type]
    assert layout.kind == "prompt-completion"
    assert rows[0] == BadRow(0, None, "prompt is missing")


def test_an_input_that_first_occurs_late_is_not_lost(tmp_path: Path) -> None:
    records: Objects = [{"instruction": "A"} for _ in range(150)]
    records.append({"instruction": "B", "input": "C", "output": "D"})
    layout, rows = load(tmp_path, as_jsonl(records))
    assert layout.columns == {"instruction": "instruction"}
    assert parts(rows)[-1] == ("B", "C", "D")


# --- conversations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([{"role": "system", "content": "S"}, *CHAT], ("Hi", "Yes?")),
        ([CHAT[0], {"role": "system", "content": "S"}, CHAT[1]], ("Hi", "Yes?")),
        ([CHAT[1], *CHAT], ("Hi", "Yes?")),
        ([CHAT[0], CHAT[0], CHAT[1]], ("Hi", "")),
        ([CHAT[0]], ("Hi", "")),
        ([CHAT[0], {"role": "assistant", "content": None, "tool_calls": []}], ("Hi", "")),
        ([{"role": "User", "content": [{"type": "text", "text": "Hi"}]}], ("Hi", "")),
        ([{"role": "user", "content": [{"type": "text", "value": "Hi"}]}], ("Hi", "")),
        (
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look:"},
                        {"type": "image_url", "image_url": {"url": "x"}},
                        {"type": "text", "text": "what is it?"},
                    ],
                }
            ],
            ("Look:\nwhat is it?", ""),
        ),
    ],
)
def test_turns(tmp_path: Path, turns: list[object], expected: tuple[str, str]) -> None:
    _, rows = load(tmp_path, as_jsonl([{"messages": turns}]))
    assert [(row.instruction, row.response) for row in good(rows)] == [expected]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([CHAT[1]], "a conversation without a user turn"),
        ([], "a conversation without a user turn"),
        ([7], "a conversation without a user turn"),
        (None, "messages is missing"),
        ({"role": "user"}, "messages is an object, not text"),
        ([{"role": "user", "content": ""}], "messages is empty"),
    ],
)
def test_bad_conversations(tmp_path: Path, turns: object, reason: str) -> None:
    records: Objects = [{"messages": CHAT}, {"messages": turns}]
    assert load(tmp_path, as_jsonl(records))[1][1] == BadRow(1, 2, reason)


# --- the map -------------------------------------------------------------------------------------


def test_map_with_plain_names_paths_and_lists(tmp_path: Path) -> None:
    record: dict[str, object] = {
        "a.b": "plain",
        "a": {"b": "nested", "c": {"d": "deep"}},
        "l": [{"t": "first"}],
    }
    layout, rows = load(
        tmp_path,
        as_jsonl([record]),
        columns={"instruction": "a.b", "input": "a.c.d", "response": "l.0.t"},
    )
    assert parts(rows) == [("plain", "deep", "first")]
    assert layout.kind == "mapped"
    said = "jsonl, utf-8, columns as mapped: a.b as instruction, a.c.d as input, l.0.t as response"
    assert layout.describe() == said


def test_map_with_an_instruction_replaces_the_guess(tmp_path: Path) -> None:
    record: dict[str, object] = {"instruction": "no", "input": "no", "output": "no", "title": "yes"}
    layout, rows = load(tmp_path, as_jsonl([record]), columns={"instruction": "title"})
    assert (layout.kind, parts(rows)) == ("mapped", [("yes", "", "")])


def test_map_without_an_instruction_adds_to_the_guess(tmp_path: Path) -> None:
    record: dict[str, object] = {"instruction": "A", "input": "no", "hint": "yes"}
    layout, rows = load(tmp_path, as_jsonl([record]), columns={"input": "hint"})
    assert (layout.kind, parts(rows)) == ("alpaca", [("A", "yes", "")])


def test_map_to_a_conversation(tmp_path: Path) -> None:
    record: dict[str, object] = {"x": {"y": CHAT}}
    _, rows = load(tmp_path, as_jsonl([record]), columns={"instruction": "x.y"})
    assert parts(rows) == [("Hi", "", "Yes?")]


def test_map_refusals(tmp_path: Path) -> None:
    content = as_jsonl([{"title": "Some words", "n": 1}])
    assert refused(tmp_path, content, columns={"instruction": "titel"}) == (
        "FILE has no column 'titel'; columns seen: title, n. "
        "Say which column holds the instruction, for example --map instruction=title."
    )
    assert refused(tmp_path, content, columns={"instructions": "title"}) == (
        "--map does not know 'instructions'. It maps instruction, input, response."
    )


def test_map_to_columns_that_are_empty_at_first(tmp_path: Path) -> None:
    content = as_jsonl([{"title": "A", "hint": None}])
    _, rows = load(tmp_path, content, columns={"instruction": "title", "input": "hint"})
    assert parts(rows) == [("A", "", "")]
    message = refused(tmp_path, content, columns={"instruction": "hint"})
    assert message.startswith("FILE has nothing in column 'hint'; columns seen: title, hint.")


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", 1), ("b.c", 2), ("b.c.d", 3), ("e.1.f", 4), ("e.9", None), ("z.y", None), ("a.b", None)],
)
def test_lookup(path: str, found: object) -> None:
    value = {"a": 1, "b.c": 2, "b": {"c": {"d": 3}}, "e": [0, {"f": 4}]}
    assert lookup(value, path) == found


# --- no layout -----------------------------------------------------------------------------------


def test_no_layout_names_the_columns_and_the_most_textual_one(tmp_path: Path) -> None:
    records: Objects = [{"id": "seed_1", "my title": "Words of a long title", "stars": 5}]
    assert refused(tmp_path, as_json(records)) == (
        "FILE has no column that is known to hold instructions; columns seen: id, my title, stars. "
        "Say which column holds the instruction, "
        "for example --map 'instruction=my title'."
    )


def test_no_layout_suggests_a_path_where_no_column_is_text(tmp_path: Path) -> None:
    message = refused(tmp_path, as_jsonl([{"n": 1, "task": {"body": "Words", "id": "x"}}]))
    assert message.endswith("--map instruction=task.body.")
    assert refused(tmp_path, '{"n": 1}').endswith("--map instruction=COL.")


def test_no_layout_with_many_long_columns_stays_short(tmp_path: Path) -> None:
    message = refused(tmp_path, as_jsonl([{f"{n}" * 60: n for n in range(100, 200)}]))
    assert "and 97 more" in message
    assert len(message) < 300


def test_lists_of_other_things(tmp_path: Path) -> None:
    assert refused(tmp_path, "[1, 2]").startswith("FILE holds a number where an object is expected")
    assert refused(tmp_path, "[[1], [2]]").startswith("FILE holds a list where an object")


# --- broken rows ---------------------------------------------------------------------------------


def test_broken_lines_are_reported_and_keep_their_numbers(tmp_path: Path) -> None:
    lines = [
        '{"instruction": "A"}',
        "",
        '{"instruction": "B}',
        '  \t"a text"',
        "[1]",
        '{"output": "no instruction"}',
        '{"instruction": null}',
        '{"instruction": ["x"]}',
        '{"instruction": {"x": 1}}',
        '{"instruction": " \\n "}',
        '{"instruction": "C", "input": ["x"]}',
        '{"instruction": "D"} {"instruction": "E"}',
        f'{{"instruction": "F", "n": {"9" * 5000}}}',
        '{"instruction": "G", "input": NaN}',
        "",
        *['{"instruction": "H"}'] * 9,
    ]
    _, rows = load(tmp_path, "\r\n".join(lines))
    assert [row.row for row in rows] == list(range(22))
    assert [(row.row, row.line, row.reason) for row in bad(rows)][:9] == [
        (1, 3, "not valid JSON: Unterminated string at column 17"),
        (2, 4, "a text, not an object"),
        (3, 5, "a list, not an object"),
        (4, 6, "instruction is missing"),
        (5, 7, "instruction is missing"),
        (6, 8, "instruction is a list, not text"),
        (7, 9, "instruction is an object, not text"),
        (8, 10, "instruction is empty"),
        (9, 11, "input is a list, not text"),
    ]
    assert bad(rows)[9] == BadRow(10, 12, "not valid JSON: Extra data at column 22")
    assert bad(rows)[10].reason.startswith("not valid JSON: Exceeds the limit (4300 digits)")
    assert [row.instruction for row in good(rows)] == ["A", "G", *"HHHHHHHHH"]


def test_a_first_line_that_is_broken_leaves_it_json_lines(tmp_path: Path) -> None:
    for first in ('{"instruction": "A', '{"instruction": "A", "output":', "# a comment", "{"):
        layout, rows = load(tmp_path, first + '\n{"instruction": "B"}\n{"instruction": "C"}\n')
        assert layout.format == "jsonl"
        assert bad(rows)[0].line == 1
        assert [row.row for row in good(rows)] == [1, 2]


@pytest.mark.parametrize("deep", ['{"a":' * 100_000 + "1" + "}" * 100_000, "[" * 100_000])
def test_deep_nesting_is_a_bad_row(tmp_path: Path, deep: str) -> None:
    content = f'{{"instruction": "A"}}\n{{"instruction": "B", "x": {deep}}}\n{{"instruction": "C"}}'
    _, rows = load(tmp_path, content)
    assert rows[1] == BadRow(1, 2, "nested too deeply")
    assert len(good(rows)) == 2


def test_nesting_that_json_stands_and_python_does_not_is_a_bad_row(tmp_path: Path) -> None:
    deep = "[" * 700 + "]" * 700
    _, rows = load(tmp_path, f'[{{"instruction": "A"}}, {{"instruction": "B", "x": {deep}}}]')
    assert rows[1] == BadRow(1, None, "nested too deeply")


def test_nothing_but_broken_rows_is_an_error(tmp_path: Path) -> None:
    content = "instruction\n" + "a,b\n" * 1500
    assert refused(tmp_path, content) == (
        "FILE cannot be read: the first 1000 rows are all broken "
        "(line 2: 2 fields, but the header has 1). Check that it is the right file."
    )


def test_of_two_equal_keys_the_last_counts(tmp_path: Path) -> None:
    _, rows = load(tmp_path, '{"instruction": "A", "instruction": "B"}')
    assert parts(rows) == [("B", "", "")]


def test_scalars_become_text_and_what_is_missing_is_empty(tmp_path: Path) -> None:
    records = '[{"instruction": 1, "input": 2.5}, {"instruction": true, "input": null}, \
        {"instruction": "x", "input": false, "output": 7}, {"instruction": "y", "input": NaN}]'
    _, rows = load(tmp_path, records)
    assert parts(rows) == [("1", "2.5", ""), ("True", "", ""), ("x", "False", "7"), ("y", "", "")]
    assert good(rows)[3].columns == {"instruction": "y", "input": None}


# --- JSON as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ('[\n{"instruction": "A"},\n{"instruction": "B"', "line 3, column 20"),
        ('[{"instruction": "A"},', "line 1, column 23"),
        ('[{"instruction": "A"},\n]', "line 2, column 1"),
        (
            '[\n{"instruction": "A"}\n{"instruction": "B"}\n{"instruction": "C"}]',
            "line 3, column 1",
        ),
        ('{"instruction": "A"', "line 1, column 20"),
        ("[1]\n[2]", "line 2, column 1"),
    ],
)
def test_broken_json_says_where(tmp_path: Path, content: str, where: str) -> None:
    message = refused(tmp_path, content)
    assert message.startswith("FILE is broken JSON: ")
    assert f"in {where}." in message
    assert "JSONL" in message


def test_json_that_python_refuses(tmp_path: Path) -> None:
    assert "nested too deeply" in refused(tmp_path, "[" * 100_000)
    assert "4300 digits" in refused(tmp_path, f"[{'9' * 5000}]")


# --- CSV -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mark", "form"), [(",", "csv"), (";", "csv"), ("\t", "tsv")])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_delimiters_and_line_ends(tmp_path: Path, mark: str, form: str, end: str) -> None:
    lines = ['instruction|"input"|output', "A|b,c;d e|f", f'"B {end}""x"""||', "", "C"]
    layout, rows = load(tmp_path, end.join(lines).replace("|", mark))
    assert layout.format == form
    broken = bad(rows)
    if mark == "\t":
        assert not broken
        assert parts(rows)[0] == ("A", "b,c;d e", "f")
    else:
        assert [(row.row, row.line) for row in broken] == [(0, 2)]
    assert parts(rows)[-2:] == [(f'B {end}"x"', "", ""), ("C", "", "")]


def test_csv_bad_rows_name_the_line_they_begin_in(tmp_path: Path) -> None:
    content = 'instruction,input\n"A\nA",\n\nB,b,x,y\n"C\n\nC",c,c\nD\n,d\n'
    _, rows = load(tmp_path, content)
    assert rows == [
        Row(0, "A\nA", "", "", {"instruction": "A\nA", "input": ""}),
        BadRow(1, 5, "4 fields, but the header has 2"),
        BadRow(2, 6, "3 fields, but the header has 2"),
        Row(3, "D", "", "", {"instruction": "D", "input": None}),
        BadRow(4, 10, "instruction is empty"),
    ]


@pytest.mark.parametrize(
    ("stray", "reason"),
    [
        ('"B', "broken quoting: unexpected end of data"),
        ('"B" b', "broken quoting: ',' expected after '\"'"),
    ],
)
def test_a_stray_quote_costs_one_row(tmp_path: Path, stray: str, reason: str) -> None:
    lines = ["instruction,input", "A,", f"{stray},", *["C,c"] * 200]
    _, rows = load(tmp_path, "\n".join(lines))
    assert bad(rows) == [BadRow(1, 3, reason)]
    assert [row.row for row in good(rows)] == [0, *range(2, 202)]


def test_a_stray_quote_that_meets_another_costs_one_row(tmp_path: Path) -> None:
    lines = ["instruction,input", '"A,', *["C,c"] * 9, '"D, d","e"', "E,"]
    _, rows = load(tmp_path, "\n".join(lines))
    assert [(row.row, row.line) for row in bad(rows)] == [(0, 2)]
    assert [row.instruction for row in good(rows)] == [*"CCCCCCCCC", "D, d", "E"]


def test_csv_header_with_empty_and_equal_names(tmp_path: Path) -> None:
    _, rows = load(tmp_path, ",instruction,instruction\n0,A,B\n")
    assert good(rows)[0].columns == {"column_1": "0", "instruction": "A", "instruction_3": "B"}


def test_csv_header_that_is_broken(tmp_path: Path) -> None:
    assert "has a broken header in line 1" in refused(tmp_path, 'a,"instruction\nA\n')


def test_csv_of_one_quoted_column_is_not_bare_strings(tmp_path: Path) -> None:
    layout, rows = load(tmp_path, '"Prompt"\n"A"\n"B"\n')
    assert layout.format == "csv"
    assert parts(rows) == [("A", "", ""), ("B", "", "")]


def test_csv_whose_cells_are_json_lines_is_csv(tmp_path: Path) -> None:
    lines = '{"a": 1}\n' * 50
    layout, rows = load(tmp_path, as_csv([{"id": 1, "prompt": lines}]))
    assert layout.format == "csv"
    assert parts(rows) == [(lines, "", "")]


def test_large_cells_are_read_and_the_limit_is_left_alone(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    text = "x" * 2_000_000
    (tmp_path / "a.csv").write_text(f"instruction,input\n{text},\nA,\n")
    _, rows = open_rows(tmp_path / "a.csv")
    assert csv.field_size_limit() == limit
    assert len(good([next(rows)])[0].instruction) == 2_000_000
    assert csv.field_size_limit() == limit


# --- Parquet -------------------------------------------------------------------------------------


def test_parquet_values_become_json(tmp_path: Path) -> None:
    moment = datetime.datetime(2024, 5, 1, 12, 30)
    table = pa.table(
        {
            "instruction": ["A"],
            "when": pa.array([moment], pa.timestamp("us")),
            "day": [moment.date()],
            "raw": [b"\xff\x00"],
            "old": [b"text"],
            "price": [decimal.Decimal("1.10")],
            "score": [float("nan")],
            "long": [datetime.timedelta(days=1)],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    _, rows = load(tmp_path, as_parquet(table))
    assert good(rows)[0].columns == {
        "instruction": "A",
        "when": "2024-05-01T12:30:00",
        "day": "2024-05-01",
        "raw": base64.b64encode(b"\xff\x00").decode(),
        "old": "text",
        "price": "1.10",
        "score": None,
        "long": "1 day, 0:00:00",
        "map": [["k", 1]],
    }


def test_parquet_text_stored_as_bytes(tmp_path: Path) -> None:
    _, rows = load(tmp_path, as_parquet(pa.table({"instruction": ["né".encode(), None]})))
    assert rows == [
        Row(0, "né", "", "", {"instruction": "né"}),
        BadRow(1, None, "instruction is missing"),
    ]


def test_parquet_values_that_python_cannot_hold_are_bad_rows(tmp_path: Path) -> None:
    far = pa.array([0, 2**62, 0], pa.timestamp("us"))
    _, rows = load(tmp_path, as_parquet(pa.table({"instruction": ["A", "B", "C"], "t": far})))
    assert [row.row for row in good(rows)] == [0, 2]
    assert bad(rows)[0].reason.startswith("a value that cannot be read")


@pytest.mark.parametrize("packed", [False, True])
def test_broken_parquet(tmp_path: Path, packed: bool) -> None:
    content = as_parquet([{"instruction": "A"}])[:-10]
    message = refused(tmp_path, gzip.compress(content) if packed else content)
    assert message.startswith("FILE is broken Parquet from row 0 on: ")


def test_broken_gzip_around_parquet(tmp_path: Path) -> None:
    records: Objects = [{"instruction": str(n)} for n in range(50_000)]
    content = gzip.compress(as_parquet(records))
    assert refused(tmp_path, content[: len(content) // 2]).startswith("FILE is broken gzip: ")


def test_parquet_comes_in_batches(tmp_path: Path) -> None:
    records: Objects = [{"instruction": str(n)} for n in range(1000)]
    _, rows = load(tmp_path, as_parquet(records))
    assert [row.row for row in rows] == list(range(1000))


# --- encodings -----------------------------------------------------------------------------------

ENGLISH = "instruction,output\nSay hello,Hello\n"
FRENCH = "instruction,output\nÉcris une phrase naïve à ce café,Voilà\n"
CHINESE = "instruction,output\n请介绍一下人工智能的历史。,好的，没有问题\n"
JAPANESE = "instruction,output\n日本の歴史について説明してください。,はい\n"
KOREAN = "instruction,output\n인공지능의 역사를 설명해 주세요,네\n"
TAIWANESE = "instruction,output\n請介紹一下人工智慧的歷史。,好的，沒有問題\n"
RUSSIAN = "instruction,output\nРасскажи об истории искусственного интеллекта,Хорошо\n"

FOREIGN = [
    ("utf-16", ENGLISH),
    ("utf-16-le", ENGLISH),
    ("utf-16-be", ENGLISH),
    ("utf-32", ENGLISH),
    ("cp1252", FRENCH),
    ("gb18030", CHINESE),
    ("cp932", JAPANESE),
    ("euc_jp", JAPANESE),
    ("euc_kr", KOREAN),
    ("big5", TAIWANESE),
    ("cp1251", RUSSIAN),
    ("koi8_r", RUSSIAN),
]


@pytest.mark.parametrize(("name", "text"), FOREIGN, ids=[name for name, _ in FOREIGN])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_another_encoding_is_named_and_read_when_asked(
    tmp_path: Path, name: str, text: str, packed: bool
) -> None:
    content = gzip.compress(text.encode(name)) if packed else text.encode(name)
    message = refused(tmp_path, content)
    assert message.startswith("FILE is not UTF-8: ")
    assert message.endswith(f"; it looks like {name}. Read it with --encoding {name}.")
    layout, rows = load(tmp_path, content, encoding=name)
    assert (layout.encoding, layout.format) == (name, "csv")
    assert good(rows)[0].instruction == text.split("\n")[1].split(",")[0]


def test_the_sentence_for_another_encoding(tmp_path: Path) -> None:
    content = ENGLISH.encode() * 3 + FRENCH.encode("latin-1")
    assert refused(tmp_path, content) == (
        "FILE is not UTF-8: byte 0xc9 in line 8; it looks like cp1252. "
        "Read it with --encoding cp1252."
    )
    assert probable_encoding(b"caf\xe9 \x81") == "latin-1"


@pytest.mark.parametrize("size", [100, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_wrong_byte_is_found_anywhere(tmp_path: Path, size: int) -> None:
    line = json.dumps({"instruction": "é" * 40}, ensure_ascii=False).encode() + b"\n"
    count = size // len(line) + 1
    message = refused(tmp_path, line * count + b'{"instruction": "caf\xe9 noir"}\n')
    assert f"byte 0xe9 in line {count + 1};" in message


def test_utf8_that_ends_inside_a_character(tmp_path: Path) -> None:
    content = '{"instruction": "né"}'.encode()
    assert "FILE is not UTF-8: byte 0xc3 in line 1" in refused(tmp_path, content[:19])


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv"])
def test_byte_order_mark(tmp_path: Path, form: str) -> None:
    layout, rows = load(tmp_path, b"\xef\xbb\xbf" + WRITERS[form]([{"instruction": "A", "b": 1}]))
    assert (layout.format, layout.encoding) == (form, "utf-8-sig")
    assert parts(rows) == [("A", "", "")]


def test_byte_order_mark_with_an_encoding_that_does_not_expect_it(tmp_path: Path) -> None:
    for name in ("utf-8", "utf-16-le"):
        _, rows = load(tmp_path, ("\ufeff" + ENGLISH).encode(name), encoding=name)
        assert parts(rows) == [("Say hello", "", "Hello")]


def test_wrong_encoding_asked_for(tmp_path: Path) -> None:
    content = CHINESE.encode("gb18030")
    assert refused(tmp_path, content, encoding="utf-8").startswith("FILE is not utf-8: byte 0x")
    for name in ("klingon", "hex"):
        message = refused(tmp_path, content, encoding=name)
        assert message.startswith(f"--encoding {name} is not an encoding that Python knows.")


def test_utf16_without_the_mark_that_it_needs(tmp_path: Path) -> None:
    message = refused(tmp_path, ENGLISH.encode("utf-16-le"), encoding="utf-16")
    assert message.startswith("FILE is not utf-16: UTF-16 stream does not start with BOM.")


@pytest.mark.parametrize(
    "content", [b'{"instruction": "A"}\n{"instr\0uction": "A"}\n', b"a,b\nx\xe9,\0\n"]
)
def test_nul_bytes(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content) == (
        "FILE is not a text file: there is a NUL byte in line 2. "
        "Give JSON, JSONL, CSV, TSV or Parquet; or remove the NUL bytes."
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04rest", "a zip archive or an Excel file"),
        (b"\x28\xb5\x2f\xfdrest", "packed with zstd"),
        (b"BZh9", "packed with bzip2"),
        (b"SQLite format 3\0", "an SQLite database"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, what: str) -> None:
    assert refused(tmp_path, content).startswith(f"FILE is {what}. Give JSON")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_lone_surrogates_are_replaced_everywhere(tmp_path: Path, form: str) -> None:
    lone = r'{"instruction": "a\ud800b", "input": "\udc00", "output": "\ud83d\ude00", '
    lone += r'"k\ud800": ["\udfff", {"x": "\ud800\ud800"}]}'
    _, rows = load(tmp_path, f"[{lone}]" if form == "json" else lone)
    assert parts(rows) == [("a\ufffdb", "\ufffd", "😀")]
    assert good(rows)[0].columns["k\ufffd"] == ["\ufffd", {"x": "\ufffd\ufffd"}]
    json.dumps(good(rows)[0].columns, ensure_ascii=False).encode()


def test_lone_surrogates_in_json_inside_a_cell(tmp_path: Path) -> None:
    cell = r'[{"from": "human", "value": "a\ud800"}, {"from": "gpt", "value": "\udfff"}]'
    _, rows = load(tmp_path, as_csv([{"conversations": cell}]))
    assert parts(rows) == [("a\ufffd", "", "\ufffd")]


def test_deep_json_inside_a_cell_is_a_bad_row(tmp_path: Path) -> None:
    deep = '[{"role": "user", "content": ' + "[" * 450 + "]" * 450 + "}]"
    records: Objects = [{"messages": json.dumps(CHAT)}, {"messages": deep}]
    _, rows = load(tmp_path, as_csv(records))
    assert len(bad(rows)) == 1


# --- paths ---------------------------------------------------------------------------------------


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    cases = {
        tmp_path / "none.json": f"There is no file {tmp_path}/none.json. Check the path.",
        tmp_path: f"{tmp_path} is a folder. Name one file in it.",
        Path("/dev/null"): "/dev/null is not a regular file. Save its content to a file first.",
    }
    for path, sentence in cases.items():
        with pytest.raises(InputError) as caught:
            open_rows(path)
        assert str(caught.value) == sentence


def test_a_file_that_may_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("[]")
    (tmp_path / "secret.json").chmod(0)
    tmp_path.chmod(0o755)
    said = in_a_child_without_rights(tmp_path, "secret.json")
    assert (
        said == "secret.json cannot be read: Permission denied. Check the path and its permissions."
    )


def in_a_child_without_rights(folder: Path, name: str) -> str:
    """What `open_rows` says in a child that is nobody, whoever runs the tests."""
    reading, writing = os.pipe()
    if not os.fork():
        try:
            os.chdir(folder)
            if os.geteuid() == 0:
                os.setuid(65534)
            open_rows(Path(name))
        except InputError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.wait()
    with os.fdopen(reading) as file:
        return file.read()


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_empty_files(tmp_path: Path, content: bytes) -> None:
    sentence = "FILE is empty. Give a file with at least one instruction."
    assert refused(tmp_path, content) == sentence


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"\n \n",
        b"\xef\xbb\xbf",
        b"instruction,output\n",
        b"instruction,output",
        as_parquet(pa.table({"instruction": pa.array([], pa.string())})),
    ],
)
def test_files_without_rows(tmp_path: Path, content: bytes) -> None:
    sentence = "FILE holds no rows. Give a file with at least one instruction."
    assert refused(tmp_path, content) == sentence


def test_broken_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(ENGLISH.encode() * 9999)
    for content in (whole[:-20], whole[:30], whole[:-9] + b"\0" * 9):
        assert refused(tmp_path, content).startswith("FILE is broken gzip: ")


def test_the_file_is_closed_when_nobody_reads_on(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(as_jsonl([{"instruction": "A"}] * 500))
    _, rows = open_rows(tmp_path / "a.jsonl")
    next(rows)
    del rows


# --- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_rows_are_streamed(tmp_path: Path, form: str) -> None:
    records: Objects = [{"instruction": f"{n} " + "x" * 10_000} for n in range(2500)]
    (tmp_path / "big").write_bytes(WRITERS[form](records))
    del records
    tracemalloc.start()
    try:
        _, rows = open_rows(tmp_path / "big")
        assert sum(isinstance(row, Row) for row in rows) == 2500
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_long_lines(tmp_path: Path) -> None:
    records: Objects = [{"instruction": "x" * (1 << 20), "n": n} for n in range(5)]
    layout, rows = load(tmp_path, as_jsonl(records))
    assert layout.format == "jsonl"
    assert [row.row for row in good(rows)] == [0, 1, 2, 3, 4]


# --- any text at all -----------------------------------------------------------------------------

ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TEXT = ANY.filter(lambda text: bool(text.strip()))
RECORDS = st.lists(
    st.fixed_dictionaries({"instruction": TEXT, "input": ANY, "output": ANY}),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("form", FORMATS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=RECORDS)
def test_what_was_written_is_read(
    tmp_path: Path, form: str, packed: bool, records: Objects
) -> None:
    content = WRITERS[form](records)
    layout, rows = load(tmp_path, gzip.compress(content, 1) if packed else content)
    assert layout.format == form
    assert [row.columns for row in good(rows)] == records
    assert parts(rows) == [(r["instruction"], r["input"], r["output"]) for r in records]


NAMES = ("instruction", "input", "output", "instances", "messages", "conversations", "prompt")
KEYS = st.sampled_from((*NAMES, "completions", "data", "role", "from", "content", "user", "0", ""))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
STRANGE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(records=st.lists(st.dictionaries(KEYS, STRANGE, max_size=4) | STRANGE, max_size=4))
def test_no_record_raises_anything_but_a_refusal(tmp_path: Path, records: list[object]) -> None:
    refusals, rows = [], []
    try:
        rows = load(tmp_path, json.dumps(records))[1]
    except InputError as error:
        refusals.append(error)
    assert all(error.hint for error in refusals)
    assert all(isinstance(row.input + row.response, str) for row in good(rows))
    assert all(row.instruction.strip() for row in good(rows))


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists))
def test_every_value_becomes_json_and_utf8(value: object) -> None:
    text = json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode()) == jsonable(value)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=60) | ANY.map(str.encode))
def test_no_content_raises_anything_but_a_refusal(tmp_path: Path, content: bytes) -> None:
    refusals = []
    try:
        load(tmp_path, content)
    except InputError as error:
        refusals.append(error)
    assert all(error.hint for error in refusals)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 400), put=st.binary(max_size=3), packed=st.booleans())
@pytest.mark.parametrize("form", FORMATS)
def test_no_damage_raises_anything_but_a_refusal(
    tmp_path: Path, form: str, cut: int, put: bytes, packed: bool
) -> None:
    records: Objects = [{"instruction": f'say "é{n}"', "input": "\n", "n": n} for n in range(6)]
    content = WRITERS[form](records)
    content = gzip.compress(content) if packed else content
    at = cut % (len(content) + 1)
    refusals = []
    try:
        load(tmp_path, content[:at] + put + content[at + len(put) :])
    except InputError as error:
        refusals.append(error)
    assert all(error.hint for error in refusals)
