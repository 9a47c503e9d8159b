"""The Review screen: a selection is looked through, changed, undone, and chosen in blind."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from localsel import blind
from localsel.review import Change, Review, change, review_of
from localsel.store import Store
from localsel.tui.app import Localsel
from localsel.tui.messages import Look
from localsel.tui.screens.blind import LETTERS, BlindScreen
from localsel.tui.screens.review import ReviewPage
from localsel.tui.screens.score import Score, paragraph, verdict
from localsel.tui.screens.swap import SwapScreen
from localsel.tui.subject import Subject
from localsel.tui.widgets.asking import Asking
from localsel.tui.widgets.dialog import Dialog
from localsel.tui.widgets.table import Table
from localsel.tui.widgets.writing import Writing
from tests.conftest import Command
from tests.tui.conftest import Scenario, drive, screen_text, told, until


def run_of(home: Path, asks: bool = True) -> dict[str, Any]:
    """The newest run with a selector, or one of a baseline."""
    with closing(Store(home)) as store:
        return next(run for run in store.runs() if bool(run["facts"].get("selector")) is asks)


def stored(home: Path, run: str) -> Review:
    with closing(Store(home)) as store:
        return review_of(store, store.run(run))


def chosen_in(home: Path) -> dict[int, tuple[int, ...]]:
    """What was chosen blind, by query."""
    with closing(Store(home)) as store:
        return store.choices(run_of(home)["plan"])


@pytest.fixture
def several(tmp_path: Path, blocker: Path, embedded: Path, example_pool: Path) -> Path:
    """A workspace with a run whose queries ask for several picks each."""
    home = Path(shutil.copytree(embedded, tmp_path / "workspace"))
    ran = Command(tmp_path, blocker)(
        *("run", example_pool, "--budget", 120, "--clusters", 10, "--model", "first"),
        *("--display", "none", "--workspace", home),
    )
    assert ran.code == 0, ran.stderr
    return home


async def opened(app: Localsel, pilot: Pilot[None], asks: bool = True) -> ReviewPage:
    """The page with a run of a known selector on it."""
    run = run_of(app.desk.home, asks)
    app.post_message(Look(Subject(pool=run["pool"], runs=(run["run"],)), page="review"))
    page = app.page("review")
    assert isinstance(page, ReviewPage)
    await until(pilot, lambda: app.up is page and page.review)
    return page


def now(page: ReviewPage) -> Review:
    assert page.run
    return stored(page.desk.home, page.run["run"])


def row(table: Table) -> int:
    assert isinstance(table.key, int)
    return table.key


def test_accepting_marks_the_pick_and_stays(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        first = row(page.table)
        await pilot.press("a")
        assert now(page).accepted == {first}
        assert row(page.table) == first
        assert "40 picks: 1 accepted" in screen_text(app)
        assert "✓ accepted" in screen_text(app)
        await pilot.press("a")
        assert f"Row {first} is accepted already." in told(app)

    drive(scenario, workspace)


def test_accepting_and_going_on(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("A", "A")
        assert [pick.rank for pick in now(page).picks if pick.row in now(page).accepted] == [1, 2]
        assert page.table.cursor == 2

    drive(scenario, workspace)


def test_a_ban_says_who_takes_the_place_and_undo_says_who_is_back(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("j", "j")
        out = row(page.table)
        await pilot.press("b")
        made = now(page).changes[-1]
        assert (made.kind, made.row) == ("ban", out)
        assert f"Row {out} is banned. Row {made.other} of the same cluster" in told(app)
        assert page.table.cursor == 2 and row(page.table) == made.other
        assert "1 banned" in screen_text(app) and "chosen by hand" in screen_text(app)
        await pilot.press("g", "u")
        assert now(page).changes == ()
        assert f"Row {made.other} is out, row {out} is back." in told(app)
        assert row(page.table) == out
        await pilot.press("u")
        assert "there is nothing to undo" in told(app)

    drive(scenario, workspace)


def test_a_swap_takes_a_candidate_of_the_cluster_best_first(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        out = row(page.table)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, SwapScreen))
        await pilot.press("escape")
        assert app.screen is page and not now(page).changes
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, SwapScreen))
        best = row(app.screen.query_one(Table))
        await pilot.press("j")
        second = row(app.screen.query_one(Table))
        assert f"Instead of row {out} of cluster" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "1 swapped" in screen_text(app))
        assert (now(page).changes[-1].row, now(page).changes[-1].other) == (out, second)
        assert row(page.table) == second and "1 swapped" in screen_text(app)
        await pilot.press("u", "b")
        assert now(page).changes[-1].other == best, "a ban promotes the first of that list"

    drive(scenario, workspace)


def test_a_swap_takes_any_row_by_its_number(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        first, picked = row(page.table), {pick.row for pick in now(page).picks}
        other = next(each for each in (0, 1, 2, 3, 4, 5) if each not in picked)
        await pilot.press("x", "r")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await pilot.press(*"999999", "enter")
        await until(pilot, lambda: "There is no row 999999" in told(app))
        await pilot.press("x", "r")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await pilot.press(*str(other), "enter")
        await until(pilot, lambda: "1 swapped" in screen_text(app))
        assert (now(page).changes[-1].row, now(page).changes[-1].other) == (first, other)
        await pilot.press("x", "r")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await pilot.press("escape")
        assert isinstance(app.screen, SwapScreen)

    drive(scenario, workspace)


def test_a_note_is_data_wherever_it_is_shown(workspace: Path) -> None:
    hostile = "[bold red]why[/] \x1b[31m\u202eeman"

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        first = row(page.table)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        app.screen.query_one(Input).value = hostile
        await pilot.press("enter")
        await until(pilot, lambda: "1 noted" in screen_text(app))
        assert now(page).notes[first].startswith("[bold red]why[/] [31m")
        assert "✎ note: [bold red]why[/] [31m" in screen_text(app)
        assert "\u202e" not in screen_text(app)
        await pilot.press("m", "escape", "m", "enter")
        assert len(now(page).changes) == 1, "neither leaving nor keeping it changes anything"
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        await until(pilot, lambda: not now(page).notes)

    drive(scenario, workspace)


def test_an_answer_is_written_in_place(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        first = row(page.table)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        await pilot.press(*"qed", "enter", "8", "ctrl+s")
        await until(pilot, lambda: "1 answered" in screen_text(app))
        assert now(page).answers == {first: "qed\n8"}
        assert app.screen is page and "≡ answered" in screen_text(app)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        assert app.screen.query_one(TextArea).text == "qed\n8"
        await pilot.press("escape")
        assert app.screen is page, "nothing was written, nothing is asked"
        await pilot.press("i")
        assert now(page).skipped == {first} and now(page).answers == {}
        assert "– skipped" in screen_text(app)

    drive(scenario, workspace)


@pytest.mark.parametrize(("key", "kept"), [("k", "begun"), ("d", None)])
def test_leaving_an_answer_that_was_begun_asks(key: str, kept: str | None, workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        first = row(page.table)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        await pilot.press(*"begun", "escape")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await pilot.press("escape")
        assert isinstance(app.screen, Writing), "esc goes on writing"
        await pilot.press("escape", key)
        await until(pilot, lambda: app.screen is page and not page.unsaved)
        assert now(page).answers.get(first) == kept

    drive(scenario, workspace)


def test_what_was_begun_is_there_after_going_elsewhere(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        await pilot.press(*"half")
        app.action_go("models")
        await until(pilot, lambda: app.up is app.page("models"))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        assert "An answer that was begun would be lost." in screen_text(app)
        await pilot.press("escape", "6")
        await until(pilot, lambda: app.screen is page)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        assert app.screen.query_one(TextArea).text == "half"

    drive(scenario, workspace)


def test_a_change_is_of_the_run_that_was_up_when_its_dialog_opened(workspace: Path) -> None:
    one, two = run_of(workspace), run_of(workspace, asks=False)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        first = row(page.table)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        app.desk.subject = Subject(runs=(two["run"],))
        page.show()
        await pilot.press(*"why", "enter")
        await until(pilot, lambda: stored(workspace, one["run"]).notes == {first: "why"})
        assert page.run and page.run["run"] == two["run"]
        assert not now(page).changes

    drive(scenario, workspace)


def test_an_answer_that_is_refused_is_not_lost(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        assert page.run
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        with closing(Store(workspace)) as store, store.lock(page.run["run"]):
            await pilot.press(*"begun", "ctrl+s")
            await until(pilot, lambda: "Your text is not lost" in told(app))
        assert "Another process is working on run" in told(app)
        assert page.unsaved and not now(page).changes
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Writing))
        assert app.screen.query_one(TextArea).text == "begun"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not page.unsaved)
        assert "begun" in now(page).answers.values()

    drive(scenario, workspace)


def test_the_screen_lives_while_a_change_waits(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        with closing(sqlite3.connect(workspace / "localsel.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            pressed = asyncio.create_task(pilot.press("a"))
            beats = 0
            while not pressed.done():
                await asyncio.sleep(0.05)
                beats += 1
        await pressed
        assert beats > 10, "the loop went round while it waited"
        assert "cannot be written: database is locked." in told(app)
        await pilot.press("a")
        assert len(now(page).accepted) == 1

    drive(scenario, workspace)


def test_only_what_is_not_reviewed_yet(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("a", "j", "b", "f")
        assert len(page.table.source) == 38
        assert "not reviewed yet: 38 of 40" in screen_text(app)
        before, place = row(page.table), page.table.cursor
        await pilot.press("A")
        assert before in now(page).accepted
        assert len(page.table.source) == 37
        assert page.table.cursor == place, "the next one comes by itself"
        await pilot.press("f")
        assert len(page.table.source) == 40

    drive(scenario, workspace)


def test_reading_one_pick_after_the_other(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is page.sheet)
        assert not page.table.display
        await pilot.press("J", "J", "K")
        assert page.table.cursor == 1
        assert f"Row {row(page.table)} · rank 2" in screen_text(app)
        assert "Shown with it" in screen_text(app)
        await pilot.press("escape")
        assert page.table.display and app.focused is page.table

    drive(scenario, workspace)


def test_near_duplicates_are_listed(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        store, run = app.desk.store, page.run
        assert run
        alike = {each: store.near_duplicates(run["plan"], each) for each in range(485)}
        picks = {pick.row for pick in now(page).picks}
        first = next(each for each, twins in alike.items() if twins and each not in picks)
        change(store, run, Change("swap", row(page.table), first))
        page.show()
        await pilot.press("enter", "G")
        await until(pilot, lambda: "Near-duplicates of it" in screen_text(app))
        assert f"{alike[first][0]:>6}  " in screen_text(app)

    drive(scenario, workspace, (80, 50))


def test_its_cluster_and_the_other_run(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("r")
        assert "No other run is looked at." in told(app)
        one, two = run_of(workspace), run_of(workspace, asks=False)
        named = (one["run"], two["run"])
        app.post_message(Look(replace(app.desk.subject, runs=named)))
        await pilot.press("r")
        await until(pilot, lambda: app.desk.subject.runs == named[::-1])
        assert f"{two['settings']['method']} {two['run']}" in screen_text(app)
        await pilot.press("c")
        assert "belongs to no cluster" in told(app)
        await pilot.press("r")
        await until(pilot, lambda: app.desk.subject.runs == named)
        await pilot.press("j", "c")
        await until(pilot, lambda: app.up is app.page("clusters"))
        pick = now(page).picks[1]
        assert app.desk.subject.cluster == pick.cluster
        assert app.desk.subject.row == pick.row
        # What the other screen began is let come to its end.
        await until(
            pilot, lambda: all(each.is_finished or each.group == "follow" for each in app.workers)
        )

    drive(scenario, workspace)


def test_the_row_that_another_screen_looks_at(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        last = now(page).picks[-1].row
        app.post_message(Look(replace(app.desk.subject, row=last)))
        await until(pilot, lambda: page.table.key == last)
        await pilot.press("g")
        page.show()
        assert page.table.cursor == 0, "only once"

    drive(scenario, workspace)


def test_changes_of_another_process_appear(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("j")
        with closing(Store(workspace)) as store:
            assert page.run
            change(store, page.run, Change("accept", now(page).picks[0].row))
        await until(pilot, lambda: "1 accepted" in screen_text(app), 10)
        assert page.table.cursor == 1

    drive(scenario, workspace)


def test_a_run_without_queries(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, asks=False)
        out = row(page.table)
        await pilot.press("B")
        assert "asked no queries" in told(app)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, SwapScreen))
        assert "Press r to name any row by its number." in screen_text(app)
        await pilot.press("escape", "b")
        assert f"Row {out} is banned. The selection is one smaller." in told(app)
        assert "39 picks" in screen_text(app)

    drive(scenario, workspace)


def test_nothing_to_review(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("6")
        await until(pilot, lambda: "No finished run yet." in screen_text(app))
        await pilot.press("a", "b", "x", "m", "t", "i", "u", "f", "c", "B", "S", "J")
        assert app.screen is app.page("review")
        app.post_message(Look(Subject(runs=("gone",))))
        await until(pilot, lambda: "There is no run 'gone'" in screen_text(app))

    drive(scenario, tmp_path / "new")


def test_a_run_that_is_not_finished(workspace: Path) -> None:
    run = run_of(workspace)["run"]
    with closing(Store(workspace)) as store:
        store.update_run(run, state="running")

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        app.post_message(Look(Subject(runs=(run,)), page="review"))
        await until(pilot, lambda: f"Run {run} is interrupted" in screen_text(app))
        with closing(Store(workspace)) as store:
            store.update_run(run, state="finished")
        await until(pilot, lambda: "40 picks" in screen_text(app), 10)

    drive(scenario, workspace)


def test_a_click_selects_and_a_second_reads(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.click(page.table, offset=(10, 4))
        assert page.table.cursor == 3
        await pilot.click(page.table, offset=(10, 4), times=2)
        await until(pilot, lambda: page.has_class("-reading"))

    drive(scenario, workspace, (120, 40))


# Choosing blind


def blindly(check: Callable[[Localsel, Pilot[None], BlindScreen], Any]) -> Scenario:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, BlindScreen))
        assert isinstance(app.screen, BlindScreen)
        await check(app, pilot, app.screen)

    return scenario


def test_choosing_by_letter_is_kept_at_once(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        asked = screen.asked
        assert asked
        chosen = asked.rows[1 : 1 + asked.quota]
        await pilot.press(*LETTERS[1 : 1 + asked.quota])
        assert f"{asked.quota} chosen" in screen_text(app)
        await pilot.press("enter")
        assert chosen_in(workspace) == {asked.query: chosen}
        assert "1/20" in screen_text(app)
        assert screen.asked != asked
        await pilot.press("escape", "B")
        await until(pilot, lambda: "1/20" in screen_text(app))

    drive(blindly(check), workspace)


def test_choosing_under_the_cursor_passing_and_taking_back(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        first = screen.asked
        await pilot.press("u")
        assert "Nothing was chosen yet." in told(app)
        await pilot.press("s")
        second = screen.asked
        assert second and second != first
        await pilot.press("j", "space")
        assert screen.chosen == [second.rows[1]]
        await pilot.press("space")
        assert screen.chosen == []
        for _ in range(second.quota):
            await pilot.press("space", "j")
        await pilot.press("enter")
        assert chosen_in(workspace) == {second.query: second.rows[1 : 1 + second.quota]}
        await pilot.press("u")
        assert chosen_in(workspace) == {}
        assert screen.asked == second

    drive(blindly(check), workspace)


def test_the_newest_choice_is_taken_back_in_a_screen_opened_again(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        first = screen.asked
        assert first
        await pilot.press("s")
        second = screen.asked
        for _ in range(20):
            await pilot.press("enter" if screen.asked in (first, second) else "s")
        assert list(screen.made) == [second and second.query, first.query]
        await pilot.press("escape", "B")
        await until(pilot, lambda: "2/20" in screen_text(app))
        await pilot.press("u")
        assert second and list(chosen_in(workspace)) == [second.query]

    drive(blindly(check), workspace)


def test_what_was_taken_back_elsewhere_is_not_asked_again(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        first = screen.asked
        assert first
        await pilot.press("enter")
        with closing(Store(workspace)) as store:
            blind.forget(store, run_of(workspace), first.query)
        await pilot.press("u")
        assert "Nothing was chosen in query" in told(app)
        assert first not in screen.waiting and screen.made == []

    drive(blindly(check), workspace)


def test_the_only_one_gives_way_to_the_next_and_enter_alone_takes_it(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        asked = screen.asked
        assert asked and asked.quota == 1
        await pilot.press(*LETTERS[:2])
        assert screen.chosen == [asked.rows[1]]
        await pilot.press(LETTERS[1], LETTERS[len(asked.rows)])
        assert screen.chosen == [], "the first takes it out, and no candidate has the second"
        await pilot.press("g", "j", "j", "enter")
        assert chosen_in(workspace) == {asked.query: asked.rows[2:3]}

    drive(blindly(check), workspace)


def test_neither_more_nor_less_than_asked(several: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        asked = screen.asked
        assert asked and asked.quota > 1
        await pilot.press("enter")
        assert f"asks for {asked.quota} rows, each once; 0 given." in told(app)
        await pilot.press(*LETTERS[: asked.quota + 1])
        assert screen.chosen == list(asked.rows[: asked.quota])
        assert f"asks for {asked.quota} candidates: take one out first." in told(app)
        await pilot.press("enter")
        assert chosen_in(several) == {asked.query: asked.rows[: asked.quota]}

    drive(blindly(check), several)


def test_nobody_is_named_before_the_end_and_everybody_at_it(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        seen = []
        while screen.asked:
            seen.append(screen_text(app))
            for row in screen.asked.rows[: screen.asked.quota]:
                screen._toggle(row)
            await pilot.press("enter")
        assert len(seen) == 20
        assert not any(word in each for each in seen for word in ("nano-", "●", "picked"))
        await until(pilot, lambda: "by chance" in screen_text(app))
        assert isinstance(app.screen, Score)
        with closing(Store(workspace)) as store:
            scores = blind.score(store, run_of(workspace))
        assert {each["name"] for each in scores} == {"nano-gemma2", "nano-llama"}
        for each in scores:
            assert each["queries"] > 0
            for line in str(paragraph(each)).splitlines():
                assert line in screen_text(app)
        await pilot.press("escape")
        assert "You have chosen in all of them." in screen_text(app)
        await pilot.press("enter", "a", "space", "escape", "S")
        await until(pilot, lambda: "by chance" in screen_text(app))

    drive(blindly(check), workspace, (100, 30))


def test_a_score_without_choices_says_so(workspace: Path) -> None:
    async def check(app: Localsel, pilot: Pilot[None], screen: BlindScreen) -> None:
        await pilot.press("S")
        await until(pilot, lambda: "Nobody has chosen in a query" in screen_text(app))

    drive(blindly(check), workspace)


def test_a_verdict_has_its_figure() -> None:
    assert verdict(0.0004) == "It agrees with you more than chance (p = 4e-04)."
    assert verdict(0.31).startswith("Its agreement with you is not told from chance (p = 0.310")
    nobody = {"name": "[b]x", "run": "1", "queries": 0}
    assert "[b]x  1\nIt answered none" in str(paragraph(nobody))
