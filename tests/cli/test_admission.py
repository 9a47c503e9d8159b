"""--given, --include, --ban, --where, --trim, --per-cluster → who is chosen from, who is chosen."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from localsel.methods import METHODS
from tests.cli.conftest import Choose, read_lines
from tests.conftest import Command

LONG = ("deita", "mods")
"""Methods that would embed the pool anew, or rate all of it by weights."""


def rows_of(path: Path) -> list[int]:
    return [pick["_localsel"]["row"] for pick in read_lines(path)]


def reasons(record: dict[str, Any]) -> dict[int, str]:
    return {each["row"]: each["reason"] for each in record["left_out"]}


def write_rows(path: Path, pool: Path, rows: list[int]) -> Path:
    """Some rows of the pool as an annotator would hand them back: CSV, with an answer."""
    lines = read_lines(pool)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["instruction", "input", "output"])
        writer.writerows([lines[r]["instruction"], lines[r]["input"], "An answer."] for r in rows)
    return path


def test_given_rows_are_centres_and_never_picked(
    choose: Choose, example_pool: Path, tmp_path: Path
) -> None:
    given, out = list(range(0, 120, 3)), tmp_path / "picks.jsonl"
    before = choose("--json", budget=20).document
    file = write_rows(tmp_path / "annotated.csv", example_pool, given)
    done = choose("--given", file, "--out", out, "--json", budget=20)
    assert done.code == 0, done.stderr
    assert done.document["given"] == 40
    assert not set(given) & set(rows_of(out))
    assert {reasons(done.document)[row] for row in given} == {"annotated already (--given)"}
    # 40 annotated rows cover the pool together with the new centres.
    assert done.document["mean_distance"] < before["mean_distance"]
    near = [why for why in reasons(done.document).values() if why.endswith("of an annotated one")]
    assert near


def test_several_files_are_given_together(choose: Choose, tmp_path: Path) -> None:
    files = [tmp_path / "first.txt", tmp_path / "second.txt"]
    for number, file in enumerate(files):
        file.write_text(f"{number}\n{number + 10}")
    done = choose("--given", files[0], "--given", files[1], "--json")
    assert done.code == 0, done.stderr
    assert done.document["given"] == 4
    assert {0, 10, 1, 11} <= set(reasons(done.document))


def test_given_instructions_from_elsewhere_are_centres_too(choose: Choose, tmp_path: Path) -> None:
    file = tmp_path / "annotated.json"
    file.write_text(json.dumps([{"instruction": f"Count to {n} in Latin."} for n in range(2, 9)]))
    done = choose("--given", file, "--json")
    assert done.code == 0, done.stderr
    assert done.document["given"] == 7
    assert "--given: 0 rows of the pool, and 7 instructions from elsewhere." in done.stderr


def test_included_rows_are_picked_first_by_a_person(choose: Choose, tmp_path: Path) -> None:
    file, out = tmp_path / "keep.txt", tmp_path / "picks.jsonl"
    file.write_text("17\n3, 250\n")
    done = choose("--include", file, "--out", out, "--json", budget=20)
    assert done.code == 0, done.stderr
    assert rows_of(out)[:3] == [3, 17, 250]
    assert len(set(rows_of(out))) == 20
    assert done.document["chosen_by"] == {"human": 3, "model": 17}
    ranks = [pick["_localsel"]["rank"] for pick in read_lines(out)]
    assert ranks == list(range(1, 21))


def test_a_budget_of_included_rows_alone_asks_nothing(choose: Choose, tmp_path: Path) -> None:
    file = tmp_path / "keep.txt"
    file.write_text("5 6 7 8 9")
    done = choose("--include", file, "--json")
    assert done.code == 0, done.stderr
    assert done.document["chosen_by"] == {"human": 5}
    assert done.document["queries"] == 0


@pytest.mark.parametrize("method", [name for name in METHODS.places if name not in LONG])
def test_banned_rows_are_never_picked(
    choose: Choose, example_pool: Path, tmp_path: Path, method: str
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    line = ["--method", method]
    if METHODS.load(method).needs_responses:
        line += ["--map", "instruction=instruction,input=input,response=topic"]
    assert choose(*line, "--out", first, budget=20).code == 0
    # The picks of one run, in localsel's own format, are the ban of the next.
    done = choose(*line, "--ban", first, "--out", second, "--json", budget=20)
    assert done.code == 0, done.stderr
    assert not set(rows_of(first)) & set(rows_of(second))
    assert {reasons(done.document)[row] for row in rows_of(first)} == {"banned (--ban)"}


def test_where_keeps_rows_that_have_all_values(
    choose: Choose, example_pool: Path, tmp_path: Path
) -> None:
    pool, out = read_lines(example_pool), tmp_path / "picks.jsonl"
    topics = Counter(row["topic"] for row in pool if row["quality"] == "good")
    topic = topics.most_common(1)[0][0]
    where = ("--where", f"topic={topic}", "--where", "quality=good")
    done = choose(*where, "--out", out, "--json", budget=6)
    assert done.code == 0, done.stderr
    assert {(pick["topic"], pick["quality"]) for pick in read_lines(out)} == {(topic, "good")}
    outside = [row for row, why in reasons(done.document).items() if "--where" in why]
    assert not any(
        pool[row]["topic"] == topic and pool[row]["quality"] == "good" for row in outside
    )


def test_trim_sets_the_least_dense_rows_aside(choose: Choose, tmp_path: Path) -> None:
    out = tmp_path / "picks.jsonl"
    done = choose("--trim", "10%", "--out", out, "--json", budget=20)
    trimmed = {row for row, why in reasons(done.document).items() if why.startswith("trimmed")}
    open_rows = 485 - done.document["duplicates"] - done.document["near_duplicates"]
    assert len(trimmed) == done.document["trimmed"] == int(0.1 * open_rows)
    assert not trimmed & set(rows_of(out))
    # What was set aside comes back where the budget needs it.
    everything = choose("--trim", "10%", "--json", budget=481).document
    assert (everything["picked"], everything["trimmed"]) == (481, 0)


def test_per_cluster_lists_what_it_does_not_show(choose: Choose) -> None:
    record = choose("--per-cluster", 4, "--clusters", 5, "--json", budget=10).document
    hidden = [why for why in reasons(record).values() if "--per-cluster" in why]
    assert len(hidden) == 485 - record["duplicates"] - record["near_duplicates"] - 5 * 4


def test_the_same_files_are_the_same_run_and_other_files_another(
    choose: Choose, tmp_path: Path
) -> None:
    file, copy = tmp_path / "ban.txt", tmp_path / "copy.txt"
    file.write_text("1 2 3")
    copy.write_text("1 2 3")
    first = choose("--ban", file, "--json").document
    assert choose("--ban", copy, "--json").document["id"] == first["id"]
    copy.write_text("1 2 4")
    assert choose("--ban", copy, "--json").document["id"] != first["id"]


@pytest.mark.parametrize(
    ("flags", "files", "complaint"),
    [
        ("--ban b", {"b": "900"}, "There is no row 900 in"),
        ("--include b", {"b": "1 2 3 4 5 6"}, "--include names 6 rows, more than the budget of 5"),
        ("--include a --ban b", {"a": "4", "b": "\ufeff3 4"}, "Row 4 is in --include and in --ban"),
        ("--given b", {}, "--given: there is no file"),
        ("--include b", {"b": '["Not in the pool at all."]'}, "row 0: this instruction is not in"),
        ("--where colour=red", {}, "has a column 'colour'. Its columns: instruction, input, topic"),
        ("--where colour", {}, "--where colour: expected COLUMN=VALUE, each column once."),
        ("--where topic=nowhere", {}, "has topic=nowhere. Values there: "),
        ("--where topic=history --where quality=poor", {}, "instructions left by --where."),
        ("--where topic=a --where topic=b", {}, "expected COLUMN=VALUE, each column once"),
        ("--ban b", {"b": "9" * 5000}, "there is no row 99999999999999999999 in"),
        ("--ban b", {"b": "1\n" * 3000 + "and not 2"}, "b"),
        ("--given .", {}, "--given: . is a folder"),
        ("--trim 100%", {}, "at least 0 and below 1"),
        ("--given b", {"b": '[{"instruction": "Count."}, {"instruction": ""}]'}, "b, row 1: "),
        ("--method random --reason", {}, "has no model that could give a --reason"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    choose: Choose, tmp_path: Path, flags: str, files: dict[str, str], complaint: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    line = [tmp_path / part if part in ("a", "b") else part for part in flags.split()]
    done = choose(*line)
    assert done.code == 2
    assert complaint.lower() in done.complaint.lower()
    assert "Traceback" not in done.stderr


def test_a_reason_is_said_after_the_choice_and_changes_nothing(
    choose: Choose, selector: Path, tmp_path: Path
) -> None:
    plain, explained = tmp_path / "plain.jsonl", tmp_path / "explained.jsonl"
    assert choose("--out", plain, model=selector).code == 0
    done = choose("--reason", "--out", explained, "--json", model=selector)
    assert done.code == 0, done.stderr
    assert "Asking why" in done.stderr
    assert done.document["reasons"] == 5
    said = read_lines(explained)
    assert all(isinstance(pick["_localsel"].pop("reason"), str) for pick in said)
    assert said == read_lines(plain)
    again = choose("--reason", model=selector)
    assert "Asking why" not in again.stderr


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
def test_an_export_names_its_own_rows(localsel: Command, tmp_path: Path, form: str) -> None:
    """Also where the export has put a quote in front of what a spreadsheet would run."""
    pool, picks = tmp_path / "pool.jsonl", tmp_path / f"picks.{form}"
    texts = [f"{sign}{n} apples, how many?" for n in range(20) for sign in ("=", "-", "+", "@", "")]
    pool.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in texts))
    run = ("run", pool, "--budget", 40, "--method", "random", "--workspace", tmp_path / "w")
    assert localsel(*run, "--out", picks).code == 0
    second = localsel(*run, "--ban", picks)
    assert second.code == 0, second.stderr
    assert "--ban: 40 rows of the pool." in second.stderr


def test_where_counts_every_exact_duplicate(localsel: Command, tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    rows = [{"instruction": "Count to three.", "lang": lang} for lang in ("en", "de")]
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = ("run", pool, "--budget", 1, "--method", "random", "--workspace", tmp_path / "w")
    assert localsel(*run, "--where", "lang=de").code == 0


def test_everything_is_near_what_is_annotated(localsel: Command, tmp_path: Path) -> None:
    pool, given = tmp_path / "pool.jsonl", tmp_path / "given.txt"
    same = ["Name a river.", "NAME A RIVER.", "name a river."]
    pool.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in same))
    given.write_text("0")
    run = ("run", pool, "--budget", 1, "--model", "first", "--workspace", tmp_path / "w")
    done = localsel(*run, "--given", given)
    assert done.code == 0, done.stderr
    assert "Chose 1 of 3 instructions" in done.stderr
