"""Records that came back → annotations; annotations and picks → one answer per pick."""

from __future__ import annotations

from typing import Any

import pytest

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.export.annotation import Annotation, same_run
from localsel.stages.export.annotations import annotations_in_sheet, annotations_of
from localsel.stages.export.joining import Joined, Keep, join

WHY = {"row": 7, "run": "a1"}


def read(*records: object, column: str | None = None) -> list[Annotation]:
    places = ((f"line {number}", record) for number, record in enumerate(records, 1))
    return annotations_of("f.jsonl", places, column)


def rows_and_answers(*records: object, column: str | None = None) -> list[tuple[Any, str]]:
    return [(each.row, each.answer) for each in read(*records, column=column)]


def refused(*records: object, column: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read(*records, column=column)
    assert caught.value.exit_code == 2
    return str(caught.value)


# --- whose answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "row", "run"),
    [
        ({"_localsel": {"row": 7, "run": "a1"}}, 7, "a1"),
        ({"localsel_row": 7, "localsel_run": "a1"}, 7, "a1"),
        ({"localsel_row": "7"}, 7, None),
        ({"localsel_row": " 7.0 "}, 7, None),
        ({"localsel_row": 7.0}, 7, None),
        ({"_localsel": {"row": 0}}, 0, None),
        ({"_localsel": {"row": 7}, "localsel_row": 8}, 7, None),
        ({"meta": {"_localsel": {"row": 7}}}, 7, None),
        ({"localsel_run": 12345678, "localsel_row": 1}, 1, "12345678"),
        ({"instruction": "Say hi"}, None, None),
    ],
)
def test_a_record_says_its_row_and_run(record: Any, row: int | None, run: str | None) -> None:
    (found,) = read({"output": "Hi"} | record)
    assert (found.row, found.run, found.answer, found.where) == (row, run, "Hi", "f.jsonl, line 1")


def test_without_a_row_the_instruction_and_input_say_whose_it_is() -> None:
    first, second = read(
        {"instruction": "Say hi", "input": "to all", "output": "Hi"},
        {"instruction": "Say hi", "input": None, "output": "Ho"},
    )
    assert (first.asked, second.asked) == (("Say hi", "to all"), ("Say hi", ""))


@pytest.mark.parametrize("row", ["x", "7.5", -1, "-1", True, [7], "1e3", "٧x"])
def test_a_row_that_is_none_is_named(row: object) -> None:
    assert "f.jsonl, line 1" in refused({"output": "", "localsel_row": row})
    assert "is not a row number" in refused({"output": "", "localsel_row": row})


def test_a_record_of_nobody_knows_what_is_named() -> None:
    said = refused({"output": "Hi", "_localsel": WHY}, {"output": "Hi", "localsel_row": None})
    assert said.startswith("f.jsonl, line 2: neither _localsel, nor localsel_row, nor an instruct")


@pytest.mark.parametrize("record", ["Hi", 3, None, ["x"]])
def test_a_record_without_columns_is_named(record: object) -> None:
    assert refused(record).startswith("f.jsonl, line 1: no object with columns.")


@pytest.mark.parametrize(
    ("seen", "run_id", "same"),
    [
        ("00001234", "00001234", True),
        ("1234", "00001234", True),
        ("1.2345E+71", "12345e67", True),
        ("a1b2c3d4", "a1b2c3d4", True),
        ("a1b2c3d5", "a1b2c3d4", False),
        ("12e45678", "99e45678", False),
        ("1235", "00001234", False),
    ],
)
def test_a_run_id_is_known_again_after_a_spreadsheet_took_it_for_a_number(
    seen: str, run_id: str, same: bool
) -> None:
    assert same_run(seen, run_id) is same


# --- which answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"output": "Hi"}, ["Hi"]),
        ({"Output ": "Hi"}, ["Hi"]),
        ({"output": "Hi", "Output": "Ho"}, ["Hi"]),
        ({"output": " Hi\n"}, [" Hi\n"]),
        ({"response": "Hi"}, ["Hi"]),
        ({"response": "old", "output": "new"}, ["new"]),
        ({"output": 3}, ["3"]),
        ({"output": ["Hi"]}, ["Hi"]),
        ({"output": ["Hi", "Ho"]}, ["Hi", "Ho"]),
        ({"output": None}, [""]),
        ({"output": " \n"}, [""]),
        ({"output": []}, [""]),
        ({"response": {"text": ["Hi", "there"]}}, ["Hi\nthere"]),
        ({"text": "x", "label": ["Hi"]}, ["Hi"]),
        ({"text": "x", "label": []}, [""]),
        ({"text": "x", "label": ["class"], "output": "Hi"}, ["Hi"]),
    ],
)
def test_the_answer_stands_where_its_tool_puts_it(record: Any, answers: list[str]) -> None:
    assert rows_and_answers({"_localsel": WHY} | record) == [(7, answer) for answer in answers]


def test_a_task_of_label_studio_is_read_by_its_rules() -> None:
    value = {"text": ["Hi"]}
    result = {"from_name": "response", "type": "textarea", "value": value}
    data = {"localsel_row": 7, "localsel_run": "a1", "instruction": "Say hi", "input": ""}
    task = {"id": 1, "data": data, "annotations": [{"result": [result]}]}
    assert read(task) == [Annotation("f.jsonl, line 1", "Hi", 7, "a1", ("Say hi", ""))]


def test_lists_called_label_are_the_pools_own_where_there_is_a_column_of_answers() -> None:
    pool = {"text": "x", "label": ["class"]}
    first = pool | {"_localsel": {"row": 1}, "output": "Hi"}
    second = pool | {"_localsel": {"row": 2}}
    assert rows_and_answers(first, second) == [(1, "Hi"), (2, "")]


def test_one_column_holds_the_answers_of_the_whole_file() -> None:
    """What a pool has in `response` is no answer where the answers are called `output`."""
    first = {"_localsel": {"row": 1}, "response": "old", "output": "Hi"}
    second = {"_localsel": {"row": 2}, "response": "old"}
    assert rows_and_answers(first, second) == [(1, "Hi"), (2, "")]


def test_rows_that_a_spreadsheet_leaves_empty_are_no_records() -> None:
    empty = {"output": "", "localsel_row": None}
    assert rows_and_answers({"output": "Hi", "localsel_row": "7"}, empty) == [(7, "Hi")]


def test_a_named_column_holds_the_answers() -> None:
    record = {"_localsel": WHY, "output": "old", "Mine": "new"}
    assert rows_and_answers(record, column="mine") == [(7, "new")]


def test_a_file_without_a_column_of_answers_is_told_what_to_call_it() -> None:
    said = refused({"_localsel": WHY, "text": "x"}, {"_localsel": WHY, "topic": "x"})
    assert said == (
        "f.jsonl has no column with answers; columns seen: _localsel, text, topic."
        " Call it output, or name it with --column."
    )
    assert "no column 'mine'" in refused({"_localsel": WHY, "output": "x"}, column="mine")


def test_an_answer_that_is_no_text_is_named() -> None:
    said = refused({"_localsel": WHY, "output": {"a": 1}})
    assert said.startswith("f.jsonl, line 1: output is an object, not a text.")
    said = refused({"_localsel": WHY, "text": "x", "label": [[0, 2, "ORG"]]})
    assert said.startswith('f.jsonl, line 1: a label is [0, 2, "ORG"], not a text.')


def test_a_broken_sheet_is_named_with_its_line() -> None:
    sheet = "<!-- localsel sheet c0de run a1 -->\n<!-- localsel c0de end 7 -->\n"
    with pytest.raises(InputError, match=r"^s\.md, line 2: the comment line `answer 7`"):
        annotations_in_sheet("s.md", sheet)


# --- joined to the picks -------------------------------------------------------------------------

PICKS = [Instruction(4, "Four"), Instruction(1, "One", "in"), Instruction(9, "Nine")]


def note(row: int | None, answer: str, asked: tuple[str, str] | None = None) -> Annotation:
    return Annotation(f"f, line {row}", answer, row, "a1", asked)


def joined(*annotations: Annotation, keep: Keep | None = None) -> Joined:
    return join(annotations, PICKS, keep)


def test_answers_come_in_the_order_of_the_picks() -> None:
    found = joined(note(9, "9"), note(1, "1"), note(4, "4"))
    assert list(found.answers.items()) == [(4, "4"), (1, "1"), (9, "9")]
    assert (found.missing, found.empty, found.repeated, found.unknown) == ((), (), (), ())


def test_what_does_not_fit_is_kept_apart() -> None:
    stranger = note(5, "5")
    found = joined(note(4, ""), note(9, "9"), stranger)
    assert found == Joined({9: "9"}, (1,), (4,), (), (stranger,))


def test_the_text_says_the_pick_where_no_row_does() -> None:
    other_input = note(None, "x", ("One", ""))
    found = joined(note(None, "1", ("One", "in")), note(None, "4", ("Four", "")), other_input)
    assert (found.answers, found.unknown) == ({4: "4", 1: "1"}, (other_input,))


def test_the_row_goes_before_the_text() -> None:
    assert joined(note(9, "9", ("Four", ""))).answers == {9: "9"}


def test_two_answers_that_agree_are_one_and_told() -> None:
    found = joined(note(4, "4"), note(4, "4"), note(4, ""))
    assert (found.answers, found.repeated) == ({4: "4"}, (4,))


def test_two_answers_that_differ_are_refused_with_their_places() -> None:
    with pytest.raises(InputError) as caught:
        joined(note(4, "4"), note(4, "4"), note(4, "four"))
    assert str(caught.value) == (
        "Row 4 has different answers (f, line 4; f, line 4)."
        " Remove all but one, or give --keep first or --keep last."
    )
    with pytest.raises(InputError, match=r"\), and 1 more\. "):
        joined(note(4, "4"), note(4, "four"), note(1, "1"), note(1, "one"))


@pytest.mark.parametrize(("keep", "answer"), [("first", "4"), ("last", "four")])
def test_or_one_of_them_is_kept(keep: Keep, answer: str) -> None:
    found = joined(note(4, "4"), note(4, "four"), note(4, ""), keep=keep)
    assert (found.answers, found.repeated) == ({4: answer}, (4,))
