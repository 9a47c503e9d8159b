"""Commands that read a file or the workspace → what they say, against what is there."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localsel.clusters import entropy
from localsel.records import text_digest
from localsel.store import Store
from tests.cli.conftest import Choose
from tests.conftest import Command, Done, Finished

PROMPT = """
about = "a test"
criteria = "the usual"
head = "Choose. {criteria}\\n"
candidate = "[{label}] {text}\\n"
tail = "Choose {quota}.\\n"
answer = "["
"""


class Reader:
    """A finished run in a workspace of the test's own."""

    def __init__(self, localsel: Command, finished: Finished, folder: Path) -> None:
        self.home = Path(shutil.copytree(finished.workspace, folder / "read"))
        self.localsel, self.id, self.folder = localsel, finished.id, folder

    def __call__(self, *words: object) -> Done:
        return self.localsel(*words, "--workspace", self.home)

    def document(self, *words: object) -> Any:
        done = self(*words, "--json")
        assert done.code == 0, done.stderr
        return done.document

    def refused(self, *words: object, code: int = 2) -> str:
        done = self(*words, "--json")
        assert (done.code, done.stdout) == (code, ""), done.stderr
        assert len(done.stderr.splitlines()) == 1
        return done.complaint


@pytest.fixture
def read(localsel: Command, finished: Finished, tmp_path: Path) -> Reader:
    return Reader(localsel, finished, tmp_path)


# preview


def preview(localsel: Command, path: Path, *options: object) -> Any:
    done = localsel("preview", path, *options, "--json")
    assert done.code == 0, done.stderr
    return done.document


def test_preview_is_what_a_run_will_read(localsel: Command, example_pool: Path) -> None:
    found = preview(localsel, example_pool, "--rows", 3)
    lines = [json.loads(line) for line in example_pool.read_text().splitlines()[:3]]
    assert found["bytes"] == example_pool.stat().st_size
    assert found["layout"] == "jsonl, utf-8, Alpaca columns: instruction, input"
    assert found["map"] == {"instruction": "instruction", "input": "input", "response": None}
    assert found["columns"] == list(lines[0])
    assert [row["columns"] for row in found["rows"]] == lines
    assert [row["instruction"] for row in found["rows"]] == [x["instruction"] for x in lines]
    assert (found["bad"], found["problem"]) == ([], None)


def test_unknown_columns_are_shown_with_what_to_do(localsel: Command, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("aufgabe,n\nName a river.\x1b[31m,1\n", encoding="utf-8")
    found = preview(localsel, path)
    assert (found["layout"], found["map"]) == (None, None)
    assert "--map instruction=aufgabe" in found["problem"]
    assert found["columns"] == ["aufgabe", "n"]
    assert found["rows"][0]["columns"]["n"] == "1"
    assert found["rows"][0]["instruction"] is None
    mapped = preview(localsel, path, "--map", "instruction=aufgabe")
    assert mapped["rows"][0]["instruction"] == "Name a river.\x1b[31m"
    missing = preview(localsel, path, "--map", "instruction=nothing")
    assert missing["layout"] is None and "no column 'nothing'" in missing["problem"]
    assert "\x1b" not in localsel("preview", path).stdout


def test_bad_rows_among_the_first_are_named(localsel: Command, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"instruction": "a"}\n{"instruction": \n{"instruction": "b"}\n')
    found = preview(localsel, path)
    assert [(bad["row"], bad["line"]) for bad in found["bad"]] == [(1, 2)]
    assert [row["row"] for row in found["rows"]] == [0, 2]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", ["jsonl", "json", "csv"])
def test_only_the_beginning_is_read(
    localsel: Command, tmp_path: Path, form: str, packed: bool
) -> None:
    """What is broken far behind it does no harm."""
    texts = [{"instruction": f"{number} {'word ' * 200}"} for number in range(6000)]
    if form == "csv":
        whole = "instruction\n" + "".join(f"{each['instruction']}\n" for each in texts)
    else:
        lines = [json.dumps(each) for each in texts]
        whole = "\n".join(lines) if form == "jsonl" else f"[\n{', '.join(lines)}"
    content = whole.encode() + b"\xff\n"
    path = tmp_path / f"data.{form}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content, 1)[:-9] if packed else content)
    found = preview(localsel, path)
    assert found["format"] == form
    assert [row["instruction"].split()[0] for row in found["rows"]] == [*map(str, range(20))]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"caf\xe9 instruction\n", "not UTF-8"),
        (b"PK\x03\x04", "a zip archive"),
        (b'[{"instruction": "a"', "broken JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    localsel: Command, tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "data"
    path.write_bytes(content)
    done = localsel("preview", path, "--json")
    assert (done.code, done.stdout) == (2, "")
    assert says in done.complaint


def test_an_encoding_error_past_the_beginning_is_told_when_it_is_met(
    localsel: Command, tmp_path: Path
) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"instruction": "%s"}\n' % (b"a" * 1_200_000) + b'{"instruction": "\xe9"}\n')
    done = localsel("preview", path, "--json")
    assert done.code == 2
    assert "not UTF-8: byte 0xe9 in line 2" in done.complaint


# pools


def test_pools_name_what_was_read(read: Reader, example_pool: Path) -> None:
    (pool,) = read.document("pools")
    assert pool["path"] == str(example_pool)
    assert (pool["rows"], pool["bad"], pool["duplicates"], pool["runs"]) == (485, 0, 4, 1)
    assert read("pools").stdout.splitlines()[2].startswith(pool["pool"][:8])


def test_rows_of_a_pool_come_page_by_page(read: Reader, example_pool: Path) -> None:
    lines = [json.loads(line) for line in example_pool.read_text().splitlines()]
    pool = read.document("pools")[0]["pool"]
    page = read.document("pools", "show", pool[:6], "--from", 10, "--count", 3)
    assert [row["columns"] for row in page["found"]] == lines[10:13]
    assert page["next"] == 13
    assert read.document("pools", "show", pool, "--from", 484)["next"] is None
    assert read.document("pools", "show", pool, "--from", 9999)["found"] == []
    assert "--from 3" in read("pools", "show", "last", "--count", 3).stderr


def test_rows_are_found_by_text_in_any_case(read: Reader, example_pool: Path) -> None:
    lines = [json.loads(line) for line in example_pool.read_text().splitlines()]
    wanted = [
        row
        for row, each in enumerate(lines)
        if "write" in f"{each['instruction']} {each['input']}".lower()
    ]
    page = read.document("pools", "show", "last", "--find", "WRITE", "--count", 5)
    assert [row["row"] for row in page["found"]] == wanted[:5]
    assert page["next"] == wanted[5]
    later = read.document("pools", "show", "last", "--find", "write", "--from", wanted[5])
    assert later["found"][0]["row"] == wanted[5]
    assert "no pool 'zz'" in read.refused("pools", "show", "zz")


# neighbours


def brute_force(home: Path, row: int, count: int) -> list[tuple[int, float]]:
    """Every cosine, straight from the cached vectors."""
    store = Store(home)
    pool = store.run("last")["pool"]
    texts = {each.row: each.text for each in store.instructions(pool)}
    embedder = store.embedder(pool)
    assert embedder
    vectors, missing = store.cached_vectors(embedder, [text_digest(t) for t in texts.values()])
    store.close()
    assert not missing
    cosines = dict(zip(texts, vectors @ vectors[list(texts).index(row)], strict=True))
    cosines.pop(row)
    ranked = sorted(cosines.items(), key=lambda each: (-each[1], each[0]))
    return [(each, float(cosine)) for each, cosine in ranked[:count]]


def agrees(found: list[dict[str, Any]], truth: list[tuple[int, float]]) -> None:
    assert [each["row"] for each in found] == [row for row, _ in truth]
    assert np.allclose([each["cosine"] for each in found], [cosine for _, cosine in truth])


@pytest.mark.parametrize("row", [0, 17, 484])
def test_neighbours_are_those_of_brute_force(read: Reader, finished: Finished, row: int) -> None:
    found = read.document("neighbours", "last", row, "--count", 12)
    agrees(found, brute_force(read.home, row, 12))
    picked = {pick["_localsel"]["row"] for pick in finished.picks}
    assert all(each["picked"] == (each["row"] in picked) for each in found)
    assert all(each["text"] for each in found)


def test_the_index_answers_without_looking_at_every_vector(
    choose: Choose, localsel: Command, workspace: Path
) -> None:
    assert choose("--index", "hnsw").code == 0
    truth = brute_force(workspace, 17, 10)
    at = ("--workspace", workspace, "--json")
    agrees(localsel("neighbours", "last", 17, *at).document, truth)
    # Of all vectors only that of the row itself is still known.
    store = Store(workspace)
    pool = store.run("last")["pool"]
    digest = text_digest(store.instruction(pool, 17).text)
    with store._transaction() as database:
        database.execute("DELETE FROM vectors WHERE text != ?", (digest,))
    store.close()
    agrees(localsel("neighbours", "last", 17, *at).document, truth)
    for graph in (workspace / "indexes").iterdir():
        graph.unlink()
    assert "are not in" in localsel("neighbours", "last", 17, *at).complaint


def test_rows_without_neighbours_say_why(read: Reader, tmp_path: Path) -> None:
    store = Store(read.home)
    pool = store.run("last")["pool"]
    twin, first = next(
        (row, found) for row in range(485) if (found := store.distinct_row(pool, row)) != row
    )
    store.close()
    assert f"duplicate of row {first}" in read.refused("neighbours", "last", twin)
    assert "no row 485" in read.refused("neighbours", "last", 485)
    assert "no row 99999999999999999999" in read.refused("neighbours", "last", 10**20 - 1)


def test_a_carried_run_has_no_vectors_here(read: Reader, tmp_path: Path) -> None:
    file, there = tmp_path / "carried.localsel", tmp_path / "there"
    assert read("runs", "export", "last", file).code == 0
    assert read.localsel("runs", "import", file, "--workspace", there).code == 0
    for line in (("neighbours", "last", 3), ("map", "last")):
        done = read.localsel(*line, "--workspace", there)
        assert done.code == 2
        assert "was imported: its vectors are where it was made" in done.complaint


def test_a_pool_that_nothing_embedded_says_so(
    localsel: Command, example_pool: Path, tmp_path: Path
) -> None:
    at = ("--workspace", tmp_path / "plain")
    assert localsel("run", example_pool, "--budget", 5, "--method", "random", *at).code == 0
    for line in (("neighbours", "last", 3), ("map", "last")):
        done = localsel(*line, *at)
        assert done.code == 2
        assert "needed no vectors" in done.complaint


# map


def test_a_map_is_made_once_and_removed_with_its_pool(read: Reader) -> None:
    made = read.document("map", "last")
    file = Path(made["file"])
    points = np.load(file)
    assert made["rows"] == len(points) == 481
    assert sorted(points["row"].tolist()) == points["row"].tolist()
    assert 1 > made["explained"][0] >= made["explained"][1] > 0
    spread = points["x"].astype(float).var() / points["y"].astype(float).var()
    assert np.isclose(spread, made["explained"][0] / made["explained"][1], rtol=1e-3)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    written = file.stat().st_mtime_ns
    again = read.document("map", "last")
    assert {**again, "seconds": 0} == {**made, "seconds": 0}
    assert file.stat().st_mtime_ns == written
    file.write_bytes(file.read_bytes()[:100])
    read.document("map", "last")
    assert np.array_equal(np.load(file), points)
    assert read("rm", "last", "--yes").code == 0
    assert list(file.parent.iterdir()) == []


def test_a_map_goes_into_a_table(read: Reader, finished: Finished, tmp_path: Path) -> None:
    out = tmp_path / "map.csv"
    made = read.document("map", "last", "--out", out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    points = np.load(made["file"])
    assert [int(row["row"]) for row in rows] == points["row"].tolist()
    assert np.allclose([float(row["x"]) for row in rows], points["x"], atol=1e-4)
    picked = {int(row["row"]) for row in rows if row["picked"] == "1"}
    assert picked == {pick["_localsel"]["row"] for pick in finished.picks}
    clusters = {int(row["row"]): row["cluster"] for row in rows}
    for pick in finished.picks:
        assert clusters[pick["_localsel"]["row"]] == str(pick["_localsel"]["cluster"])
    assert "is a folder" in read.refused("map", "last", "--out", tmp_path)


# clusters


def test_clusters_hold_what_the_plan_and_the_picks_say(read: Reader, finished: Finished) -> None:
    found = read.document("clusters", "last")
    store = Store(read.home)
    run = store.run("last")
    plan = store.plan(run["plan"])
    answers = store.answers(run["run"])
    store.close()
    assert [each["id"] for each in found] == list(range(finished.record["clusters"]))
    assert [each["quota"] for each in found] == list(plan.quotas)
    assert np.isclose(max(each["radius"] for each in found), finished.record["radius"])
    for each in found:
        asked = [query.id for query in plan.queries if query.cluster == each["id"]]
        assert each["queries"] == len(asked)
        scores = [answers[query, 0].scores for query in asked if answers[query, 0].scores]
        spread = [entropy(each) for each in scores]
        assert each["entropy"] == pytest.approx(sum(spread) / len(spread) if spread else None)
        own = [p["_localsel"] for p in finished.picks if p["_localsel"]["cluster"] == each["id"]]
        assert each["picks"] == {finished.id: [pick["row"] for pick in own]}
        assert each["agreement"] is None
        assert each["faults"] == {"fallbacks": 0, "abstained": 0, "shortened": 0}


def test_one_cluster_shows_every_row_and_what_became_of_it(
    read: Reader, finished: Finished
) -> None:
    listed = max(read.document("clusters", "last"), key=lambda each: each["size"])
    found = read.document("clusters", "last", listed["id"])
    assert found["cluster"] == listed
    assert len(found["members"]) == listed["size"]
    distances = [each["distance"] for each in found["members"]]
    assert distances == sorted(distances)
    twins = {
        row["row"]: int(row["reason"].rsplit(" ", 1)[1])
        for row in finished.record["left_out"]
        if row["reason"].startswith("near-duplicate of row")
    }
    picks = {pick["_localsel"]["row"]: pick["_localsel"] for pick in finished.picks}
    for member in found["members"]:
        row, verdict = member["row"], member["verdicts"][finished.id]
        assert member["near_duplicates"] == sorted(t for t, of in twins.items() if of == row)
        assert verdict["rank"] == picks.get(row, {}).get("rank")
        assert verdict["chosen_by"] == picks.get(row, {}).get("chosen_by")
        assert verdict["shown"][0]["query"] == member["query"]
        if row in picks:
            assert verdict["shown"][-1]["query"] == picks[row]["query"]
            assert verdict["shown"][-1]["label"] == picks[row]["label"]
        if scored := [shown["score"] for shown in verdict["shown"] if shown["score"]]:
            assert 0 < scored[0] < 1
    assert "no cluster 99" in read.refused("clusters", "last", 99)
    assert read("clusters", "last", listed["id"]).stdout.count("✓") == listed["quota"]


def test_runs_beside_it_agree_as_far_as_their_picks(
    choose: Choose, localsel: Command, workspace: Path, example_pool: Path
) -> None:
    for model in ("first", "abstain:1"):
        assert choose("--max-fallback", "100%", model=model, budget=20).code in (0, 4)
    at = ("--workspace", workspace)
    assert localsel("run", example_pool, "--budget", 20, "--method", "random", *at).code == 0
    baseline, abstains, first = (each["id"] for each in localsel("runs", *at, "--json").document)
    line = ("clusters", first, "--with", abstains, "--with", baseline, *at, "--json")
    found = localsel(*line).document
    assert list(found[0]["picks"]) == [first, abstains, baseline]
    assert sum(each["faults"]["fallbacks"] for each in found) == 20
    assert sum(each["faults"]["abstained"] for each in found) > 0
    for each in found:
        a, b, c = (set(rows) for rows in each["picks"].values())
        shares = [len(x & y) / max(len(x), len(y)) for x, y in ((a, b), (a, c), (b, c)) if x or y]
        assert each["agreement"] == pytest.approx(np.mean(shares))
    done = localsel("clusters", baseline, *at)
    assert done.code == 2
    assert "'random' made none" in done.complaint
    assert choose(model="first", budget=10).code == 0
    done = localsel("clusters", first, "--with", "last", *at)
    assert done.code == 2
    assert "were asked different queries" in done.complaint


@pytest.mark.parametrize("grouping", ["diverse", "similar", "random"])
def test_groupings_without_centres_have_no_radius(
    choose: Choose, localsel: Command, workspace: Path, grouping: str
) -> None:
    assert choose("--grouping", grouping).code == 0
    at = ("--workspace", workspace, "--json")
    found = localsel("clusters", "last", *at).document
    member = localsel("clusters", "last", 0, *at).document["members"][0]
    assert {each["radius"] for each in found} == {None}
    assert member["distance"] is None


# prompts


def asked_query(home: Path) -> tuple[int, Any]:
    """A query in which there was something to choose, and its stored answer."""
    store = Store(home)
    answers = store.answers(store.run("last")["run"])
    store.close()
    return next((q, a) for (q, _), a in answers.items() if a.outcome == "answered")


def test_trying_the_same_again_gives_the_same(read: Reader) -> None:
    query, answer = asked_query(read.home)
    before = (read.home / "localsel.db").read_bytes()
    found = read.document("prompts", "try", "--run", "last", "--query", query)
    assert found["shown"] == list(answer.shown)
    assert found["chosen"] == found["before"]["chosen"] == list(answer.chosen)
    assert found["probabilities"] == pytest.approx(list(answer.probabilities))
    assert found["scores"] == pytest.approx(found["before"]["scores"])
    assert found["tokens"] == answer.prompt_tokens
    assert (read.home / "localsel.db").read_bytes() == before


def test_a_final_is_tried_with_the_winners_of_the_run(read: Reader) -> None:
    store = Store(read.home)
    run = store.run("last")
    final = next(query for query in store.plan(run["plan"]).queries if query.sources)
    shown = store.answers(run["run"])[final.id, 0].shown
    store.close()
    found = read.document("prompts", "try", "--run", "last", "--query", final.id)
    assert found["shown"] == list(shown)


def test_another_prompt_and_other_criteria_are_what_is_read(read: Reader, tmp_path: Path) -> None:
    query, answer = asked_query(read.home)
    mine = tmp_path / "mine.toml"
    mine.write_text(PROMPT)
    at = ("--run", "last", "--query", query, "--prompt", mine)
    shown = read.document("prompts", "show", *at)
    assert shown["text"].startswith("Choose. the usual\n[1] ")
    tried = read.document("prompts", "try", *at, "--criteria", "rare {text}")
    assert tried["text"].startswith("Choose. rare {text}\n[1] ")
    assert tried["prompt"] == "mine"
    assert len(tried["chosen"]) == len(answer.chosen)
    assert "Nothing was stored" in read("prompts", "try", *at).stderr


def test_another_model_is_asked_the_same(read: Reader, selector: Path) -> None:
    query, answer = asked_query(read.home)
    line = ("prompts", "try", "--run", "last", "--query", query, "--model", selector)
    found = read.document(*line)
    assert found["model"] == str(selector)
    assert found["shown"] == list(answer.shown)
    assert sum(found["scores"]) == pytest.approx(1)
    assert found == read.document(*line) | {"seconds": found["seconds"]}


def test_what_cannot_be_tried_is_one_sentence(read: Reader, tmp_path: Path) -> None:
    query, _ = asked_query(read.home)
    at = ("prompts", "try", "--run", "last", "--query", query)
    broken, lacking = tmp_path / "broken.toml", tmp_path / "lacking.toml"
    broken.write_text("about = ")
    lacking.write_text(PROMPT.replace("{criteria}", "").replace("[{label}] ", ""))
    assert str(broken) in read.refused(*at, "--prompt", broken)
    assert f"{lacking} lacks {{label}}" in read.refused(*at, "--prompt", lacking)
    lacking.write_text(PROMPT.replace("{criteria}", ""))
    assert "no place for --criteria" in read.refused(*at, "--prompt", lacking, "--criteria", "x")
    assert "asks for a sentence" in read.refused(*at, "--prompt", "reason")
    assert "There is no prompt" in read.refused(*at, "--prompt", "nothing")
    assert "There is no model" in read.refused(*at, "--model", "nothing", code=3)
    assert "has not asked" in read.refused(*at[:-1], 9999)
    assert "Give --run" in read.refused("prompts", "try", "--run", "last")
    refused = read.refused(*at, "--model", "abstain:1", code=1)
    assert "no valid answer" in refused
