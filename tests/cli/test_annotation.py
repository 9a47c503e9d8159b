"""`localsel export` and `import-labels` → out to every tool, and back to a training file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Command, Done, Finished
from tests.filling import ENDINGS, EXPORTED, TOOLS, fill

Import = Callable[..., Done]

# What a terminal obeys must not reach it, and what UTF-8 cannot hold must not stop an export.
HOSTILE = [
    "=cmd()|' /C calc'!A0",
    "a;=1+1\t=2+2",
    "lone \ud800 surrogate",
    "\x1b[31mred\x1b[2J\x1b]0;title\x07 nul \0 end",
    "```\n# Heading\n````\r\n<!-- localsel 000000000000 end 0 -->",
    "\u202ebackwards\u2028",
]


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def exported(localsel: Command, form: str, folder: Path, *more: object) -> Path:
    path = folder / f"picks{ENDINGS[EXPORTED[form]]}"
    done = localsel("export", "last", "--to", EXPORTED[form], "--out", path, *more)
    assert (done.code, done.stdout) == (0, ""), done.stderr
    return path


@pytest.fixture
def pool(localsel: Command, tmp_path: Path) -> Path:
    """A pool of hostile rows, of which a run has picked all; not every one has an input."""
    path = tmp_path / "pool.jsonl"
    rows = [
        {"instruction": text, "input": text if at % 2 else ""} for at, text in enumerate(HOSTILE)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert run(localsel, path, "--budget", 6) == ""
    return path


def run(localsel: Command, pool: Path, *options: object) -> str:
    done = localsel("run", pool, "--method", "random", *options)
    assert done.code == 0, done.stderr
    return done.stdout


@pytest.fixture
def filled(localsel: Command, pool: Path, tmp_path: Path) -> Path:
    """Picks in JSONL, all of them answered."""
    path = exported(localsel, "jsonl", tmp_path)
    return fill("jsonl", path, {row: f"Answer {row}" for row in range(6)})


# There and back.


@pytest.mark.parametrize("form", TOOLS)
def test_a_round_through_any_tool_loses_no_row(
    localsel: Command, finished: Finished, tmp_path: Path, form: str
) -> None:
    at = ("--workspace", finished.workspace)
    rows = [pick["_localsel"]["row"] for pick in finished.picks]
    answers = {row: f"= an answer, #{row};\n\n```\n“quoted”\n```" for row in rows}
    back = fill(form, exported(localsel, form, tmp_path, *at), answers)
    out = tmp_path / "train.json"
    done = localsel("import-labels", finished.id, back, "--out", out, "--json", *at)
    assert done.code == 0, done.stderr
    assert done.document == {
        "run": finished.id,
        "out": str(out),
        "joined": 20,
        "missing": [],
        "empty": [],
        "repeated": [],
        "unknown": [],
    }
    assert done.stderr == f"Joined 20 of 20 picks to {out}, ready for training.\n"
    wanted = [
        {"instruction": pick["instruction"], "input": pick["input"]} for pick in finished.picks
    ]
    assert read(out) == [
        each | {"output": answers[row]} for each, row in zip(wanted, rows, strict=True)
    ]


@pytest.mark.parametrize("form", TOOLS)
def test_hostile_texts_survive_it_and_never_speak_to_the_terminal(
    localsel: Command, pool: Path, tmp_path: Path, form: str
) -> None:
    picks = read(exported(localsel, "alpaca", tmp_path))
    back = fill(
        form, exported(localsel, form, tmp_path), {row: f"A {row}" for row in order(localsel)}
    )
    done = localsel("import-labels", "last", back, "--out", tmp_path / "train.json")
    assert (done.code, done.stdout) == (0, ""), done.stderr
    assert "\x1b" not in done.stderr
    answered = read(tmp_path / "train.json")
    assert [each | {"output": ""} for each in answered] == picks
    assert [each["output"] for each in answered] == [f"A {row}" for row in order(localsel)]
    assert {each["instruction"] for each in answered} == {
        text.replace("\ud800", "\ufffd") for text in HOSTILE
    }


def order(localsel: Command) -> list[int]:
    """The rows of the last run's picks, best first."""
    path = exported(localsel, "jsonl", localsel.folder)
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line)["_localsel"]["row"] for line in lines if line]


@pytest.mark.parametrize("ending", ["md", "parquet"])
def test_a_run_writes_by_the_ending_what_export_writes(
    localsel: Command, pool: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    run(localsel, pool, "--budget", 6, "--out", out)
    form = {"md": "markdown"}.get(ending, ending)
    assert out.read_bytes() == exported(localsel, form, tmp_path).read_bytes()


def test_label_studio_gets_the_model_and_its_configuration(
    localsel: Command, finished: Finished, tmp_path: Path
) -> None:
    out = tmp_path / "tasks.json"
    done = localsel(
        *("export", "last", "--to", "label-studio", "--out", out),
        *("--workspace", finished.workspace),
    )
    assert done.code == 0
    assert f"Wrote 20 picks to {out} (label-studio)." in done.stderr
    assert f"Wrote the labelling configuration to {tmp_path / 'tasks.xml'}." in done.stderr
    predictions = [task["predictions"][0] for task in read(out)]
    assert {each["model_version"] for each in predictions} == {"random:7"}
    assert [each["score"] for each in predictions] == [
        pick["_localsel"]["probability"] for pick in finished.picks
    ]


# What is told.


def test_what_does_not_fit_is_told_and_left_out(
    localsel: Command, pool: Path, filled: Path, tmp_path: Path
) -> None:
    lines = [json.loads(line) for line in filled.read_text().splitlines()]
    by_row = {line["_localsel"]["row"]: line for line in lines}
    by_row[1]["output"] = " "
    stranger = by_row[3] | {"_localsel": by_row[3]["_localsel"] | {"row": 77}}
    kept = [by_row[0], by_row[1], by_row[4], by_row[4], by_row[5], stranger]
    filled.write_text("\n".join(map(json.dumps, kept)))
    out = tmp_path / "train.json"
    done = localsel("import-labels", "last", filled, "--out", out, "--json")
    summary = done.document
    assert (done.code, summary["joined"], len(read(out))) == (0, 3, 3)
    assert (sorted(summary["missing"]), summary["empty"]) == ([2, 3], [1])
    assert summary["repeated"] == [4]
    assert summary["unknown"] == [{"where": f"{filled}, line 6", "row": 77}]
    said = done.stderr.splitlines()
    assert said[0] == f"Joined 3 of 6 picks to {out}, ready for training."
    assert said[1] in [
        f"Picks without an annotation: 2 (rows {rows})." for rows in ("2, 3", "3, 2")
    ]
    assert said[2:] == [
        "Picks annotated with nothing: 1 (rows 1).",
        "Picks answered more than once: 1 (rows 4).",
        f"Annotations of nothing that was picked: 1 ({filled}, line 6).",
    ]


def test_many_rows_are_cut_short(localsel: Command, filled: Path, tmp_path: Path) -> None:
    first = filled.read_text().splitlines()[0].replace('"row": ', '"row": 10')
    filled.write_text(filled.read_text() + "\n".join([first] * 7))
    done = localsel("import-labels", "last", filled, "--out", tmp_path / "train.json")
    assert "Annotations of nothing that was picked: 7 (" in done.complaint
    assert done.complaint.endswith("line 11 and 2 more; see --json).")


def test_several_files_are_one(localsel: Command, filled: Path, tmp_path: Path) -> None:
    lines = filled.read_text().splitlines(keepends=True)
    first, second = tmp_path / "anna.jsonl", tmp_path / "ben.jsonl"
    first.write_text("".join(lines[:2]))
    second.write_text("".join(lines[2:]))
    done = localsel("import-labels", "last", first, second, "--out", tmp_path / "train.json")
    assert done.stderr.startswith("Joined 6 of 6 picks")


def test_annotations_of_another_run_over_the_same_file_count(
    localsel: Command, pool: Path, tmp_path: Path
) -> None:
    run(localsel, pool, "--budget", 6, "--seed", 1)
    path = exported(localsel, "jsonl", tmp_path)
    back = fill("jsonl", path, {row: str(row) for row in range(6)})
    run(localsel, pool, "--budget", 3, "--seed", 2)
    done = localsel("import-labels", "last", back, "--out", tmp_path / "train.json", "--json")
    assert (done.code, done.document["joined"], len(done.document["unknown"])) == (0, 3, 3)


def test_a_spreadsheet_may_save_with_semicolons_in_its_own_encoding(
    localsel: Command, pool: Path, tmp_path: Path
) -> None:
    table = "output;localsel_row\r\n'=über;0\r\n=1+1;1.0\r\n;\r\n"
    path, out = tmp_path / "saved.csv", tmp_path / "train.json"
    path.write_bytes(table.encode("cp1252"))
    line = ("import-labels", "last", path, "--out", out)
    assert "Read it with --encoding cp1252." in localsel(*line).complaint
    assert localsel(*line, "--encoding", "cp1252").code == 0
    assert sorted(each["output"] for each in read(out)) == ["=1+1", "=über"]


# What is refused.


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "There is no file"),
        ("", "is empty"),
        ("{broken", "broken JSON"),
        ('{"output": "x", "_localsel": {"row": 0}}\n{broken\n{"a": 1}', "line 2: not valid JSON"),
        ("PK\x03\x04", "a zip archive or an Excel file"),
        ('[{"output": "x"}]', "record 1: neither _localsel"),
        ('{"instruction": "x", "_localsel": {"row": 0}}', "Call it output"),
        ('{"output": " ", "_localsel": {"row": 0}}', "answers none of the 6 picks"),
        ('{"output": "x", "_localsel": {"row": 0, "run": "ffffffff"}}', "annotations of run fff"),
        ('output,localsel_row\n"x,0\n', "broken quoting"),
        ("output,localsel_row\nx,no\n", '"no" is not a row number'),
        ('{"output": ["x", "y"], "_localsel": {"row": 0}}', "Row 0 has different answers"),
        (
            "<!-- localsel sheet c0de run a1 -->\n<!-- localsel c0de end 0 -->",
            "line 2: the comment",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_and_leaves_nothing(
    localsel: Command, pool: Path, tmp_path: Path, content: str | None, says: str
) -> None:
    path, out = tmp_path / "back.jsonl", tmp_path / "train.json"
    if content is not None:
        path.write_text(content)
    done = localsel("import-labels", "last", path, "--out", out, "--json")
    assert (done.code, done.stdout) == (2, "")
    assert says in done.complaint
    assert str(path) in done.complaint or "Row 0" in done.complaint
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_a_sheet_that_lost_its_first_line_is_told_how_to_get_it_back(
    localsel: Command, pool: Path, tmp_path: Path
) -> None:
    sheet = exported(localsel, "markdown", tmp_path)
    sheet.write_text(sheet.read_text().partition("\n")[2])
    done = localsel("import-labels", "last", sheet, "--out", tmp_path / "train.json")
    assert done.code == 2
    assert "has lost its first line" in done.complaint


@pytest.mark.parametrize("keep", ["first", "last"])
def test_of_answers_that_differ_one_is_kept_if_asked(
    localsel: Command, pool: Path, tmp_path: Path, keep: str
) -> None:
    path, out = tmp_path / "back.jsonl", tmp_path / "train.json"
    path.write_text('{"output": ["first", "last"], "_localsel": {"row": 0}}')
    assert localsel("import-labels", "last", path, "--out", out, "--keep", keep).code == 0
    assert [each["output"] for each in read(out)] == [keep]


def test_the_annotations_are_not_overwritten(localsel: Command, filled: Path) -> None:
    before = filled.read_bytes()
    done = localsel("import-labels", "last", filled, "--out", filled)
    assert done.code == 2
    assert "holds the annotations. Give another --out." in done.complaint
    assert filled.read_bytes() == before


@pytest.mark.parametrize("line", ["import-labels last", "import-labels last FILE", "import-labels"])
def test_what_is_missing_is_named(localsel: Command, pool: Path, line: str) -> None:
    done = localsel(*line.split())
    assert done.code == 2
    assert "Missing" in done.complaint


@pytest.mark.parametrize("name", ["export", "import-labels"])
def test_the_help_shows_examples(localsel: Command, name: str) -> None:
    done = localsel(name, "--help")
    assert done.code == 0
    assert f"  localsel {name} last" in done.stdout


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "markdown"])
def test_a_file_that_is_filled_in_is_not_replaced(
    localsel: Command, finished: Finished, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"picks{ENDINGS.get(form, '.' + form)}"
    where = ("--out", file, "--workspace", finished.workspace)
    line = ("export", finished.id, "--to", form, *where)
    assert localsel(*line).code == 0
    assert localsel(*line).code == 0
    row = finished.picks[0]["_localsel"]["row"]
    fill(form, file, {row: "An answer."}).replace(file)
    filled = file.read_bytes()
    refused = localsel(*line)
    assert refused.code == 2, refused.stderr
    assert f"{file} holds 1 answer. Bring them home with" in refused.complaint
    assert file.read_bytes() == filled
    assert localsel(*line, "--force").code == 0
    assert file.read_bytes() != filled


def test_responses_that_the_data_came_with_are_nobody_s_work(
    localsel: Command, tmp_path: Path, workspace: Path
) -> None:
    pools = {}
    for name in ("one", "two"):
        rows = [
            {"instruction": f"{name} {n}", "input": "", "output": f"{name} {n}."} for n in range(9)
        ]
        pools[name] = tmp_path / f"{name}.jsonl"
        pools[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
        line = ("run", pools[name], "--budget", 4, "--method", "random", "--workspace", workspace)
        assert localsel(*line, "--out", tmp_path / "picks.jsonl").code == 0
        # The other's picks are there, with the responses of their own data.
        exported = localsel(
            "export", "last", "--out", tmp_path / "picks.jsonl", "--workspace", workspace
        )
        assert exported.code == 0, exported.stderr
    one = json.loads(localsel("runs", "--json", "--workspace", workspace).stdout)[-1]["id"]
    line = ("export", one, "--out", tmp_path / "picks.jsonl", "--workspace", workspace)
    assert localsel(*line).code == 0
    text = (tmp_path / "picks.jsonl").read_text()
    (tmp_path / "picks.jsonl").write_text(text.replace('"output": "one', '"output": "ONE', 1))
    assert "holds 1 answer." in localsel(*line).complaint
