"""Records go into a workspace → the same records come out, whoever else was there meanwhile."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from localsel.errors import UsageError, WorkspaceError
from localsel.records import Answer, Change, Instruction, Pick, Plan, Query
from localsel.store import VERSION, Store
from localsel.store.database import ADDED
from tests.conftest import Command
from tests.e2e.disks import read_only

ROWS = (
    Instruction(0, "Add these.", "1 and 2", "3"),
    Instruction(2, "Name a river."),
    Instruction(3, "Name a river."),
    Instruction(5, "Übersetze: \x1b[31m„Rot“ 🚲", "[bold]"),
)
PLAN = Plan(
    queries=(
        Query(0, cluster=0, round=0, quota=1, rows=(0, 2), final=False),
        Query(1, cluster=0, round=1, quota=1, sources=(0,)),
    ),
    quotas=(1,),
    left_out={5: "near-duplicate of row 0"},
)
MEMBERS = ((0, 0, 0.5, 0.1, None), (2, 0, 0.0, 0.2, None), (5, None, None, 0.3, 0))
ANSWER = Answer(
    query=0,
    order=1,
    shown=(2, 0),
    chosen=(0,),
    probabilities=(0.75,),
    scores=(-1.5, -0.25),
    outcome="answered",
    prompt_tokens=99,
    seconds=0.5,
    attempts=2,
    shortened=(2,),
)
PICKS = (
    Pick(2, "fallback", cluster=0, query=1, turn=1, rank=2),
    Pick(0, "vote", 0, 1, 0, label=3, position=3, probability=0.1 + 0.2, votes=4, rank=1),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "workspace")) as opened:
        yield opened


def fill(store: Store, pool: str = "pool", rows: Sequence[Instruction] = ROWS) -> None:
    with store.add_pool(pool, Path("data.jsonl"), "sha", "jsonl") as writer:
        for row in rows:
            writer.add(row, row.text.encode(), {"text": row.instruction, "more": [1, None]})
        writer.add_bad(1, 2, "not JSON")
        writer.add_bad(4, None, "empty")


def begin(store: Store, fingerprint: str = "print", pool: str = "pool") -> str:
    if not store.has_pool(pool):
        fill(store, pool)
    return store.start_run(fingerprint, pool, {"budget": 2}, {"backend": "scripted"})


def in_another_process(code: str, *arguments: object) -> str:
    """What a fresh process prints that runs `code`."""
    line = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Pools.


def test_a_pool_gives_its_distinct_rows_back_in_file_order(store: Store) -> None:
    fill(store)
    assert store.instructions("pool") == (ROWS[0], ROWS[1], ROWS[3])


def test_an_exact_duplicate_is_kept_and_named(store: Store) -> None:
    fill(store)
    assert store.instruction("pool", 3) == ROWS[2]
    assert store.left_out("run", "pool", None) == [{"row": 3, "reason": "exact duplicate of row 2"}]


def test_a_pool_knows_its_numbers(store: Store) -> None:
    fill(store)
    pool = store.pool("pool")
    assert (pool["rows"], pool["bad"], pool["duplicates"], pool["layout"]) == (4, 2, 1, "jsonl")


def test_bad_rows_are_kept_with_line_and_reason(store: Store) -> None:
    fill(store)
    assert store.bad_rows("pool") == [
        {"row": 1, "line": 2, "reason": "not JSON"},
        {"row": 4, "line": None, "reason": "empty"},
    ]


def test_all_columns_of_a_record_are_kept(store: Store) -> None:
    fill(store)
    assert store.columns("pool", 5) == {"text": ROWS[3].instruction, "more": [1, None]}


def test_more_rows_than_are_written_at_once(store: Store) -> None:
    rows = [Instruction(place, f"row {place}") for place in range(2345)]
    fill(store, rows=rows)
    assert store.instructions("pool") == tuple(rows)


def test_of_a_pool_that_fails_nothing_is_left(store: Store) -> None:
    with suppress(UsageError), store.add_pool("half", Path("x"), "sha", "csv") as writer:
        writer.add(ROWS[0], b"0", {})
        raise UsageError("too many rows are broken")
    assert not store.has_pool("half")
    assert store.instructions("half") == ()


def test_a_pool_that_somebody_else_added_meanwhile_is_one_pool(store: Store) -> None:
    fill(store)
    fill(store)
    assert store.instructions("pool") == (ROWS[0], ROWS[1], ROWS[3])
    assert len(store.bad_rows("pool")) == 2


# Plans.


def test_a_plan_comes_back_as_it_was(store: Store) -> None:
    store.add_plan("plan", "pool", PLAN, MEMBERS, {"radius": 0.5, "index_recall": None})
    assert store.has_plan("plan")
    assert store.plan("plan") == PLAN
    assert store.plan_facts("plan") == {"radius": 0.5, "index_recall": None}


def test_a_plan_that_somebody_else_added_meanwhile_is_one_plan(store: Store) -> None:
    for _ in range(2):
        store.add_plan("plan", "pool", PLAN, MEMBERS, {})
    assert store.plan("plan") == PLAN


def test_rows_that_no_query_shows_are_listed_in_file_order(store: Store) -> None:
    fill(store)
    store.add_plan("plan", "pool", PLAN, MEMBERS, {})
    assert store.left_out("run", "pool", "plan") == [
        {"row": 3, "reason": "exact duplicate of row 2"},
        {"row": 5, "reason": "near-duplicate of row 0"},
    ]


# Runs, answers, picks.


def test_new_facts_join_the_old_ones(store: Store) -> None:
    run = begin(store)
    store.update_run(run, state="interrupted", plan="plan", facts={"seconds": 2})
    store.update_run(run, facts={"seconds": 3})
    kept = store.run(run)
    assert kept["facts"] == {"backend": "scripted", "seconds": 3}
    assert (kept["state"], kept["plan"], kept["settings"]) == ("interrupted", "plan", {"budget": 2})


def test_runs_are_listed_newest_first(store: Store) -> None:
    names = [begin(store, fingerprint) for fingerprint in ("a", "b", "a")]
    assert [run["run"] for run in store.runs()] == names[::-1]
    assert [run["run"] for run in store.runs_of("a")] == [names[2], names[0]]


def test_a_run_is_found_by_id_by_its_beginning_and_as_the_last(store: Store) -> None:
    first, second = begin(store), begin(store)
    store._database.execute("UPDATE runs SET run = 'abc12345' WHERE run = ?", (first,))
    store._database.execute("UPDATE runs SET run = 'abd12345' WHERE run = ?", (second,))
    assert store.run("abc12345")["run"] == "abc12345"
    assert store.run("abd")["run"] == "abd12345"
    assert store.run("last")["run"] == "abd12345"


def test_an_ambiguous_beginning_is_refused(store: Store) -> None:
    for fingerprint in "xy":
        run = begin(store)
        store._database.execute("UPDATE runs SET run = ? WHERE run = ?", (f"ab{fingerprint}", run))
    with pytest.raises(UsageError, match="2 runs begin with"):
        store.run("ab")


@pytest.mark.parametrize("name", ["last", "nothing", "%", ""])
def test_a_run_that_is_not_there_is_refused(store: Store, name: str) -> None:
    missing = "There are no runs yet" if name == "last" else f"There is no run '{name}'"
    with pytest.raises(UsageError, match=missing):
        store.run(name)


def test_an_answer_comes_back_as_it_was(store: Store) -> None:
    run = begin(store)
    store.add_answer(run, ANSWER)
    assert store.answers(run) == {(0, 1): ANSWER}
    assert store.answers("another") == {}


def test_the_log_says_what_was_asked_in_order(store: Store) -> None:
    run = begin(store)
    for query in (3, 1, 2):
        store.add_answer(run, Answer(query, 0, (1,), (1,), (), (), "abstained"))
    log = [(asked["query"], asked["ordering"], asked["outcome"]) for asked in store.asked(run)]
    assert log == [(3, 0, "abstained"), (1, 0, "abstained"), (2, 0, "abstained")]


def test_no_question_is_answered_twice(store: Store) -> None:
    run = begin(store)
    store.add_answer(run, ANSWER)
    with pytest.raises(WorkspaceError):
        store.add_answer(run, ANSWER)
    assert len(store.asked(run)) == 1


def test_answers_add_up(store: Store) -> None:
    fill(store)
    store.add_plan("plan", "pool", PLAN, MEMBERS, {})
    run = begin(store)
    store.update_run(run, plan="plan")
    store.add_answer(run, ANSWER)
    store.add_answer(run, Answer(1, 0, (0,), (0,), (), (), "abstained"))
    assert store.answer_totals(run) == {
        "answers": 2,
        "abstained": 1,
        "prompt_tokens": 99,
        "answer_seconds": 0.5,
        "shortened": len(ANSWER.shortened),
        "queries": 2,
    }


def test_picks_come_back_best_first_and_to_the_last_bit(store: Store) -> None:
    run = begin(store)
    store.set_picks(run, PICKS[:1])
    store.set_picks(run, PICKS)
    assert store.picks(run) == PICKS[::-1]


# Removing.


def test_the_last_run_on_a_pool_takes_it_along(store: Store) -> None:
    fill(store)
    store.add_plan("plan", "pool", PLAN, MEMBERS, {})
    one, two = begin(store), begin(store)
    for run in (one, two):
        store.update_run(run, plan="plan")
        store.add_answer(run, ANSWER)
        store.set_picks(run, PICKS)
    store.remove_run(one)
    assert store.has_pool("pool")
    assert store.has_plan("plan")
    assert store.picks(two)
    store.remove_run(two)
    assert not store.has_pool("pool")
    assert not store.has_plan("plan")
    tables = ("instructions", "bad_rows", "members", "queries", "answers", "asked", "picks", "runs")
    for table in tables:
        assert store._all(f"SELECT * FROM {table}") == []


# Locks.

HOLD = """
import sys
from pathlib import Path
from localsel.errors import UsageError
from localsel.store import Store
store = Store(Path(sys.argv[1]))
print(store.state(store.run(sys.argv[2])))
try:
    with store.lock(sys.argv[2]):
        print("mine")
except UsageError as error:
    print(error)
"""


def test_a_second_writer_in_another_process_is_refused(store: Store) -> None:
    run = begin(store)
    with store.lock(run):
        answer = in_another_process(HOLD, store.home, run)
    assert answer.startswith(f"running\nAnother process is working on run {run}. Wait for it, or")
    assert answer.endswith(f"`localsel stop {run}`.")


def test_a_lock_ends_with_its_holder(store: Store) -> None:
    run = begin(store)
    with store.lock(run):
        pass
    assert in_another_process(HOLD, store.home, run) == "interrupted\nmine"


@pytest.mark.parametrize("state", ["finished", "failed", "over-limit", "interrupted"])
def test_a_run_that_ended_says_how(store: Store, state: str) -> None:
    run = begin(store)
    store.update_run(run, state=state)
    assert store.state(store.run(run)) == state


# Caches.


def test_vectors_come_back_to_the_texts_they_belong_to(store: Store) -> None:
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    store.add_vectors("embedder", [b"a", b"b"], vectors[:2])
    store.add_vectors("embedder", [b"c", b"d"], vectors[2:])
    found, missing = store.cached_vectors("embedder", [b"d", b"new", b"a", b"d"])
    assert missing == [1]
    assert found[[0, 2, 3]].tolist() == [[6, 7], [0, 1], [6, 7]]


def test_vectors_of_another_embedder_are_not_known(store: Store) -> None:
    store.add_vectors("embedder", [b"a"], np.ones((1, 2), dtype=np.float32))
    found, missing = store.cached_vectors("another", [b"a"])
    assert missing == [0]
    assert found.shape == (1, 0)


def test_vectors_whose_file_is_gone_or_broken_are_missing(store: Store) -> None:
    store.add_vectors("embedder", [b"a"], np.ones((1, 2), dtype=np.float32))
    store.add_vectors("embedder", [b"b"], np.ones((1, 2), dtype=np.float32))
    store.add_vectors("embedder", [b"c"], np.full((1, 2), 3, dtype=np.float32))
    by_text = dict(map(tuple, store._all("SELECT text, chunk FROM vectors")))
    (store.home / "vectors" / f"{by_text[b'a']}.npy").unlink()
    (store.home / "vectors" / f"{by_text[b'b']}.npy").write_bytes(b"\x93NUMPY")
    found, missing = store.cached_vectors("embedder", [b"a", b"b", b"c"])
    assert missing == [0, 1]
    assert found[2].tolist() == [3, 3]


def test_no_half_written_vectors_are_left(store: Store) -> None:
    store.add_vectors("embedder", [b"a"], np.ones((1, 2), dtype=np.float32))
    assert [path.suffix for path in (store.home / "vectors").iterdir()] == [".npy"]


def test_a_digest_holds_until_the_file_changes(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("one")
    assert store.cached_digest(path) is None
    assert store.digest(path, lambda path: "sha") == "sha"
    assert store.cached_digest(path) == "sha"
    path.write_text("two")
    os.utime(path, ns=(1, 1))
    assert store.cached_digest(path) is None


def test_a_digest_of_a_folder_holds_until_anything_in_it_changes(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "embedder" / "inner"
    folder.mkdir(parents=True)
    (folder / "weights").write_text("one")
    assert store.digest(folder.parent, lambda path: "sha") == "sha"
    assert store.cached_digest(folder.parent) == "sha"
    (folder / "weights").write_text("three")
    assert store.cached_digest(folder.parent) is None


# The workspace itself.


def test_only_the_owner_may_look_into_a_workspace(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(Store(tmp_path / "workspace")) as store:
            begin(store)
            folders = [store.home, *(path for path in store.home.iterdir() if path.is_dir())]
            files = list(store.home.glob("localsel.db*"))
    finally:
        os.umask(before)
    assert {mode(folder) for folder in folders} == {0o700}
    assert len(files) == 3
    with closing(Store(tmp_path / "workspace")) as store:
        assert {mode(path) for path in store.home.glob("localsel.db*")} == {0o600}


@pytest.mark.parametrize("found", [2, 3])
def test_a_workspace_of_an_older_format_is_brought_up_to_date(store: Store, found: int) -> None:
    run = begin(store)
    store.set_picks(run, PICKS)
    for table in [name for version, names in ADDED.items() if version > found for name in names]:
        store._database.execute(f"DROP TABLE {table}")
    store._database.execute(f"PRAGMA user_version = {found}")
    with closing(Store(store.home)) as opened:
        assert opened.picks(run) == PICKS[::-1]
        opened.add_changes(run, [Change("accept", 0, at=1.0)])
        opened.set_choice("plan", 0, (2,))
        assert opened.changes(run) == (Change("accept", 0, at=1.0),)
        assert opened.choices("plan") == {0: (2,)}
        opened.add_scores("losses", {b"text": [1.5, 2.5]})
        assert opened.scores("losses", [b"text", b"other"]) == {b"text": [1.5, 2.5]}


READ = """
import sys
from contextlib import closing
from pathlib import Path
from localsel.errors import WorkspaceError
from localsel.store import Store
try:
    with closing(Store(Path(sys.argv[1]))) as store:
        (run,) = store.runs()
        facts = store.run(run["run"])["facts"]
        print(run["run"], [pick.row for pick in store.picks(run["run"])], facts)
except WorkspaceError as error:
    print(error)
"""


def test_one_format_back_can_be_read_where_nothing_can_be_written(
    store: Store, localsel: Command
) -> None:
    run = begin(store)
    store.set_picks(run, PICKS)
    store._database.execute("DROP TABLE scores")
    store._database.execute("PRAGMA user_version = 3")
    store.close()
    with read_only(localsel, store.home, mounted=False) as reading:
        line = [*map(str, reading.prefix), sys.executable, "-c", READ, str(store.home)]
        read = partial(subprocess.check_output, line, text=True)
        assert read() == f"{run} [0, 2] {{'backend': 'scripted'}}\n"
    with closing(sqlite3.connect(store.home / "localsel.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
        database.execute("PRAGMA user_version = 2")
    with read_only(localsel, store.home, mounted=False):
        assert "has format 2; this localsel reads" in read()


def test_a_workspace_of_another_format_is_refused(store: Store) -> None:
    store._database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(WorkspaceError, match=f"has format {VERSION + 1}; this localsel reads"):
        Store(store.home)


def test_a_workspace_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "workspace"
    path.write_text("")
    with pytest.raises(WorkspaceError) as refused:
        Store(path)
    said = f"The workspace {path} is a file, not a folder. Choose one with --workspace."
    assert str(refused.value) == said


def test_a_database_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "localsel.db").write_text("not a database, but long enough to look at" * 99)
    with pytest.raises(WorkspaceError, match="not a database"):
        Store(tmp_path)


OPEN = """
import sys, time
from pathlib import Path
from localsel.store import Store
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
Store(Path(sys.argv[1])).close()
"""


def test_several_processes_may_make_the_same_workspace_at_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    line = [sys.executable, "-c", OPEN, str(tmp_path / "workspace"), str(gate)]
    started = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    gate.touch()
    said = [process.communicate()[1] for process in started]
    assert said == [""] * 4


def test_a_workspace_that_cannot_be_written_says_so(store: Store) -> None:
    with closing(sqlite3.connect(store.home / "localsel.db", isolation_level=None)) as other:
        store._database.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WorkspaceError, match="cannot be written: database is locked"):
            begin(store)
    assert store.runs() == []


def test_what_is_written_while_it_is_hashed_counts_as_changed(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_text("a")

    def slow(path: Path) -> str:
        path.write_text("a longer text")
        return "digest of a"

    assert store.digest(path, slow) == "digest of a"
    assert store.cached_digest(path) is None


def test_a_run_of_a_pool_that_was_removed_meanwhile_is_refused(store: Store) -> None:
    with pytest.raises(WorkspaceError, match="removed meanwhile"):
        store.start_run("print", "gone", {}, {})
