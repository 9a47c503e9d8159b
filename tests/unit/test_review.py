"""A run and what a person makes of it → the selection as it stands then, from the changes alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from localsel.errors import UsageError
from localsel.records import Answer, Instruction, Pick, Plan, Query
from localsel.review import Change, ChangeKind, Review, change, counts, review_of, undo
from localsel.runs import chosen_rows, run_record
from localsel.store import Store

# Heats of cluster 0 meet in query 2; query 3 asks for two of cluster 1; row 13 is row 0 again.
TEXTS = [f"Text {row}." for row in range(13)] + ["Text 0."]
PLAN = Plan(
    queries=(
        Query(0, 0, 0, 1, rows=(0, 1, 2), final=False),
        Query(1, 0, 0, 1, rows=(3, 4, 5), final=False),
        Query(2, 0, 1, 1, sources=(0, 1)),
        Query(3, 1, 0, 2, rows=(6, 7, 8, 9)),
    ),
    quotas=(1, 2),
    left_out={10: "not shown"},
)
TWINS = {11: 7}
CLUSTERS = dict.fromkeys(range(6), 0) | dict.fromkeys(range(6, 10), 1) | {10: 1}


def answer(query: int, shown: tuple[int, ...], chosen: tuple[int, ...], *scores: float) -> Answer:
    return Answer(query, 0, shown, chosen, (0.5,) * len(chosen), scores, "answered")


ANSWERS = (
    answer(0, (2, 1, 0), (1,), -3, -1, -2),
    answer(1, (3, 4, 5), (4,), -9, -0.1, -0.2),
    answer(2, (4, 1), (1,), -2, -1),
    answer(3, (9, 8, 7, 6), (6, 8), -4, -2, -3, -1),
)
PICKS = (
    Pick(1, "model", 0, 2, 0, 2, 2, 0.9, 1, rank=1),
    Pick(6, "model", 1, 3, 0, 4, 4, 0.8, 1, rank=2),
    Pick(8, "model", 1, 3, 1, 2, 2, 0.7, 1, rank=3),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "workspace")) as opened:
        yield opened


@pytest.fixture
def run(store: Store) -> dict[str, Any]:
    with store.add_pool("pool", Path("data.jsonl"), "sha", "jsonl") as writer:
        for row, text in enumerate(TEXTS):
            writer.add(Instruction(row, text), text.encode(), {"instruction": text})
    members = [(row, CLUSTERS.get(row), 0.1, 0.1, TWINS.get(row)) for row in range(13)]
    store.add_plan("plan", "pool", PLAN, members, {})
    settings = {"method": "selectllm", "seed": 0, "data": "data.jsonl", "budget": 3}
    name = store.start_run("print", "pool", settings, {"selector": {"name": "toy"}})
    for each in ANSWERS:
        store.add_answer(name, each)
    store.set_picks(name, PICKS)
    store.update_run(name, state="finished", plan="plan")
    return store.run(name)


def rows(review: Review) -> list[int]:
    return [pick.row for pick in review.picks]


def refused(store: Store, run: dict[str, Any], *changes: Change) -> str:
    before = review_of(store, run)
    with pytest.raises(UsageError) as error:
        change(store, run, *changes)
    assert review_of(store, run) == before
    return str(error.value)


# What a change does.


def test_without_changes_it_is_what_the_method_chose(store: Store, run: dict[str, Any]) -> None:
    review = review_of(store, run)
    assert review.picks == PICKS
    assert set(counts(review).values()) == {0}


def test_a_banned_pick_gives_way_to_who_came_furthest(store: Store, run: dict[str, Any]) -> None:
    """Row 4 lost the final; row 0 was likelier in its heat than row 4 there, but went out in it."""
    review = change(store, run, Change("ban", 1))
    assert rows(review) == [4, 6, 8]
    assert review.picks[0] == Pick(4, "human", 0, 2, 0, label=1, position=1, rank=1)
    assert review.banned == {1}
    assert review.changes[-1].other == 4


def test_then_the_likeliest_where_it_came_to_takes_its_place(
    store: Store, run: dict[str, Any]
) -> None:
    review = change(store, run, *(Change("ban", row) for row in (1, 4, 5, 0)))
    assert [each.other for each in review.changes] == [4, 5, 0, 2]
    review = change(store, run, Change("ban", 8))
    assert review.changes[-1].other == 7


def test_orders_count_by_their_mean_and_equals_by_their_row(
    store: Store, run: dict[str, Any]
) -> None:
    second = Answer(3, 1, (6, 7, 8, 9), (6, 8), (0.5, 0.5), (-1, -5, -2, -4), "answered")
    store.add_answer(run["run"], second)
    assert change(store, run, Change("ban", 6)).changes[-1].other == 7
    undo(store, run)
    assert change(store, run, Change("ban", 7), Change("ban", 6)).changes[-1].other == 9


def test_where_nobody_is_left_the_selection_is_smaller(store: Store, run: dict[str, Any]) -> None:
    review = change(store, run, *(Change("ban", row) for row in (6, 8, 7, 9)))
    assert [each.other for each in review.changes] == [7, 9, None, None]
    assert rows(review) == [1]
    assert review.picks[0].rank == 1
    assert counts(review)["banned"] == 4


def test_a_banned_row_is_never_promoted_nor_is_one_that_was_swapped_out(
    store: Store, run: dict[str, Any]
) -> None:
    change(store, run, Change("ban", 4), Change("swap", 1, 12))
    review = change(store, run, Change("swap", 12, 2), Change("ban", 2))
    assert review.changes[-1].other == 5


def test_a_swap_puts_any_row_in_at_the_rank_of_the_other(store: Store, run: dict[str, Any]) -> None:
    review = change(store, run, Change("swap", 6, 5))
    assert rows(review) == [1, 5, 8]
    assert review.picks[1] == Pick(5, "human", 0, 1, 0, label=3, position=3, rank=2)
    review = change(store, run, Change("swap", 5, 12))
    assert review.picks[1] == Pick(12, "human", rank=2)


def test_a_near_duplicate_is_in_the_cluster_of_its_twin(store: Store, run: dict[str, Any]) -> None:
    review = change(store, run, Change("swap", 1, 11))
    assert review.picks[0] == Pick(11, "human", cluster=1, rank=1)
    assert change(store, run, Change("ban", 11)).changes[-1].other == 7


def test_a_duplicate_stands_for_the_first_of_its_kind(store: Store, run: dict[str, Any]) -> None:
    assert rows(change(store, run, Change("swap", 1, 13))) == [0, 6, 8]
    assert rows(change(store, run, Change("ban", 13))) == [4, 6, 8]


def test_accepted_noted_answered_and_skipped(store: Store, run: dict[str, Any]) -> None:
    review = change(
        store,
        run,
        *(
            Change("accept", 1),
            Change("note", 6, text="odd "),
            Change("answer", 6, text=" Six.\r\n"),
        ),
        Change("skip", 8),
    )
    assert (review.accepted, review.skipped) == ({1}, {8})
    assert (review.notes, review.answers) == ({6: "odd"}, {6: "Six."})
    review = change(store, run, Change("skip", 6), Change("answer", 8, text="Eight."))
    assert (review.answers, review.skipped) == ({8: "Eight."}, {6})
    cleared = [Change("answer", 6), Change("answer", 8), Change("note", 6)]
    review = change(store, run, *cleared)
    assert (review.answers, review.skipped, review.notes) == ({}, set(), {})


def test_who_leaves_takes_all_but_the_note_along(store: Store, run: dict[str, Any]) -> None:
    kinds: tuple[ChangeKind, ...] = ("accept", "note", "answer")
    change(store, run, *(Change(kind, 6, text="x") for kind in kinds), Change("skip", 8))
    review = change(store, run, Change("ban", 6), Change("swap", 8, 12))
    assert (review.accepted, review.answers, review.skipped) == (set(), {}, set())
    assert review.notes == {6: "x"}
    assert change(store, run, Change("note", 6, text="Private.")).notes == {6: "Private."}


def test_no_text_holds_what_a_terminal_obeys(store: Store, run: dict[str, Any]) -> None:
    text = "\x1b[31mred\x07\x9b \udcff\0 tab\there\rline"
    review = change(store, run, Change("note", 1, text=text))
    assert review.notes[1] == "[31mred  tab\there\nline"


# Undo.


def test_undo_goes_back_step_by_step_and_doing_it_again_gives_the_same(
    store: Store, run: dict[str, Any]
) -> None:
    steps = [
        Change("accept", 1, at=1.0),
        Change("ban", 1, at=2.0),
        Change("swap", 4, 13, at=3.0),
        Change("note", 0, text="n", at=4.0),
        Change("answer", 6, text="a", at=5.0),
        Change("skip", 8, at=6.0),
        Change("ban", 8, at=7.0),
    ]
    states = [review_of(store, run)] + [change(store, run, step) for step in steps]
    for step, state in zip(reversed(steps), reversed(states[:-1]), strict=True):
        taken = undo(store, run)
        assert (taken.kind, taken.row) == (step.kind, step.row)
        assert review_of(store, run) == state
    with pytest.raises(UsageError, match="there is nothing to undo"):
        undo(store, run)
    assert change(store, run, *steps) == states[-1]


# Refusals; nothing of a refused batch is kept.


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([Change("accept", 2)], "Row 2 is no pick of run"),
        ([Change("accept", 6), Change("accept", 6)], "Row 6 is accepted already."),
        ([Change("ban", 1), Change("ban", 1)], "Row 1 is banned already."),
        ([Change("ban", 1), Change("accept", 1)], "Row 1 is no pick"),
        ([Change("swap", 1, 6)], "Row 6 is picked already."),
        ([Change("swap", 1, 1)], "Row 1 is picked already."),
        ([Change("ban", 2), Change("swap", 1, 2)], "Row 2 is banned."),
        ([Change("swap", 2, 3)], "Row 2 is no pick"),
        ([Change("swap", 1, 99)], "There is no row 99 in the data of run"),
        ([Change("swap", 1)], "There is no row None"),
        ([Change("ban", -1)], "There is no row -1"),
        ([Change("ban", 10**30)], f"There is no row {10**30}"),
        ([Change("note", 2, text="x")], "Row 2 is no pick"),
        ([Change("note", 1, text=" \x1b ")], "Row 1 has no note to remove."),
        ([Change("answer", 1)], "Row 1 has no answer to remove."),
        ([Change("skip", 1), Change("skip", 1)], "Row 1 is skipped already."),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused_whole(
    store: Store, run: dict[str, Any], changes: list[Change], says: str
) -> None:
    assert says in refused(store, run, Change("accept", 8), *changes)


def test_only_ended_runs_that_nobody_works_on_are_reviewed(
    store: Store, run: dict[str, Any]
) -> None:
    with closing(Store(store.home)) as other, other.lock(run["run"]):
        assert "Another process is working on run" in refused(store, run, Change("ban", 1))
    store.update_run(run["run"], state="running")
    says = refused(store, store.run(run["run"]), Change("ban", 1))
    assert "is interrupted. Only finished runs can be reviewed." in says
    # Whoever looked before it was taken up again is told the same.
    assert "Only finished runs can be reviewed." in refused(store, run, Change("ban", 1))


@pytest.mark.parametrize(
    "kept",
    [
        ("pick", 1, None, ""),
        ("accept", 2, None, ""),
        ("ban", 1, 6, ""),
        ("swap", 1, None, ""),
        ("note", 1, None, None),
        ("note", None, None, ""),
    ],
)
def test_changes_that_nobody_can_have_made_are_not_believed(
    store: Store, run: dict[str, Any], kept: tuple[Any, ...]
) -> None:
    values = (run["run"], 1, 1.0, *kept)
    store._database.execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    with pytest.raises(ValueError, match=r"change|swap|place"):
        review_of(store, run)


# What others see.


def test_everybody_sees_the_selection_as_it_was_left(store: Store, run: dict[str, Any]) -> None:
    plain = chosen_rows(store, run)
    change(store, run, Change("ban", 1), Change("note", 6, text="odd"), Change("accept", 8))
    chosen = chosen_rows(store, run)
    assert [each.instruction.row for each in chosen] == [4, 6, 8]
    extra = [set(each.why) - set(plain[0].why) for each in chosen]
    assert extra == [set(), {"note"}, {"accepted"}]
    record = run_record(store, run["run"])
    assert (record["picked"], record["chosen_by"]) == (3, {"human": 1, "model": 2})
    assert record["review"] == {
        **dict.fromkeys(("swapped", "answers", "skipped"), 0),
        **dict.fromkeys(("accepted", "banned", "notes"), 1),
        "changes": 3,
    }
    assert store.picks(run["run"]) == PICKS


def test_answers_stand_where_they_will_be_looked_for(store: Store, run: dict[str, Any]) -> None:
    change(store, run, Change("answer", 6, text="Six."), Change("skip", 8))
    _, answered, skipped = chosen_rows(store, run)
    assert (answered.instruction.response, answered.answer) == ("Six.", "Six.")
    assert answered.columns["output"] == "Six."
    assert (skipped.instruction.response, skipped.answer) == ("", "")


def test_a_removed_run_leaves_nothing_behind(store: Store, run: dict[str, Any]) -> None:
    change(store, run, Change("ban", 1))
    store.set_choice("plan", 3, (6, 7))
    store.remove_run(run["run"])
    for table in ("changes", "choices"):
        assert not store._all(f"SELECT * FROM {table}")


def test_a_long_review_is_quick(store: Store, run: dict[str, Any]) -> None:
    """A thousand picks, half of them banned and promoted: the screen asks for it at every key."""
    size = 1_000
    with store.add_pool("large", Path("data.jsonl"), "sha", "jsonl") as writer:
        for row in range(14 * size):
            writer.add(Instruction(row, str(row)), str(row).encode(), {})
    shown = [tuple(range(14 * at, 14 * at + 14)) for at in range(size)]
    queries = tuple(Query(at, at, 0, 1, rows=each) for at, each in enumerate(shown))
    members = [(row, row // 14, 0.1, 0.1, None) for row in range(14 * size)]
    store.add_plan("wide", "large", Plan(queries, (1,) * size, {}), members, {})
    name = store.start_run("wide", "large", {}, {})
    scores = str([-1.0 - place for place in range(14)])
    with store._transaction() as database:
        database.executemany(
            "INSERT INTO answers VALUES (?, ?, 0, ?, ?, '[]', ?, 'answered', 0, 0, 1, '[]')",
            ((name, at, str([*each]), str([each[0]]), scores) for at, each in enumerate(shown)),
        )
    store.set_picks(
        name, [Pick(each[0], "model", at, at, rank=at + 1) for at, each in enumerate(shown)]
    )
    store.update_run(name, state="finished", plan="wide")
    wide = store.run(name)
    change(store, wide, *(Change("ban", 14 * at) for at in range(0, size, 2)))
    change(store, wide, *(Change("accept", 14 * at) for at in range(1, size, 2)))
    began = time.perf_counter()
    review = review_of(store, wide)
    seconds = time.perf_counter() - began
    assert rows(review)[:2] == [1, 14]
    # Measured well below; busy machines are given room.
    assert seconds < 0.5
