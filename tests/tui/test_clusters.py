"""Screen 3: the clusters of a plan, and one of them with the bars and picks of every selector."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot

from localsel.clusters import ClusterDetail, ClusterRow, Faults, Member, Shown, Verdict, clusters_of
from localsel.clusters import cluster as cluster_of
from localsel.store import Store
from localsel.tui import clustered
from localsel.tui.app import Localsel
from localsel.tui.clustered import SORTS, Candidates
from localsel.tui.messages import Look
from localsel.tui.screens.clusters import NO_RUN, ClustersPage
from localsel.tui.screens.nearby import Nearby
from localsel.tui.sides import Side, sides_of, widths
from localsel.tui.subject import Subject
from localsel.tui.widgets.sheet import Sheet
from localsel.tui.widgets.table import Line, Table
from tests.tui.conftest import drive, screen_text, turned_to, until


def names_of(home: Path, asks: bool = True) -> tuple[str, ...]:
    """The runs in which a selector was asked, or those of baselines, the first one first."""
    with closing(Store(home)) as store:
        runs = reversed(store.runs())
        return tuple(run["run"] for run in runs if bool(run["facts"].get("selector")) is asks)


def clusters_in(home: Path, *runs: str) -> list[ClusterRow]:
    with closing(Store(home)) as store:
        return clusters_of(store, runs or names_of(home))


def detail_of(home: Path, number: int) -> ClusterDetail:
    with closing(Store(home)) as store:
        return cluster_of(store, names_of(home), number)


async def opened(app: Localsel, pilot: Pilot[None], *runs: str, **place: Any) -> ClustersPage:
    """The screen, once its clusters are read."""
    page = await turned_to(app, pilot, "clusters", runs or names_of(app.desk.home), **place)
    assert isinstance(page, ClustersPage)
    await until(pilot, lambda: page.overview)
    await pilot.pause()
    return page


async def inside(pilot: Pilot[None], page: ClustersPage, number: int) -> None:
    """Goes to a cluster in the list, and opens it."""
    page.table.go_to(number)
    await pilot.press("enter")
    await until(pilot, lambda: page.pane.cluster == number and page.pane.table.has_focus)


def lines_of(table: Table) -> list[Line]:
    return [*table.source.lines(0, len(table.source))]


def keys(table: Table) -> list[Any]:
    return [line.key for line in lines_of(table)]


def known(values: list[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def test_every_cluster_is_listed_with_what_is_known_of_it(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        rows = clusters_in(workspace)
        assert keys(page.table) == [row.id for row in rows]
        differ = sum(row.agreement != 1 for row in rows)
        text = screen_text(app)
        assert f"A nano-gemma2  B nano-llama · {len(rows)} clusters, {differ} ≠" in text
        first, line = rows[0], lines_of(page.table)[0]
        assert line.cells[1:4] == [str(first.size), f"{first.radius:.3f}", str(first.quota)]
        assert f"{first.entropy:.2f}" in line.cells[4]
        assert line.cells[5] == ("≠ " if first.agreement != 1 else "") + f"{first.agreement:.0%}"
        assert page.table.has_focus

    drive(scenario, workspace)


def test_sorting_by_one_column_after_the_other_and_the_other_way_round(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        rows = {row.id: row for row in clusters_in(workspace)}
        values = {"rows": "size", "radius": "radius", "picks": "quota", "entropy": "entropy"}
        for name in SORTS[1:5]:
            await pilot.press("s")
            found = known([getattr(rows[key], values[name]) for key in keys(page.table)])
            assert found == sorted(found, reverse=True), name
            assert f"{name}▼" in screen_text(app)
        await pilot.press("S")
        assert f"{name}▲" in screen_text(app)
        found = known([rows[key].entropy for key in keys(page.table)])
        assert found == sorted(found)
        await pilot.press("s")
        found = known([rows[key].agreement for key in keys(page.table)])
        assert found == sorted(found)

    drive(scenario, workspace)


def test_only_what_is_disputed_or_faulty_is_left(workspace: Path) -> None:
    rows = clusters_in(workspace)
    with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
        database.execute(
            "UPDATE answers SET shortened = '[1, 2]' WHERE run = ? AND ordering = 0 AND query ="
            " (SELECT min(query) FROM queries WHERE cluster = 4)",
            names_of(workspace)[:1],
        )

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("D")
        disputed = [row.id for row in rows if row.agreement != 1]
        assert keys(page.table) == disputed
        assert f"only picked differently: {len(disputed)}" in screen_text(app)
        await pilot.press("D", "f")
        assert keys(page.table) == [4]
        assert "! 2 cut" in screen_text(app)
        await pilot.press("f")
        assert len(keys(page.table)) == len(rows)

    drive(scenario, workspace)


def test_inside_every_candidate_has_its_bar_and_every_pick_its_sign(workspace: Path) -> None:
    number = next(row.id for row in clusters_in(workspace) if row.queries > 1)
    detail = detail_of(workspace, number)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await inside(pilot, page, number)
        lines = {line.key: line for line in lines_of(page.pane.table)}
        for member in detail.members:
            for place, run in enumerate(names_of(workspace)):
                verdict = member.verdicts[run]
                for shown in verdict.shown:
                    cell = lines[shown.query, member.row].cells[2 + place]
                    assert f"{shown.score:4.0%}" in cell
                    assert ("●" in cell) == bool(
                        verdict.rank and shown.query == verdict.shown[-1].query
                    )
        assert f"Cluster {number} · {detail.cluster.size} rows" in screen_text(app)
        await pilot.press("escape")
        assert page.table.has_focus and not page.pane.display

    drive(scenario, workspace)


def test_the_row_under_the_cursor_is_told_and_enter_reads_it(workspace: Path) -> None:
    number = next(row.id for row in clusters_in(workspace) if row.queries == 1)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await inside(pilot, page, number)
        query, row = page.pane.place
        assert query is not None and row is not None
        with closing(Store(workspace)) as store:
            text = store.instruction(store.run(page.sides[0].run)["pool"], row).instruction
        assert f"Row {row} · " in screen_text(app)
        assert " ".join(text.split()[:3]) in screen_text(app).replace("\n", " ")
        assert f"of query {query}" in screen_text(app)
        await pilot.press("enter")
        assert page.pane.sheet.has_focus and not page.pane.table.display
        await pilot.press("escape")
        assert page.pane.table.has_focus and page.pane.place == (query, row)

    drive(scenario, workspace)


def test_going_on_to_the_next_cluster_and_sorting_candidates(workspace: Path) -> None:
    number = next(row.id for row in clusters_in(workspace) if row.queries == 1 and row.id)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await inside(pilot, page, number - 1)
        await pilot.press("J")
        await until(pilot, lambda: page.pane.cluster == number)
        assert page.pane.table.has_focus
        detail, (_, second) = detail_of(workspace, number), names_of(workspace)
        await pilot.press("s")
        by = {member.row: member.verdicts[second].shown[0] for member in detail.members}
        rows = [row for _, row in keys(page.pane.table)]
        assert rows == sorted(rows, key=lambda row: -(by[row].score or 0))
        await pilot.press("s")
        assert [row for _, row in keys(page.pane.table)] == sorted(
            rows, key=lambda row: by[row].label
        )
        await pilot.press("K")
        await until(pilot, lambda: page.pane.cluster == number - 1)

    drive(scenario, workspace)


def test_o_shows_near_duplicates_below_their_row(workspace: Path) -> None:
    details = (detail_of(workspace, row.id) for row in clusters_in(workspace))
    detail = next(each for each in details if any(m.near_duplicates for m in each.members))
    member = next(each for each in detail.members if each.near_duplicates)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, cluster=detail.cluster.id, row=member.near_duplicates[0])
        await until(pilot, lambda: page.pane.cluster == detail.cluster.id)
        await pilot.pause()
        assert page.pane.place[1] == member.row
        assert f"{member.row} +{len(member.near_duplicates)}" in screen_text(app)
        await pilot.press("o")
        rows = [row for _, row in keys(page.pane.table)]
        place = rows.index(member.row)
        assert rows[place + 1] == member.near_duplicates[0]
        await pilot.press("j")
        assert f"└ {member.near_duplicates[0]}" in screen_text(app)
        assert f"near-duplicate of row {member.row}" in screen_text(app)
        await pilot.press("o")
        assert member.near_duplicates[0] not in [row for _, row in keys(page.pane.table)]

    drive(scenario, workspace)


def test_what_is_asked_for_while_clusters_are_read_is_read_too(workspace: Path) -> None:
    one, other = names_of(workspace)
    busy = Event()

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, one)
        # The only thread that could read is at something else.
        threads = ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(threads)
        threads.submit(busy.wait)
        app.post_message(Look(Subject(runs=(one, other))))
        await until(pilot, lambda: len(page.sides) == 2)
        app.post_message(Look(Subject(runs=(other,))))
        await until(pilot, lambda: [side.run for side in page.sides] == [other])
        assert page.overview is None and "Reading the clusters" in screen_text(app)
        busy.set()
        await until(pilot, lambda: page.overview)
        assert page.overview and [*page.overview.rows] == clusters_in(workspace, other)

    try:
        drive(scenario, workspace)
    finally:
        busy.set()


def test_v_lists_the_neighbours_and_enter_goes_to_one(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("v")
        assert page.is_current and "near rows" not in screen_text(app)
        await inside(pilot, page, 0)
        assert "near rows" in screen_text(app)
        _, row = page.pane.place
        await pilot.press("v")
        near = app.screen
        assert isinstance(near, Nearby)
        await until(pilot, lambda: len(near.table.source))
        assert f"Nearest to row {row}" in screen_text(app)
        cosines = [float(line.cells[0].split()[-1]) for line in lines_of(near.table)]
        assert cosines == sorted(cosines, reverse=True)
        wanted = next(line for line in lines_of(near.table) if line.cells[2] not in ("", "0"))
        near.table.go_to(wanted.key)
        await pilot.press("enter")
        await until(pilot, lambda: page.pane.cluster == int(wanted.cells[2]))
        await until(pilot, lambda: page.pane.place[1] == wanted.key)
        await pilot.press("v", "escape")
        assert page.is_current

    drive(scenario, workspace)


def test_p_opens_the_prompt_and_other_screens_follow(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("p")
        assert app.up is page
        await inside(pilot, page, 3)
        query, row = page.pane.place
        await pilot.press("p")
        await until(pilot, lambda: app.up is app.page("prompt"))
        assert (app.desk.subject.query, app.desk.subject.row) == (query, row)
        await pilot.press("3", "j")
        _, row = page.pane.place
        await pilot.press("6")
        await until(pilot, lambda: app.desk.subject.row == row)
        assert app.desk.subject.cluster == 3

    drive(scenario, workspace)


def test_beside_each_other_where_there_is_room(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await until(pilot, lambda: page.pane.cluster == 0)
        assert page.table.display and page.pane.display and page.table.has_focus
        await pilot.press("j")
        await until(pilot, lambda: page.pane.cluster == 1)
        await pilot.click(page.table, offset=(5, 3))
        await until(pilot, lambda: page.pane.cluster == 2)
        await pilot.press("enter")
        await until(pilot, lambda: page.pane.table.has_focus)
        await pilot.press("tab")
        assert isinstance(app.focused, Sheet)

    drive(scenario, workspace, (140, 40))


def test_a_baseline_beside_a_selector_has_picks_only(workspace: Path) -> None:
    selector, baseline = names_of(workspace)[0], names_of(workspace, asks=False)[0]

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, baseline, selector)
        assert [side.letter for side in page.sides] == ["B", "A"]
        rows = clusters_in(workspace, selector, baseline)
        number = next(row.id for row in rows if row.picks[baseline])
        await inside(pilot, page, number)
        picks = set(rows[number].picks[baseline])
        signed = {
            line.key[1]
            for line in lines_of(page.pane.table)
            if isinstance(line.key, tuple) and line.cells[3].strip() == "●"
        }
        assert signed <= picks and signed

    drive(scenario, workspace)


def test_what_cannot_be_shown_is_said(workspace: Path) -> None:
    (baseline, *_) = names_of(workspace, asks=False)

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = app.page("clusters")
        assert isinstance(page, ClustersPage)
        app.post_message(Look(Subject(), "clusters"))
        await until(pilot, lambda: NO_RUN[:40] in screen_text(app))
        app.post_message(Look(Subject(runs=(baseline,))))
        await until(pilot, lambda: f"Run {baseline} has no clusters" in screen_text(app))
        await opened(app, pilot)

    drive(scenario, workspace)


@pytest.mark.parametrize("text", ["[bold]no[/] \x1b]0;title\x07 \u202eback", "x" * 1_000_000])
def test_texts_are_shown_and_never_obeyed(workspace: Path, text: str) -> None:
    detail = detail_of(workspace, 3)
    row = detail.members[0].row
    with closing(sqlite3.connect(workspace / "localsel.db")) as database, database:
        database.execute("UPDATE instructions SET instruction = ? WHERE row = ?", (text, row))

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot, cluster=3, row=row)
        await until(pilot, lambda: page.pane.place[1] == row)
        await pilot.pause()
        shown = screen_text(app)
        assert "\x1b" not in shown and "\u202e" not in shown
        assert ("[bold]no[/] ␛]0;title␇ \ufffdback" in shown) == text.startswith("[")
        assert ("more letters" in str(page.pane.sheet.query("#text").first().render())) == (
            text.startswith("x")
        )

    drive(scenario, workspace)


# Lines


SIDES = (Side("a", "A", "one"), Side("b", "B", "other"), Side("r", "C", "random", asks=False))


def made(*members: Member) -> Candidates:
    row = ClusterRow(7, len(members), 1.5, 1, 2, 0.5, 0.0, {s.run: () for s in SIDES}, Faults())
    return Candidates(ClusterDetail(row, members), SIDES, {})


def member(row: int, **verdicts: Verdict) -> Member:
    nobody = {side.run: Verdict() for side in SIDES}
    return Member(row, row / 10, (), None, 0, nobody | verdicts)


def test_the_last_round_comes_first_and_what_was_left_out_last() -> None:
    heat, final = Shown(0, 0, 1, 0.25), Shown(1, 1, 2, 0.75)
    through = member(1, a=Verdict((heat, final), 1, "model"), b=Verdict((replace(heat, label=2),)))
    beaten = member(2, a=Verdict((replace(heat, label=2),)), b=Verdict((heat,)))
    outside = replace(member(3, r=Verdict(rank=4)), query=None, left_out="per-cluster")
    found = made(through, beaten, outside).lines("A", [14, 14, 2], False)
    assert [line.key for line in found] == [
        *((1, -1), (1, 1), (0, -1), (0, 1), (0, 2)),
        *((-1, -1), (-1, 3)),
    ]
    assert found[0].cells[-1] == "── round 2, query 1: 1 candidates"
    assert found[1].cells[2].startswith("● ") and "75%" in found[1].cells[2]
    assert found[1].cells[3].strip() == ""
    assert found[3].cells[2].startswith("▸ ") and found[3].cells[1] == "1/2"
    assert found[6].cells[4] == "●" and found[6].cells[-1].startswith("(per-cluster)")


def test_a_query_that_takes_all_says_so_and_one_not_asked_yet_is_empty() -> None:
    taken = member(5, a=Verdict((Shown(0, 0, 1, None),), 1, "forced"))
    (line,) = made(taken).lines("#", [14, 14, 2], False)
    assert line.cells[2] == "● all taken"
    assert line.cells[3].strip() == ""
    assert made(taken).where(5) == (0, 5)
    assert made(taken).where(6) is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_sides_leave_room_for_the_text(count: int) -> None:
    sides = [Side(str(place), "A", "x") for place in range(count)]
    assert sum(widths(sides, 80)) <= 40


def test_runs_that_are_gone_are_left_out(workspace: Path) -> None:
    first, second = names_of(workspace)
    with closing(Store(workspace)) as store:
        found = sides_of(store, (first, "00000000", second, first))
    assert [(side.run, side.letter) for side in found] == [(first, "A"), (second, "B")]


def test_what_is_not_known_comes_last() -> None:
    row = made().detail.cluster
    rows = [replace(row, id=0, entropy=None), replace(row, id=1), replace(row, id=2, entropy=0.9)]
    for reverse, expected in ((False, [1, 2, 0]), (True, [2, 1, 0])):
        assert [each.id for each in clustered.arranged(rows, "entropy", reverse)] == expected
