"""`localsel compare` → who agrees with whom beyond chance, every figure that was promised, or one
sentence.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pytest

import tests.vocabularies as vocabularies
from localsel.pipeline.identity import Identity
from localsel.records import Answer, text_digest
from localsel.settings import Settings
from localsel.store import Store
from tests.conftest import CHECKOUT, Command, Done
from tests.e2e.disturbing import write_pool

Comparison: TypeAlias = dict[str, Any]
Compare: TypeAlias = Callable[..., Done]

FORMS = {"same_order", "cross_order"}
GEMMA = CHECKOUT / "models" / "nano-gemma2" / "nano-gemma2.gguf"
# Enough questions for figures, few enough to be quick.
FEW = ("--queries", 12)


@pytest.fixture
def compare(localsel: Command, example_pool: Path, workspace: Path) -> Compare:
    """`localsel compare` on the example pool, in which nothing needs to be embedded."""

    def run(*options: object, budget: int = 40) -> Done:
        where = ("--workspace", workspace, "--threads", 1)
        return localsel("compare", example_pool, "--budget", budget, *where, *options)

    return run


def models(*names: object) -> list[object]:
    return [word for name in names for word in ("--model", name)]


def named(comparison: Comparison) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in comparison["selectors"]}


def of_pair(comparison: Comparison, a: str, b: str) -> dict[str, Any]:
    return next(each for each in comparison["pairs"] if {each["a"], each["b"]} == {a, b})


def runs_in(workspace: Path) -> dict[str, dict[str, Any]]:
    """Every run of a workspace, by its id."""
    with closing(Store(workspace)) as store:
        return {run["run"]: run for run in store.runs()}


def answers_of(workspace: Path, run: str) -> dict[tuple[int, int], Answer]:
    with closing(Store(workspace)) as store:
        return store.answers(run)


def asked_in(workspace: Path) -> dict[str, int]:
    """How many finished questions the log of every run has."""
    with closing(Store(workspace)) as store:
        return {run["run"]: len(store.asked(run["run"])) for run in store.runs()}


# What agrees with what.

GROUPS, SIZE = 400, 10


@pytest.fixture(scope="module")
def by_chance(tmp_path_factory: pytest.TempPathFactory, blocker: Path) -> Comparison:
    """Three selectors that draw and two that take the first, on 400 queries of ten rows in one
    round; the vectors are made up, since nothing here depends on what is said.
    """
    folder = tmp_path_factory.mktemp("chance")
    pool = write_pool(folder / "pool.jsonl", GROUPS * SIZE)
    texts = [json.loads(line)["instruction"] for line in pool.read_text().splitlines()]
    vectors = np.random.default_rng(0).normal(size=(len(texts), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with closing(Store(folder / "workspace")) as store:
        embedder = Identity(Settings(data=pool, budget=1), store).embedder
        store.add_vectors(embedder, list(map(text_digest, texts)), vectors)
    done = Command(folder, blocker)(
        *("compare", pool, "--budget", GROUPS, "--grouping", "random", "--clusters", GROUPS),
        *("--near-duplicates", "off", "--threads", 1, "--workspace", folder / "workspace"),
        *models("random:1", "random:2", "random:3", "first", "first"),
        "--json",
    )
    assert done.code == 0, done.stderr
    found: Comparison = done.document
    return found


@pytest.mark.parametrize("other", [1, 2, 3])
def test_selectors_that_draw_share_what_chance_shares(by_chance: Comparison, other: int) -> None:
    for name in {"random:1", "random:2", "random:3", "first"} - {f"random:{other}"}:
        pair = of_pair(by_chance, f"random:{other}", name)
        for form in FORMS:
            assert pair["expected"][form] == pytest.approx(1 / SIZE)
            assert abs(pair["kappa"][form]) < 0.05
            assert pair["p_value"][form] > 0.01
            low, high = pair["interval"][form]
            assert low < pair["overlap"][form] < high
            assert low < 1 / SIZE + 0.01 and high > 1 / SIZE - 0.01
    found = named(by_chance)[f"random:{other}"]
    assert found["entropy"] == pytest.approx(1)
    assert found["position"]["p_value"] > 0.01
    assert abs(found["self_pair"]["kappa"]) < 0.05
    told = [line for line in by_chance["summary"] if f"random:{other} and random" in line]
    assert all("cannot be told from chance" in line for line in told)


def test_who_follows_positions_is_named_and_agrees_in_the_same_order_alone(
    by_chance: Comparison,
) -> None:
    pair = of_pair(by_chance, "first", "first (2)")
    assert pair["overlap"]["same_order"] == pair["kappa"]["same_order"] == 1
    assert pair["p_value"]["same_order"] < 1e-6
    assert abs(pair["kappa"]["cross_order"]) < 0.05
    assert pair["p_value"]["cross_order"] > 0.01
    for name in ("first", "first (2)"):
        found = named(by_chance)[name]
        assert abs(found["self_pair"]["kappa"]) < 0.05
        assert found["self_agreement"] == pytest.approx(1 / SIZE, abs=0.05)
        assert found["position"]["p_value"] < 1e-6
        assert found["position"]["curve"][0]["rate"] == 1
        assert any(
            line.startswith(f"{name} follows positions: it chose position 1, 800 times")
            for line in by_chance["summary"]
        )


class Tour(NamedTuple):
    """One comparison with everything: weights and a copy of them, baselines, a person, a report."""

    found: Comparison
    folder: Path
    workspace: Path
    copy: Path
    stderr: str


@pytest.fixture(scope="module")
def tour(
    tmp_path_factory: pytest.TempPathFactory,
    blocker: Path,
    embedded: Path,
    example_pool: Path,
    selector: Path,
) -> Tour:
    folder = tmp_path_factory.mktemp("tour")
    workspace = Path(shutil.copytree(embedded, folder / "workspace"))
    copy = Path(shutil.copy(selector, folder / "copied.gguf"))
    localsel = Command(folder, blocker)
    line = ("compare", example_pool, "--budget", 40, *FEW, "--threads", 1, "--json")
    line = (*line, "--workspace", workspace, *models(selector, copy, GEMMA))
    named = ("length", "kmeans", "rouge", "cbs")
    baselines = (*(word for name in named for word in ("--baseline", name)), "--seeds", 2)
    human = folder / "human.txt"
    human.write_text("0")
    told = re.search("choose ([0-9]+)", localsel(*line, "--human", human).complaint)
    assert told
    human.write_text(" ".join(map(str, range(int(told[1])))))
    done = localsel(*line, *baselines, "--human", human, "--out", folder / "report")
    assert done.code == 0, done.stderr
    return Tour(done.document, folder / "report", workspace, copy, done.stderr)


def test_a_copy_of_the_weights_is_a_second_selector_that_chooses_the_same(
    tour: Tour, selector: Path
) -> None:
    one, other = named(tour.found)[selector.stem], named(tour.found)["copied"]
    assert one["sha256"] == other["sha256"]
    assert (one["path"], other["path"]) == (str(selector), str(tour.copy))
    pair = of_pair(tour.found, selector.stem, "copied")
    assert pair["selection"]["overlap"] == pair["selection"]["kappa"] == 1
    assert pair["overlap"]["same_order"] == pair["kappa"]["same_order"] == 1
    said = f"{selector.stem} and copied chose the same rows in every order"
    assert [line for line in tour.found["summary"] if line.startswith(said)]
    # The weights were asked once.
    assert one["run"] == other["run"]


def test_the_document_has_what_was_promised(tour: Tour) -> None:
    found = tour.found
    assert {"selectors", "pairs", "fleiss", "baselines", "summary", "failed"} <= set(found)
    asked = [each for each in found["selectors"] if each["kind"] == "selector"]
    assert len(asked) == 3
    for each in asked:
        assert {"name", "path", "sha256", "run", "position", "entropy"} <= set(each)
        assert len(each["sha256"]) == 64
        assert 0 <= each["position"]["p_value"] <= 1
        assert 0 <= each["self_agreement"] <= 1
        assert each["coverage"]["radius"] > each["coverage"]["mean_distance"] > 0
        cost = each["cost"]
        assert {"seconds", "prompt_tokens", "tokens_per_second", "peak_memory"} <= set(cost)
        assert cost["prompt_tokens"] > 1000 and cost["tokens_per_second"] > 0
        assert cost["peak_memory"] > 2**20
    assert len(found["pairs"]) == 6
    for pair in found["pairs"]:
        for name in ("overlap", "jaccard", "kappa", "expected", "p_value", "interval"):
            assert set(pair[name]) == FORMS
            assert None not in pair[name].values()
    assert found["fleiss"]["raters"] == 4
    assert found["connections_attempted"] == 0
    assert found["failed"] == []


def test_baselines_choose_as_many_and_what_draws_is_drawn_several_times(tour: Tour) -> None:
    found = {each["name"]: each for each in tour.found["baselines"]}
    # However few seeds are wanted: no figure can be read without a spread of random ones.
    assert len(found["random"]["seeds_used"]) == 3
    for name in ("kmeans", "rouge"):
        assert len(found[name]["seeds_used"]) == 2
    for name in ("length-short", "length-long", "cbs"):
        assert len(found[name]["seeds_used"]) == 1
    picks = tour.found["picks"]
    for each in found.values():
        assert each["picked"] == picks
        assert len(set(each["runs"])) == len(each["seeds_used"])
        assert each["coverage"]["mean_distance"] > 0
    assert {each["picked"] for each in tour.found["selectors"]} == {picks}


def test_a_person_stands_in_every_table(tour: Tour) -> None:
    human = named(tour.found)["human"]
    assert human["kind"] == "human"
    assert human["picked"] == tour.found["picks"]
    assert human["coverage"]["radius"] > 0
    assert (human["run"], human["cost"], human["position"]) == (None, None, None)
    assert len([pair for pair in tour.found["pairs"] if "human" in (pair["a"], pair["b"])]) == 3
    assert "human" in (tour.folder / "report.md").read_text(encoding="utf-8")


def test_the_report_is_three_files_that_say_the_same(tour: Tour) -> None:
    names = {"report.html", "report.md", "comparison.json"}
    assert {path.name for path in tour.folder.iterdir()} == names
    assert json.loads((tour.folder / "comparison.json").read_text("utf-8")) == tour.found
    for name in ("report.html", "report.md"):
        text = (tour.folder / name).read_text(encoding="utf-8")
        assert all(each["name"] in text for each in tour.found["selectors"])
    assert f"The whole of it: {tour.folder / 'report.html'}" in tour.stderr


def test_people_read_tables_and_sentences_of_what_was_asked_before(
    tour: Tour, localsel: Command, example_pool: Path, selector: Path
) -> None:
    before = asked_in(tour.workspace)
    done = localsel(
        *("compare", example_pool, "--budget", 40, *FEW, "--threads", 1),
        *("--workspace", tour.workspace, *models(selector, tour.copy, GEMMA)),
    )
    assert done.code == 0, done.stderr
    assert asked_in(tour.workspace) == before
    for name in (selector.stem, "copied", GEMMA.stem, "random"):
        assert [line for line in done.stdout.splitlines() if line.startswith(f"{name} ")]
    said = " ".join(done.stdout.split())
    assert f"• {selector.stem} and copied chose the same rows in every order" in said
    assert "Traceback" not in done.stderr


def test_copied_over_to_another_run_of_the_same_plan(tour: Tour, localsel: Command) -> None:
    """`compare RUN RUN` says of the runs what the comparison said that made them."""
    before = named(tour.found)
    ids = [before[name]["run"] for name in ("copied", GEMMA.stem)]
    done = localsel("compare", *ids, "--workspace", tour.workspace, "--json")
    assert done.code == 0, done.stderr
    (pair,) = done.document["pairs"]
    was = of_pair(tour.found, "copied", GEMMA.stem)
    for name in ("overlap", "jaccard", "kappa", "p_value", "interval", "selection"):
        assert pair[name] == was[name]
    assert [len(each["seeds_used"]) for each in done.document["baselines"]] == [3]


# What is asked, and of whom.


def test_a_sample_is_the_same_for_all_and_for_the_same_seed(
    compare: Compare, embedded: Path, tmp_path: Path
) -> None:
    line = (*models("random:1", "first"), *FEW, "--json")
    found = compare(*line).document
    assert 12 <= found["questions"] <= 14
    assert found["picks"] < 40
    workspace = tmp_path / "workspace"
    ids = [each["run"] for each in found["selectors"]]
    questions = [set(answers_of(workspace, run)) for run in ids]
    assert questions[0] == questions[1]
    assert len(questions[0]) == 2 * found["questions"]
    assert {each["picked"] for each in found["selectors"] + found["baselines"]} == {found["picks"]}

    def sampled(name: str, seed: int) -> set[tuple[int, int]]:
        there = Path(shutil.copytree(embedded, tmp_path / name))
        shown = ("--display", "json", "--workspace", there, "--seed", seed)
        events = compare(*models("first"), *FEW, *shown).lines
        return {(e["query"], e["order"]) for e in events if e["event"] == "answer"}

    assert sampled("same", 0) == questions[0]
    assert sampled("other", 1) != questions[0]


def test_a_run_of_its_own_serves_a_comparison_and_two_make_one(
    compare: Compare, localsel: Command, example_pool: Path, workspace: Path, tmp_path: Path
) -> None:
    at = ("--workspace", workspace)
    options = ("--budget", 40, "--orders", 2, "--threads", 1, *at, "--json")
    ids = [
        localsel("run", example_pool, *options, "--model", model).document["id"]
        for model in ("random:1", "first")
    ]
    before = asked_in(workspace)
    assert all(before.values())
    done = compare(*models("random:1", "first"), "--json")
    assert done.code == 0, done.stderr
    assert [each["run"] for each in done.document["selectors"]] == ids
    assert {run: count for run, count in asked_in(workspace).items() if count} == before

    stored = localsel("compare", ids[0][:6], ids[1], *at, "--json")
    assert stored.code == 0, stored.stderr
    assert stored.document["pairs"] == done.document["pairs"]

    # Carried to a machine that has no vectors: all but the coverage can be said there.
    there = ("--workspace", tmp_path / "there")
    for run in ids:
        file = tmp_path / f"{run}.localsel"
        assert localsel("runs", "export", run, file, *at).code == 0
        assert localsel("runs", "import", file, *there).code == 0
    out = tmp_path / "report"
    carried = localsel("compare", *ids, *there, "--json", "--out", out)
    assert carried.code == 0, carried.stderr
    assert carried.document["pairs"] == done.document["pairs"]
    assert [each["coverage"] for each in carried.document["selectors"]] == [None, None]
    assert "random:1" in (out / "report.html").read_text(encoding="utf-8")


def test_what_one_context_shortens_is_shortened_for_all(compare: Compare, workspace: Path) -> None:
    """Two tokenizers, one context: everybody reads the same candidates, cut at the same places."""
    # By its name alone: the other's run has to find it as well.
    selector = "nano-llama"
    other = vocabularies.cached_model("qwen-2")
    narrow = ("--context", 900)
    done = compare(*models(selector, other), *narrow, *FEW, "--json")
    assert done.code == 0, done.stderr
    ids = [each["run"] for each in done.document["selectors"]]
    stored = [answers_of(workspace, run) for run in ids]
    heats = [key for key in stored[0] if set(stored[0][key].shown) == set(stored[1][key].shown)]
    cut = {key: [answers[key].shortened for answers in stored] for key in heats}
    assert any(one for one, _ in cut.values())
    assert all(one == another for one, another in cut.values())
    alone = compare(*models(other), *narrow, *FEW, "--json").document
    own = answers_of(workspace, alone["selectors"][0]["run"])
    assert any(own[key].shortened != stored[1][key].shortened for key in heats)


def test_events_are_one_object_a_line(compare: Compare) -> None:
    done = compare(*models("random:1", "first"), *FEW, "--display", "json")
    assert done.code == 0, done.stderr
    assert all({"event", "run", "stage", "done", "total"} <= set(line) for line in done.lines)
    whose = [line["selector"] for line in done.lines if line["event"] == "run"]
    assert whose == ["random:1", "first", "random 1", "random 2", "random 3"]
    last = done.lines[-1]
    assert last["event"] == "done"
    assert len(last["comparison"]["pairs"]) == 1


# Who cannot take part.


@pytest.fixture
def cut_off(tmp_path: Path, selector: Path) -> Path:
    path = tmp_path / "cut-off.gguf"
    path.write_bytes(selector.read_bytes()[:400_000])
    return path


@pytest.fixture
def aborting(tmp_path: Path) -> Path:
    """Heads one number wide cannot be rotated: llama.cpp ends the whole process over it."""
    names = ("llama.attention.head_count", "llama.attention.head_count_kv")
    facts = dict.fromkeys(names, vocabularies.WIDTH)
    return vocabularies.random_model("llama-2", tmp_path / "aborting.gguf", facts=facts)


def test_who_fails_is_named_and_the_others_go_on(
    compare: Compare, cut_off: Path, aborting: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    done = compare(*models(cut_off, "random:1", aborting, "first"), *FEW, "--out", out)
    assert done.code == 4, done.stderr
    found = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in found["selectors"]] == ["random:1", "first"]
    failed = {each["name"]: each["error"] for each in found["failed"]}
    assert set(failed) == {"cut-off", "aborting"}
    assert "cut-off.gguf is broken" in failed["cut-off"]
    assert "killed by signal 6" in failed["aborting"]
    # The reason, not how a debugger looked at it.
    assert "GGML_ASSERT" in failed["aborting"]
    for name in failed:
        assert f"{name}: " in done.stderr
    assert "Traceback" not in done.stderr
    # A line too long for the page is cut within the path, too.
    assert f"cut-offfailed:{cut_off}isbroken" in "".join(done.stdout.split())


def test_when_all_fail_the_failure_is_that_of_the_first(
    compare: Compare, cut_off: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    empty = tmp_path / "empty.gguf"
    empty.write_bytes(b"")
    done = compare(*models(cut_off, empty), "--json", "--out", out)
    assert (done.code, done.stdout) == (3, "")
    assert "cut-off.gguf is broken" in done.complaint
    assert list(out.iterdir()) == []


def test_a_model_that_is_not_there_is_refused_before_anything_is_read(compare: Compare) -> None:
    done = compare(*models("first", "nonesuch.gguf"), "--backend", "llamacpp")
    assert done.code == 3
    assert done.complaint.startswith("localsel: There is no model")
    assert "Load" not in done.stderr


# What is refused.


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "A comparison needs a selector."),
        (["--model", "first", "--baseline", "lenght"], "Did you mean 'length'?"),
        (["--model", "first", "--baseline", "selectllm"], "There is no baseline 'selectllm'"),
        (["--model", "first", "--method", "random"], "asks no selector"),
        (["--model", "first", "--queries", "0"], "Invalid value for '--queries'"),
        (["--model", "first", "--orders", "none"], "--orders"),
        (["--model", "first", "--human", "nothing.txt"], "there is no file nothing.txt"),
        (["--model", "first", "--json", "--display", "json"], "both write to stdout"),
        (["--model", "first", "--budget", "0"], "--budget"),
        (["--model", "first", "--budget", "5000"], "more than the 481 distinct"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_odd_options_are_refused_in_a_sentence(
    compare: Compare, workspace: Path, options: list[str], complaint: str
) -> None:
    done = compare(*options)
    assert (done.code, done.stdout) == (2, "")
    assert complaint in done.complaint
    assert "Traceback" not in done.stderr
    assert runs_in(workspace) == {}


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        (["nothing.jsonl"], "nothing.jsonl"),
        (["0123abcd", "89abcdef"], "There is no run"),
        (["pool.jsonl", "pool.jsonl"], "There is no run"),
    ],
)
def test_data_and_runs_that_are_not_there_are_refused(
    localsel: Command, workspace: Path, what: list[str], complaint: str
) -> None:
    options = ("--budget", 5, "--model", "first") if len(what) == 1 else ()
    done = localsel("compare", *what, *options, "--workspace", workspace)
    assert (done.code, done.stdout) == (2, "")
    assert complaint in done.complaint
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_refused_before_anybody_is_asked(
    compare: Compare, workspace: Path, tmp_path: Path
) -> None:
    file, taken, deep = tmp_path / "file", tmp_path / "taken", tmp_path / "file" / "deep"
    file.write_text("something")
    (taken / "report.md").mkdir(parents=True)
    for out in (file, taken, deep):
        done = compare(*models("first"), "--out", out)
        assert (done.code, done.stdout) == (2, "")
        assert str(out) in done.complaint
        assert "Traceback" not in done.stderr
    assert runs_in(workspace) == {}
    assert file.read_text() == "something"
    assert [path.name for path in taken.iterdir()] == ["report.md"]


def test_people_are_named_by_row_or_by_instruction_and_have_to_be_as_many(
    compare: Compare, workspace: Path, example_pool: Path, tmp_path: Path
) -> None:
    lines = example_pool.read_text(encoding="utf-8").splitlines()
    rows = lines[:60:2]
    by_row, by_text, few = tmp_path / "rows.txt", tmp_path / "rows.jsonl", tmp_path / "few.txt"
    by_row.write_text("\n".join(str(2 * place) for place in range(len(rows))))
    by_text.write_text("\n".join(rows), encoding="utf-8")
    few.write_text("1, 2, 3")
    refused = compare(*models("first"), "--human", few, budget=30)
    assert (refused.code, refused.stdout) == (2, "")
    assert "names 3 rows" in refused.complaint and "30" in refused.complaint
    # Before hours of asking.
    assert runs_in(workspace) == {}
    found = [
        compare(*models("first"), "--human", file, "--json", budget=30).document
        for file in (by_row, by_text)
    ]
    assert found[0]["pairs"] == found[1]["pairs"]
    (pair,) = found[0]["pairs"]
    assert {pair["a"], pair["b"]} == {"first", "human"}


def test_only_finished_runs_of_one_plan_are_compared(
    localsel: Command, example_pool: Path, workspace: Path, tmp_path: Path
) -> None:
    at = ("--workspace", workspace)
    shorter = tmp_path / "shorter.jsonl"
    lines = example_pool.read_text(encoding="utf-8").splitlines()
    shorter.write_text("\n".join(lines[:300]), encoding="utf-8")

    def run(data: Path, *options: object) -> str:
        line = ("run", data, "--budget", 5, "--threads", 1, *options, *at, "--json")
        done = localsel(*line)
        assert done.code == 0, done.stderr
        name: str = done.document["id"]
        return name

    first = run(example_pool, "--model", "first")
    refused = {
        run(example_pool, "--model", "random:1", "--seed", 1): "were asked different queries",
        run(shorter, "--model", "random:1"): "are of different data",
        run(example_pool, "--method", "random", "--budget", 6): "chose 5 rows",
    }
    drawn = run(example_pool, "--method", "random")
    cut = run(example_pool, "--model", "random:2")
    with closing(Store(workspace)) as store:
        store.update_run(cut, state="interrupted", facts={})
    refused[cut] = f"Run {cut} is interrupted."
    for other, complaint in refused.items():
        done = localsel("compare", first, other, *at)
        assert (done.code, done.stdout) == (2, ""), other
        assert complaint in done.complaint
        assert "Traceback" not in done.stderr
    nobody = localsel("compare", drawn, drawn, *at)
    assert nobody.code == 2
    assert "None of these runs asked a selector" in nobody.complaint
    odd = localsel("compare", first, drawn, "--model", "first", *at)
    assert odd.code == 2
    assert "Finished runs are compared as they are." in odd.complaint

    beside = localsel("compare", first, drawn, *at, "--json")
    assert beside.code == 0, beside.stderr
    (baseline,) = beside.document["baselines"]
    assert baseline["runs"] == [drawn]


def test_names_that_others_have_are_not_given_twice(compare: Compare, tmp_path: Path) -> None:
    """`random` is a selector by rule, and the baseline that is always there."""
    done = compare(*models("random", "random", "first"), *FEW, "--json")
    assert done.code == 0, done.stderr
    names = [each["name"] for each in done.document["selectors"]]
    assert names == ["selector random", "selector random (2)", "first"]
    assert "random" in done.document["map"]["picks"]


def test_rows_that_are_picked_in_any_case_count_for_everybody(
    compare: Compare, tmp_path: Path
) -> None:
    """A person names them too; and one selector fails."""
    odd = tmp_path / "odd [red].gguf"
    odd.write_bytes(b"no model")
    included, human, out = tmp_path / "in.txt", tmp_path / "human.txt", tmp_path / "report"
    included.write_text("0 1 2")
    human.write_text("0 1 2 3 4 5")
    line = ("--include", included, "--human", human, *FEW)
    done = compare(*models("first", odd), *line, "--json", "--out", out, budget=6)
    assert done.code == 4, done.stderr
    everybody = done.document["selectors"] + done.document["baselines"]
    assert {each["picked"] for each in everybody} == {6}
    assert [each["name"] for each in done.document["failed"]] == [odd.stem]
    assert "first" in (out / "report.html").read_text(encoding="utf-8")
    full = compare(*models("first"), "--include", included, budget=3)
    assert (full.code, full.stdout) == (2, "")
    assert "--include fills the whole budget" in full.complaint


def test_a_budget_for_everything_leaves_nothing_to_choose(
    localsel: Command, tmp_path: Path
) -> None:
    pool = tmp_path / "pool.jsonl"
    write_pool(pool, 12)
    line = ("compare", pool, "--near-duplicates", "off", *models("first", "random:1"))
    done = localsel(*line, "--budget", 12, "--threads", 1, "--out", tmp_path / "report")
    assert done.code == 2, done.stderr
    assert "nothing is left to choose" in done.complaint


def test_what_nobody_answered_is_drawn_for_each_selector_alone(compare: Compare) -> None:
    """With the same dice two selectors that say nothing would agree about everything."""
    line = (*models("abstain:1", "abstain:2"), "--max-fallback", "100%", "--json")
    done = compare(*line, budget=40)
    assert done.code == 0, done.stderr
    pair = done.document["pairs"][0]
    assert pair["overlap"]["same_order"] < 0.5
    assert pair["p_value"]["same_order"] > 0.001


def test_a_forgotten_model_flag_is_named(compare: Compare) -> None:
    done = compare("--model", "first", "random:1")
    assert done.code == 2
    assert done.complaint.endswith("what is random:1? Put --model before every selector.")
