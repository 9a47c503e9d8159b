"""`localsel review` → a selection as a person left it, honoured wherever it goes."""

from __future__ import annotations

import gzip
import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from localsel.store import Store
from tests.cli.conftest import read_lines
from tests.conftest import Command, Done, Finished
from tests.filling import ENDINGS, TOOLS, text_of

ANSWER = "= an answer; “quoted”\n\n```\nwith a fence\n```"


class Reviewed:
    """A finished run in a workspace of the test's own."""

    def __init__(self, localsel: Command, finished: Finished, folder: Path) -> None:
        self.workspace = Path(shutil.copytree(finished.workspace, folder / "reviewed"))
        self.localsel, self.id, self.folder = localsel, finished.id, folder
        self.rows = [pick["_localsel"]["row"] for pick in finished.picks]

    def __call__(self, *words: object) -> Done:
        """`localsel review` of it."""
        return self.run("review", "last", *words)

    def run(self, *words: object) -> Done:
        return self.localsel(*words, "--workspace", self.workspace)

    def done(self, *words: object) -> Done:
        done = self(*words)
        assert done.code == 0, done.stderr
        return done

    def exported(self, name: str, form: str | None = None) -> Path:
        out = self.folder / name
        to = ("--to", form) if form else ()
        done = self.run("export", "last", *to, "--out", out)
        assert done.code == 0, done.stderr
        return out

    def picks(self) -> list[dict[str, Any]]:
        return read_lines(self.exported("now.jsonl", "jsonl"))

    def joined(self, *files: object) -> Done:
        out = self.folder / "train.json"
        return self.run("import-labels", "last", *files, "--out", out, "--json")


@pytest.fixture
def review(localsel: Command, finished: Finished, tmp_path: Path) -> Reviewed:
    return Reviewed(localsel, finished, tmp_path)


# Changes, and what is said of them.


def test_a_ban_says_who_takes_the_place_and_undo_gives_it_back(review: Reviewed) -> None:
    before, (first, *_) = review.picks(), review.rows
    done = review.done("--ban", first, "--json")
    row = done.document["picks"][0]["row"]
    expected = f"Banned row {first}; row {row} of the same cluster takes its place.\n"
    assert done.stderr == expected
    why = review.picks()[0]["_localsel"]
    assert (why["row"], why["rank"], why["chosen_by"]) == (row, 1, "human")
    assert why["cluster"] == before[0]["_localsel"]["cluster"]
    assert why["probability"] is None
    assert review.done("--undo").stderr == f"Taken back: ban of row {first} for row {row}.\n"
    assert review.picks() == before
    assert review.done("--ban", first).stderr == expected


def test_all_changes_are_made_in_their_order_or_none(review: Reviewed) -> None:
    first, second, third, fourth, *_ = review.rows
    free = next(row for row in range(99) if row not in review.rows)
    words = ("--skip", fourth, "--note", third, "odd", "--swap", second, free, "--accept", third)
    refused = review(*words, "--accept", free)
    assert (refused.code, refused.stdout) == (2, "")
    assert f"Row {free} is no pick of run {review.id}." in refused.complaint
    assert review.done("--json").document["review"]["changes"] == 0
    done = review.done(*words)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"Accepted row {third}.",
        f"Swapped row {second} for row {free}.",
        f"Kept the note on row {third}.",
        f"Skipped row {fourth}: it is exported without an answer.",
    ]
    found = review.done("--json").document
    kinds = [each["kind"] for each in found["changes"]]
    assert kinds == ["accept", "swap", "note", "skip"]
    assert [each["row"] for each in found["picks"][:4]] == [first, free, third, fourth]
    assert (found["picks"][2]["accepted"], found["picks"][2]["note"]) == (True, "odd")
    assert found["picks"][3]["skipped"] is True


def test_the_table_shows_marks_notes_and_answers_harmlessly(review: Reviewed) -> None:
    first, second, *_ = review.rows
    review.done("--accept", first, "--answer", second, "x")
    review.done("--note", first, "[red]odd[/red]\x1b[2J")
    review.done("--ban", review.rows[2], "--note", review.rows[2], "Private.")
    done = review.done()
    assert "accepted" in done.stdout and "answered" in done.stdout
    assert "↳ [red]odd[/red][2J" in done.stdout
    assert "\x1b" not in done.stdout
    assert f"Row {review.rows[2]} is banned: Private." in done.stderr
    assert "Reviewed: 1 accepted, 1 banned, 2 notes, 1 answer." in done.stderr


def test_show_counts_and_lists_what_was_left(review: Reviewed) -> None:
    review.done("--ban", review.rows[0], "--accept", review.rows[1])
    record = review.run("show", "last", "--json").document
    assert record["picked"] == 20
    assert record["chosen_by"]["human"] == 1
    assert (record["review"]["accepted"], record["review"]["banned"]) == (1, 1)
    shown = review.run("show", "last")
    assert "Reviewed: 1 accepted, 1 banned." in shown.stderr
    assert "human" in shown.stdout.splitlines()[2]


def test_where_nobody_can_take_the_place_it_says_so(
    localsel: Command, example_pool: Path, tmp_path: Path
) -> None:
    at = ("--workspace", tmp_path / "workspace")
    made = localsel("run", example_pool, "--budget", 2, "--method", "random", *at, "--json")
    out = tmp_path / "picks.jsonl"
    assert localsel("export", "last", "--out", out, *at).code == 0
    one, two = (each["_localsel"]["row"] for each in read_lines(out))
    done = localsel("review", "last", "--ban", one, *at)
    assert f"Banned row {one}, and no candidate of its cluster is left" in done.stderr
    assert f"--swap {one} ROW" in done.stderr
    assert localsel("show", "last", "--json", *at).document["picked"] == 1
    assert localsel("review", "last", "--ban", two, *at).code == 0
    refused = localsel("export", "last", "--out", out, *at)
    assert (refused.code, made.code) == (2, 0)
    assert "All picks of run" in refused.complaint
    assert "nothing is chosen yet" not in localsel("show", "last", *at).stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--undo",), "there is nothing to undo."),
        (("--accept", 12, "--ban", 12), "Row 12 is both accepted and banned."),
        (("--accept", 99_999), "There is no row 99999 in the data of run"),
        (("--ban", 10**25), f"There is no row {10**25} in the data of run"),
        (("--ban", -1), "There is no row -1"),
        (("--undo", "--score"), "do not go together"),
        (("--score",), "Nobody has chosen in a query"),
        (("--choose", 0, "a,b"), "'a,b' is no list of rows."),
        (("--choose", 99_999, "1"), "has no query 99999"),
        (("--forget", 0), "Nothing was chosen in query 0"),
        (("--accept", "x"), "'x' is not a valid integer"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_sentence(
    review: Reviewed, words: tuple[object, ...], says: str
) -> None:
    done = review(*words)
    assert (done.code, done.stdout) == (2, ""), done.stderr
    assert says in done.complaint
    assert "Traceback" not in done.stderr


# Wherever the selection goes.


def test_the_same_command_again_rewrites_its_file_with_the_reviewed_picks(
    localsel: Command, example_pool: Path, workspace: Path, tmp_path: Path
) -> None:
    out = tmp_path / "picks.jsonl"
    line = ("run", example_pool, "--budget", 5, "--model", "first", "--out", out)
    at = ("--workspace", workspace)
    assert localsel(*line, *at).code == 0
    first, *others = [each["_localsel"]["row"] for each in read_lines(out)]
    assert localsel("review", "last", "--ban", first, "--note", others[0], "odd", *at).code == 0
    assert localsel(*line, *at).code == 0
    new, noted, *_ = read_lines(out)
    assert new["_localsel"]["chosen_by"] == "human"
    assert noted["_localsel"]["note"] == "odd"
    assert "note" not in new["_localsel"]


@pytest.mark.parametrize("form", [name for name in TOOLS if not name.endswith("-min")])
def test_an_answer_goes_out_to_any_tool_and_comes_back(review: Reviewed, form: str) -> None:
    first, second, third, *others = review.rows
    words = ("--answer", first, ANSWER, "--answer", second, "Two.", "--skip", third)
    review.done(*words, "--note", first, "odd", "--accept", second)
    out = review.exported(f"out{ENDINGS[form]}", form)
    done = review.joined(out)
    assert done.code == 0, done.stderr
    assert (done.document["joined"], done.document["repeated"]) == (2, [])
    assert done.document["empty"] == [third, *others]
    assert outputs(review) == [ANSWER, "Two."]
    # What stands in the file stands in the review, too: nothing would be lost.
    review.exported(out.name, form)


def outputs(review: Reviewed) -> list[str]:
    written = json.loads((review.folder / "train.json").read_text(encoding="utf-8"))
    return [each["output"] for each in written]


def test_each_tool_is_given_an_answer_in_its_own_way(review: Reviewed) -> None:
    review.done("--answer", review.rows[0], ANSWER)
    alpaca = json.loads(text_of(review.exported("a.json")))
    assert [each["output"] for each in alpaca[:2]] == [ANSWER, ""]
    assert review.picks()[0]["output"] == ANSWER
    table = pd.read_parquet(review.exported("p.parquet"))
    assert table["output"][0] == ANSWER
    assert table["output"].isnull().sum() == 19
    task, other, *_ = json.loads(text_of(review.exported("l.json", "label-studio")))
    (annotation,) = task["annotations"]
    assert annotation["result"] == [
        {
            "from_name": "response",
            "to_name": "instruction",
            "type": "textarea",
            "value": {"text": [ANSWER]},
        }
    ]
    assert "annotations" not in other
    doccano = read_lines(review.exported("d.jsonl", "doccano"))
    assert [each["label"] for each in doccano[:2]] == [[ANSWER], []]
    assert f"\n\n{ANSWER}\n\n<!-- localsel" in text_of(review.exported("s.md"))


def test_the_data_s_own_column_of_answers_is_used_and_a_skipped_one_emptied(
    localsel: Command, tmp_path: Path
) -> None:
    data, at = tmp_path / "data.jsonl", ("--workspace", tmp_path / "w")
    lines = [{"instruction": f"Say {row}.", "Response": f"own {row}"} for row in range(3)]
    data.write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert localsel("run", data, "--budget", 3, "--method", "random", *at).code == 0
    assert localsel("review", "last", "--answer", 0, "new", "--skip", 1, *at).code == 0
    out = tmp_path / "picks.csv"
    assert localsel("export", "last", "--out", out, *at).code == 0
    table = pd.read_csv(out, keep_default_na=False).set_index("localsel_row")
    assert table["Response"].to_dict() == {0: "new", 1: "", 2: "own 2"}
    assert "output" not in table


def test_answers_of_a_file_and_of_the_review_come_together(review: Reviewed) -> None:
    _, second, third, *_ = review.rows
    out = review.exported("out.jsonl")
    lines = read_lines(out)
    lines[0]["output"], lines[1]["output"] = "file one", "file two"
    out.write_text("".join(json.dumps(each) + "\n" for each in lines))
    review.done("--answer", second, "mine", "--answer", third, "three")
    refused = review.joined(out)
    assert refused.code == 2
    assert f"Row {second} has different answers" in refused.complaint
    assert f"the review of run {review.id}" in refused.complaint
    assert review.joined(out, "--keep", "first").document["repeated"] == [second]
    assert outputs(review) == ["file one", "file two", "three"]
    assert review.joined(out, "--keep", "last").code == 0
    assert outputs(review) == ["file one", "mine", "three"]


def test_answers_that_only_the_file_holds_are_not_written_over(review: Reviewed) -> None:
    review.done("--answer", review.rows[0], "mine")
    out = review.exported("out.jsonl")
    review.done("--answer", review.rows[0], "mine, mended")
    review.exported("out.jsonl")
    review.done("--undo")
    refused = review.run("export", "last", "--out", out)
    assert refused.code == 2
    assert f"{out} holds 1 answer." in refused.complaint


# Carried elsewhere.


def test_a_carried_run_keeps_its_review_and_its_blind_choices(review: Reviewed) -> None:
    review.done("--ban", review.rows[0], "--note", review.rows[1], "odd")
    query = review.done("--blind", 1, "--json").document[0]
    rows = [each["row"] for each in query["candidates"][: query["quota"]]]
    review.done("--choose", query["query"], ",".join(map(str, rows)))
    file, there = review.folder / "run", ("--workspace", review.folder / "there")
    assert review.run("runs", "export", "last", file).code == 0
    done = review.localsel("runs", "import", file, *there)
    assert done.code == 0, done.stderr
    for words in (("--json",), ("--score", "--json"), ("--blind", 1, "--json")):
        here = review.done(*words).document
        assert review.localsel("review", "last", *words, *there).document == here


@pytest.mark.parametrize(
    ("table", "line", "says"),
    [
        ("changes", {"kind": "swap", "row": 99_999, "other": 1}, "row 99999, which is no pick"),
        ("changes", {"kind": "exec", "row": 1, "other": None}, "no known kind"),
        ("choices", {"query": 0, "rows": "[99999]"}, "the choice in query 0 is none"),
        ("choices", {"query": 0, "rows": "5"}, "not a sound run"),
    ],
)
def test_a_review_that_cannot_be_is_refused(
    review: Reviewed, table: str, line: dict[str, Any], says: str
) -> None:
    file = review.folder / "run"
    assert review.run("runs", "export", "last", file).code == 0
    with gzip.open(file, "rt", encoding="utf-8") as packed:
        lines = [json.loads(each) for each in packed]
    plan = next(each["plan"] for each in lines if each.get("table") == "runs")
    more = {"run": review.id, "number": 1, "text": ""} if table == "changes" else {"plan": plan}
    write(file, [*lines, {"table": table, "at": 1.0, **more, **line}])
    done = review.localsel("runs", "import", file, "--workspace", review.folder / "there")
    assert done.code == 2
    assert says in done.complaint


def test_a_file_of_the_format_before_reviews_still_loads(review: Reviewed) -> None:
    file, there = review.folder / "run", ("--workspace", review.folder / "there")
    assert review.run("runs", "export", "last", file).code == 0
    with gzip.open(file, "rt", encoding="utf-8") as packed:
        head, *lines = [json.loads(each) for each in packed]
    write(file, [head | {"format": 2}, *lines])
    assert review.localsel("runs", "import", file, *there).code == 0
    assert review.localsel("review", "last", "--accept", review.rows[0], *there).code == 0


def write(file: Path, lines: list[dict[str, Any]]) -> None:
    with gzip.open(file, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)


# What a selector chose stays what it chose.


def test_a_comparison_is_of_selectors_whatever_people_changed(review: Reviewed) -> None:
    page = ("report", "last", "--out", review.folder / "page", "--json")
    before = review.run(*page).document
    first, second, third, *_ = review.rows
    review.done("--ban", first, "--swap", second, 0, "--answer", third, "x")
    assert review.run(*page).document == before


# Blind.


def test_choosing_blind_shows_nothing_of_the_selector_and_scores_it(review: Reviewed) -> None:
    drawn = review.done("--blind", 3, "--json").document
    assert [each["chosen"] for each in drawn] == [None] * 3
    assert set(drawn[0]) == {"query", "quota", "candidates", "chosen"}
    assert set(drawn[0]["candidates"][0]) == {"label", "row", "instruction", "input"}
    shown = review.done("--blind", 3)
    assert f"Query {drawn[0]['query']}, choose 1 row\n" in shown.stdout
    with closing(Store(review.workspace)) as store:
        answers = store.answers(review.id)
    for each in drawn:
        rows = answers[each["query"], 0].chosen
        review.done("--choose", each["query"], ",".join(map(str, rows)))
    (found,) = review.done("--score", "--json").document
    assert (found["run"], found["queries"]) == (review.id, 3)
    assert (found["agreement"], found["shared"]) == (1.0, 3)
    assert 0 < found["p_value"] < 0.05
    assert found["name"] in review.done("--score").stdout
    one, chosen = drawn[0]["query"], answers[drawn[0]["query"], 0].chosen
    other = next(each["row"] for each in drawn[0]["candidates"] if each["row"] not in chosen)
    refused = review("--choose", one, other, "--forget", 99_999)
    assert refused.code == 2 and "has no query 99999" in refused.complaint
    assert review.done("--score", "--json").document == [found], "nothing was chosen anew"
    review.done("--forget", one)
    assert review.done("--score", "--json").document[0]["queries"] == 2
