"""Screen 4: who picked what, query by query, and the figures of the comparison."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from localsel.comparison import compare_runs, entries_of
from localsel.store import Store
from localsel.tui.app import Localsel
from localsel.tui.compared import VIEWS
from localsel.tui.following import Job
from localsel.tui.messages import Look
from localsel.tui.picked import Choice
from localsel.tui.screens.compare import ALONE, NO_RUN, ComparePage
from localsel.tui.subject import Subject
from tests.tui.conftest import drive, screen_text, turned_to, until
from tests.tui.test_clusters import keys, lines_of, names_of


async def opened(app: Localsel, pilot: Pilot[None], *runs: str, **place: Any) -> ComparePage:
    """The screen, once the picks are read."""
    page = await turned_to(app, pilot, "compare", runs or names_of(app.desk.home), **place)
    assert isinstance(page, ComparePage)
    await until(pilot, lambda: page.choices)
    await pilot.pause()
    return page


def picks_of(home: Path) -> list[set[int]]:
    with closing(Store(home)) as store:
        return [{pick.row for pick in store.picks(run)} for run in names_of(home)]


def compared(home: Path) -> dict[str, Any]:
    with closing(Store(home)) as store:
        return compare_runs(store, entries_of(store, names_of(home)))


def hand(choice: Choice | None) -> Choice:
    assert choice is not None
    return choice


def test_every_pick_is_listed_once_with_what_each_thought_of_it(workspace: Path) -> None:
    one, other = picks_of(workspace)
    first, second = names_of(workspace)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        assert page.choices is not None
        assert sorted(keys(page.table)) == sorted(one | other)
        lines = {line.key: line for line in lines_of(page.table)}
        with closing(Store(workspace)) as store:
            picks = {run: {p.row: p for p in store.picks(run)} for run in (first, second)}
            plan = store.plan(store.run(first)["plan"])
        assert {row for row in lines if "●" in lines[row].cells[3]} == one
        assert {row for row in lines if "●" in lines[row].cells[4]} == other
        for row, line in lines.items():
            assert isinstance(row, int)
            pick = picks[first].get(row) or picks[second][row]
            query = plan.queries[pick.query or 0]
            mine, theirs = (
                {r for r, p in own.items() if p.query == query.id} for own in picks.values()
            )
            assert line.cells[:2] == (str(query.cluster), str(query.id))
            assert line.cells[2] == ("≠" if mine != theirs else "")
        alone = len(one - other), len(other - one), len(one & other)
        text = screen_text(app)
        assert "only A {} · only B {} · by all {}".format(*alone) in text
        assert page.table.has_focus

    drive(scenario, workspace)


def test_only_those_of_one(workspace: Path) -> None:
    one, other = picks_of(workspace)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        for wanted in (one - other, other - one, one & other, one | other):
            await pilot.press("o")
            assert set(keys(page.table)) == wanted

    drive(scenario, workspace)


def test_from_one_disagreement_to_the_next(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        here = hand(page.choice)
        assert page.choices is not None
        queries = list(dict.fromkeys(each.query for each in page.choices.rows))
        disputed = list(dict.fromkeys(each.query for each in page.choices.rows if each.disputed))
        seen = [here.query] if here.disputed else []
        for _ in disputed[len(seen) :]:
            await pilot.press("d")
            seen.append(hand(page.choice).query)
        assert seen == disputed
        await pilot.press("d")
        assert hand(page.choice).query == disputed[-1]
        await pilot.press("D")
        assert hand(page.choice).query == disputed[-2]
        await pilot.press("g", "J")
        assert hand(page.choice).query == queries[1]
        await pilot.press("J", "K")
        assert hand(page.choice).query == queries[1]

    drive(scenario, workspace)


def test_the_pick_is_told_with_all_candidates_of_its_query(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        choice = hand(page.choice)
        with closing(Store(workspace)) as store:
            answers = [store.answer(run, choice.query or 0, 0) for run in names_of(workspace)]
        rows = {row for answer in answers if answer for row in answer.shown}
        await pilot.press("enter")
        await pilot.pause()
        text = screen_text(app)
        assert page.sheet.has_focus and not page.table.display
        assert f"Row {choice.row} · picked by " in text
        assert f"All {len(rows)} candidates of query {choice.query}" in text
        await pilot.press("escape")
        assert page.table.has_focus

    drive(scenario, workspace, (80, 50))


def test_the_figures_are_those_of_the_command(workspace: Path) -> None:
    found = compared(workspace)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("right_square_bracket")
        assert "Comparing 2 runs … 0 s" in screen_text(app)
        await until(pilot, lambda: "Overlap of picks" in screen_text(app))
        pair, text = found["pairs"][0], screen_text(app)
        assert f"{pair['overlap']['cross_order']:.0%}" in text
        assert f"{found['selectors'][0]['self_agreement']:.0%}" in text
        assert f"{pair['kappa']['same_order']:.2f}" in text
        assert "nano-gemma2 and nano-llama share" in text
        await pilot.press("right_square_bracket")
        for each in found["selectors"]:
            curve = each["position"]["curve"]
            assert f"{curve[0]['chosen']:>4}/{curve[0]['expected']:.1f}" in screen_text(app)
        await pilot.press("right_square_bracket")
        text = screen_text(app)
        for each in found["selectors"]:
            assert f"{each['coverage']['mean_distance']:.3f}" in text
            assert f"{each['cost']['prompt_tokens']:,}" in text
        await pilot.press("right_square_bracket", "G", "g")
        assert "What can be said" in screen_text(app)
        for each in found["selectors"]:
            assert f"{len(each['only'])}: {each['only'][0]}" in screen_text(app)
        await pilot.press("left_square_bracket")
        assert page.views.up == "Coverage & cost"
        await pilot.press("o", "escape")
        assert page.views.up == "Picks" and page.only == "all" and page.table.has_focus
        await pilot.press("left_square_bracket")
        assert page.views.up == "Summary"

    drive(scenario, workspace, (80, 24))


def test_what_a_command_has_told_is_not_computed_again(workspace: Path) -> None:
    found = compared(workspace)
    found["summary"] = ["Told by the command."]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        log = workspace / "logs" / "told.jsonl"
        app.desk.jobs = {log: Job(log, alive=False, finished=True, comparison=found)}
        await pilot.click(page.views, offset=(2 + sum(map(len, ["Picks", *VIEWS])), 0))
        await until(pilot, lambda: "Told by the command." in screen_text(app))
        assert page.views.up == "Summary"

    drive(scenario, workspace)


def test_from_a_pick_to_its_cluster_and_its_prompt(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        choice = hand(page.choice)
        await pilot.press("c")
        await until(pilot, lambda: app.up is app.page("clusters"))
        assert (app.desk.subject.cluster, app.desk.subject.row) == (choice.cluster, choice.row)
        await pilot.press("4", "j")
        choice = hand(page.choice)
        await pilot.press("p")
        await until(pilot, lambda: app.up is app.page("prompt"))
        assert app.desk.subject.query == choice.query

    drive(scenario, workspace)


def test_it_turns_to_the_row_that_others_look_at(workspace: Path) -> None:
    row = max(picks_of(workspace)[1])

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, row=row)
        assert hand(page.choice).row == row

    drive(scenario, workspace, (130, 40))


def test_one_run_says_how_to_get_another_and_none_how_to_get_one(workspace: Path) -> None:
    first, _ = names_of(workspace)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, first)
        assert "One run alone." in screen_text(app)
        await pilot.press("o")
        assert len(keys(page.table)) == len(picks_of(workspace)[0])
        await pilot.press("right_square_bracket")
        assert " ".join(ALONE.split()[-6:]) in " ".join(screen_text(app).split())
        await pilot.press("escape")
        app.post_message(Look(Subject()))
        await until(pilot, lambda: NO_RUN[:40] in screen_text(app))
        await pilot.press("c", "p", "d", "J", "enter")
        assert app.up is page

    drive(scenario, workspace)


def test_runs_that_cannot_be_compared_are_refused_in_a_sentence(workspace: Path) -> None:
    first, second = names_of(workspace)
    with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
        (facts,) = database.execute("SELECT facts FROM runs WHERE run = ?", (second,)).fetchone()
        known = json.loads(facts)
        known["sharing"]["questions"] = 10
        database.execute("UPDATE runs SET facts = ? WHERE run = ?", (json.dumps(known), second))

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("right_square_bracket")
        says = f"Runs {first} and {second} were asked different queries."
        await until(pilot, lambda: says in " ".join(screen_text(app).split()))
        app.post_message(Look(Subject(runs=(first, second)), "clusters"))
        await until(pilot, lambda: app.up is app.page("clusters"))
        await until(pilot, lambda: says in " ".join(screen_text(app).split()))

    drive(scenario, workspace, (120, 40))


def test_baselines_have_a_sign_and_their_place_in_the_tables(workspace: Path) -> None:
    first, _ = names_of(workspace)
    baseline = names_of(workspace, asks=False)[0]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, first, baseline)
        with closing(Store(workspace)) as store:
            own, drawn = ({p.row for p in store.picks(run)} for run in (first, baseline))
        assert set(keys(page.table)) == own
        signed = {line.key for line in lines_of(page.table) if line.cells[4].strip() == "●"}
        assert signed == own & drawn
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(
            pilot, lambda: "Coverage" in screen_text(app) and "B random" in screen_text(app)
        )

    drive(scenario, workspace)
