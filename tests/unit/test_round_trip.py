"""Picks → every export format → filled in → the same answers, and no row is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localsel.cli.import_labels import annotations_from
from localsel.records import Instruction
from localsel.stages.export import EXPORTERS, Chosen, export
from localsel.stages.export.joining import join
from tests.filling import ENDINGS, EXPORTED, TOOLS, fill

NASTY = [
    "=cmd()|' /C calc'!A0",
    "+1",
    "-1;=2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "a,\"b\"\r\n'c'",
    "`````text\n```\n````",
    "# 1. Row 2\n\n---\n## 3. Row 4",
    "<!-- localsel 000000000000 end 1 -->",
    "<!-- localsel sheet 000000000000 run a1 -->",
    "\x1b[31mred\x1b[2J\x1b]0;title\x07",
    "\u202ebackwards\u2028\u2029\x85\x0b\x0c\x1c",
    "</View>&amp;<script>",
    '[{"data": {}}]',
    "{{ 7 * 7 }} $instruction",
    "http://localhost:1/",
    "NaN",
    "null",
    "1e5",
    "\ufffd\ufeff\U0001f600",
]
# What UTF-8 can hold: loading has replaced the rest. A NUL is in no text file.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.sampled_from(NASTY) | st.text(characters) | st.lists(st.sampled_from(NASTY)).map("".join)
filled = texts.filter(str.strip)
names = st.sampled_from(
    ["id", "text", "label", "labels", "data", "meta", "annotations", "=A1", "_localsel", "filename"]
    + ["localsel_row", "localsel_run", "upload_name", "a;b", "row"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        texts | st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=3)
    ),
    max_leaves=4,
)


@st.composite
def picks(draw: st.DrawFn) -> list[Chosen]:
    asked = draw(st.lists(st.tuples(filled, texts), min_size=1, max_size=4, unique=True))
    rows = draw(st.permutations(range(10)))
    return [
        Chosen(
            Instruction(row, instruction, given),
            {"instruction": instruction} | draw(st.dictionaries(names, values, max_size=3)),
            why(row, rank),
            "nano",
        )
        for rank, (row, (instruction, given)) in enumerate(zip(rows, asked, strict=False), 1)
    ]


def why(row: int, rank: int) -> dict[str, object]:
    rest = {"cluster": None, "probability": 0.1 * rank, "chosen_by": "model", "run": "00001234"}
    return {"row": row, "rank": rank} | rest


def as_read(form: str, answer: str) -> str:
    """A sheet has lines: blank ones around an answer go, and there is one kind of line end.

    A cell that begins with a quote and a formula is what an export makes of the formula.
    """
    if form == "markdown":
        lines = answer.replace("\r\n", "\n").split("\n")
        kept = [place for place, line in enumerate(lines) if line.strip()]
        return "\n".join(lines[kept[0] : kept[-1] + 1])
    if form == "csv" and answer[0] == "'" and answer[1:2] in tuple("=+-@\t\r"):
        return answer[1:]
    return answer


def test_every_format_can_come_back() -> None:
    assert set(EXPORTED.values()) == set(EXPORTERS)


@pytest.mark.parametrize("form", TOOLS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(picks(), st.lists(filled, min_size=4, max_size=4))
def test_no_row_is_lost_and_no_answer_is_changed(
    form: str, chosen: list[Chosen], said: list[str]
) -> None:
    answers = {each.instruction.row: answer for each, answer in zip(chosen, said, strict=False)}
    with tempfile.TemporaryDirectory() as folder:
        exported = EXPORTED[form]
        path = Path(folder) / f"picks{ENDINGS[exported]}"
        export(chosen, exported, path)
        annotations = annotations_from(fill(form, path, answers))
    joined = join(annotations, [each.instruction for each in chosen])
    assert joined.answers == {row: as_read(form, answer) for row, answer in answers.items()}
    assert (joined.missing, joined.empty, joined.unknown) == ((), (), ())
    if form != "alpaca":
        assert {each.run for each in annotations} == {"00001234"}


@pytest.mark.parametrize("form", [form for form in TOOLS if form != "alpaca"])
def test_what_is_not_filled_in_is_known_by_its_row(form: str, tmp_path: Path) -> None:
    chosen = [Chosen(Instruction(row, "Say hi"), {"id": row}, why(row, row)) for row in (3, 1, 2)]
    path = tmp_path / f"picks{ENDINGS[EXPORTED[form]]}"
    export(chosen, EXPORTED[form], path)
    joined = join(
        annotations_from(fill(form, path, {1: "Hi"})), [each.instruction for each in chosen]
    )
    assert (joined.answers, joined.empty, joined.missing) == ({1: "Hi"}, (3, 2), ())
