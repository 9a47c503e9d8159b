"""Picks → a Markdown sheet that no text can break; a sheet filled by hand → its answers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from localsel.errors import InputError
from localsel.records import Instruction
from localsel.stages.export import Chosen
from localsel.stages.export.sheet import Answer, read, run_of, write

pieces = [
    "`",
    "```",
    "````",
    "~~~",
    "\n",
    "\r\n",
    "\r",
    "# x",
    "> ",
    "---",
    " ",
    "text",
    "<!--",
    "\t",
]
texts = st.lists(st.sampled_from(pieces) | st.text(st.characters(exclude_categories=["Cs"])))
texts = texts.map("".join)


def pick(instruction: str, given: str = "", row: int = 0) -> Chosen:
    why = {"row": row, "rank": row + 1, "run": "a1"}
    return Chosen(Instruction(row, instruction, given), {}, why)


def sheet_of(*chosen: Chosen) -> str:
    file = io.StringIO(newline="")
    write(chosen, file)  # type: ignore[arg-type]
    return file.getvalue()


def filled(sheet: str, row: int, answer: str) -> str:
    return re.sub(f"(<!-- localsel \\w+ answer {row} -->\n)", lambda m: m[1] + answer + "\n", sheet)


def texts_of(sheet: str) -> list[tuple[int, str]]:
    return [(row, text) for _, row, text in read(sheet)]


SHEET = sheet_of(pick("One", row=4), pick("Two", "with input", row=2))


# --- what is written -----------------------------------------------------------------------------


def shown_in(sheet: str) -> Iterator[str]:
    """What a Markdown reader takes for headings and fenced text, in order."""
    tokens = MarkdownIt("commonmark").parse(sheet)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            yield f"{token.tag} {following.content}"
        elif token.type == "fence":
            yield token.content


@settings(deadline=None)
@given(texts, texts)
def test_no_text_breaks_out_of_its_fence(instruction: str, given: str) -> None:
    title, first, fenced, *rest = shown_in(sheet_of(pick(instruction, given), pick("next", row=1)))
    *inputs, second, last = rest
    assert (title, first) == ("h1 2 instructions to answer", "h2 1. Row 0")
    assert (second, last) == ("h2 2. Row 1", "next\n")
    assert len(fenced.split("\n")) == len(instruction.replace("\r\n", "\n").split("\n")) + 1
    assert len(inputs) == bool(given)


def test_nothing_in_it_is_obeyed_by_a_terminal() -> None:
    text = "\x1b[31mred\x07\x9b2J\u202eback\x00\x7f\rover\ttab\r\nline"
    sheet = sheet_of(pick(text))
    assert "␛[31mred␇\ufffd2J\ufffdback␀␡␍over\ttab\nline" in sheet
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", sheet)


def test_the_same_picks_make_the_same_sheet_and_others_another_code() -> None:
    assert sheet_of(pick("One"), pick("Two")) == sheet_of(pick("One"), pick("Two"))
    first, second = (sheet_of(pick("One"), pick(text)).split("\n")[0] for text in ("Two", "2"))
    assert first != second


# --- what is read --------------------------------------------------------------------------------


def test_the_first_line_says_which_run() -> None:
    assert run_of(SHEET) == "a1"
    assert run_of("\n" + SHEET.replace("\n", "\r\n")) == "a1"
    assert run_of("# A list\n" + SHEET) is None
    assert run_of('{"instruction": "x"}') is None


def test_an_untouched_sheet_has_a_place_for_every_row_and_nothing_in_it() -> None:
    lines = SHEET.split("\n")
    places = list(read(SHEET))
    assert [(row, text) for _, row, text in places] == [(4, ""), (2, "")]
    assert all(f"answer {row} -->" in lines[line - 1] for line, row, _ in places)


ANSWERS = [
    "# A heading\n\n## 2. Row 2\n\nText",
    "```python\nprint('hi')\n```",
    "````\nnever closed",
    "Answer:\n\n---\n***",
    "<!-- a comment -->",
    "<!-- localsel 000000000000 end 4 -->",
    "    indented\n\ttoo",
    "spaces at the end  ",
    "one\n\n\n\nfour lines on",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "\x1b[31mred\x0b\x0c\x85\u2028end",
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_answer_may_hold_anything(answer: str, end: str) -> None:
    sheet = filled(filled(SHEET, 4, answer), 2, "Second").replace("\n", end)
    assert texts_of(sheet) == [(4, answer), (2, "Second")]


def test_blank_lines_around_an_answer_go() -> None:
    assert texts_of(filled(SHEET, 4, "\n \n\t\n  Hi\n\n"))[0] == (4, "  Hi")


def test_everything_outside_the_places_may_be_changed() -> None:
    lines = [line for line in SHEET.split("\n") if line.startswith("<!--")]
    assert texts_of("\n".join(lines)) == [(4, ""), (2, "")]
    assert texts_of("\n".join(f"  {line} " for line in lines)) == [(4, ""), (2, "")]


def test_a_row_that_was_cut_out_is_not_there() -> None:
    start, end = SHEET.index("## 5. Row 4"), SHEET.index("## 3. Row 2")
    assert list(read(SHEET[:start] + SHEET[end:])) == [Answer(22, 2, "")]


@pytest.mark.parametrize(
    ("gone", "line", "says"),
    [
        ("end 4", 34, "`end 4` of row 4"),
        ("answer 4", 18, "`answer 4` of row 4"),
        ("end 2", 38, "`end 2` of row 2"),
        ("answer 2", 37, "`answer 2` of row 2"),
    ],
)
def test_a_comment_line_that_is_gone_is_named_with_its_place(
    gone: str, line: int, says: str
) -> None:
    sheet = re.sub(f"<!-- localsel \\w+ {gone} -->\n", "", SHEET)
    with pytest.raises(InputError, match=f"^line {line}: the comment line {says} is missing"):
        list(read(sheet))
