"""Screen 5: the pool as a map, with the picks of the runs that are looked at."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from localsel.records import Change
from localsel.review import change
from localsel.store import Store
from localsel.tui.app import Localsel
from localsel.tui.atlas import Atlas
from localsel.tui.dots import Cloud
from localsel.tui.legend import WAYS, entries, paint
from localsel.tui.messages import Look
from localsel.tui.screens.map import MapPage
from localsel.tui.subject import Subject
from tests.tui.conftest import drive, screen_text, told, until


def judged(home: Path) -> list[dict[str, Any]]:
    """The runs in which a model chose, the first one first."""
    with closing(Store(home)) as store:
        return [run for run in reversed(store.runs()) if run["facts"].get("selector")]


async def up(app: Localsel, pilot: Pilot[None], *runs: str) -> MapPage:
    """The screen, turned to these runs."""
    page = app.page("map")
    assert isinstance(page, MapPage)
    await pilot.press("5")
    await until(pilot, lambda: app.up is page and page.is_mounted)
    app.post_message(Look(Subject(runs=runs)))
    return page


async def opened(app: Localsel, pilot: Pilot[None]) -> MapPage:
    """The screen, once the map is there."""
    page = await up(app, pilot, *(run["run"] for run in judged(app.desk.home)))
    await until(pilot, lambda: page.atlas is not None and len(page.parties) == 2)
    await pilot.pause()
    return page


def row_under(page: MapPage) -> int:
    assert page.atlas is not None and page.canvas.point is not None
    return int(page.atlas.rows[page.canvas.point])


def picks(page: MapPage) -> list[int]:
    return list(dict.fromkeys(row for party in page.parties for row in party.picks))


def test_every_row_is_a_point_and_every_pick_is_counted(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        atlas, (first, second) = page.atlas, page.parties
        assert atlas is not None
        with closing(Store(workspace)) as store:
            rows = [each.row for each in store.instructions(atlas.pool)]
        assert atlas.rows.tolist() == rows
        assert page.canvas._drawn().counts.sum() == len(rows)
        both = len(first.picks.keys() & second.picks.keys())
        text = screen_text(app)
        assert f"● A {first.name}  {len(first.picks) - both}" in text
        assert f"▲ B {second.name}  {len(second.picks) - both}" in text
        assert f"◆ by both  {both}" in text
        assert f"{len(rows)} rows. Left to right" in text
        assert app.focused is page.canvas

    drive(scenario, workspace)


def test_n_and_tab_go_from_pick_to_pick(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        wanted = picks(page)
        await pilot.press("n")
        assert row_under(page) == wanted[0]
        await pilot.press("n", "tab")
        assert row_under(page) == wanted[2]
        await pilot.press("N", "shift+tab", "N")
        assert row_under(page) == wanted[-1]
        assert f"row {wanted[-1]}" in screen_text(app)
        assert "picked by" in screen_text(app)

    drive(scenario, workspace)


def test_enter_opens_the_row_in_its_cluster(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("n", "enter")
        await until(pilot, lambda: app.up is app.page("clusters"))
        row = picks(page)[0]
        assert app.desk.subject.row == row
        assert app.desk.subject.cluster == page.parties[0].picks[row].cluster

    drive(scenario, workspace)


STEPS = {
    ("left", "h"): (-2, 0),
    ("right", "l", "l"): (3, 0),
    ("up", "k"): (0, -2),
    ("down", "j"): (0, 2),
    ("shift+left", "H"): (-16, 0),
    ("shift+right", "L"): (16, 0),
    ("shift+up", "K"): (0, -8),
    ("shift+down", "J"): (0, 8),
}


def test_keys_move_the_cross_hair(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        canvas = (await opened(app, pilot)).canvas
        for keys, (columns, rows) in STEPS.items():
            before = canvas._view.place(*canvas._spot)
            await pilot.press(*keys)
            after = canvas._view.place(*canvas._spot)
            assert (after[0] - before[0], after[1] - before[1]) == (columns, rows), keys

    drive(scenario, workspace)


def test_the_map_follows_the_cross_hair_and_0_brings_all_of_it_back(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        canvas = (await opened(app, pilot)).canvas
        whole = canvas._view
        await pilot.press(*["L"] * 12)
        assert canvas._view.x > whole.x
        column, _ = canvas._view.place(*canvas._spot)
        assert 0 <= column < canvas.size.width
        await pilot.press("0")
        assert canvas._view == whole

    drive(scenario, workspace)


def test_plus_and_minus_come_closer_and_go_away(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        canvas = (await opened(app, pilot)).canvas
        await pilot.press("plus", "equals_sign")
        assert canvas.closeness == pytest.approx(2.25)
        shown = canvas._drawn().counts.sum()
        await pilot.press("minus", "minus")
        assert canvas.closeness == pytest.approx(1)
        assert canvas._drawn().counts.sum() > shown
        await pilot.press(*["minus"] * 9)
        assert canvas.closeness > 0.5
        await pilot.press(*["plus"] * 60)
        assert canvas.closeness < 1e5

    drive(scenario, workspace)


def test_c_goes_through_what_signs_and_colours_tell(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("n")
        says = {
            "selector": "Picked by one alone",
            "chosen by": "How A's were chosen",
            "cluster": "centre of cluster 7",
            "density": "most rows",
        }
        for way in [*WAYS[1:], WAYS[0]]:
            await pilot.press("c")
            await pilot.pause()
            assert page.way == way
            assert says[way] in screen_text(app)

    drive(scenario, workspace)


def test_in_a_cluster_all_its_rows_stand_out(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("c", "c", "n")
        await pilot.pause()
        atlas, point = page.atlas, page.canvas.point
        assert atlas is not None and point is not None
        cluster = atlas.cluster(point)
        assert f"cluster {cluster}  {(atlas.clusters == cluster).sum()}" in screen_text(app)
        assert page.canvas._paint.groups is not None
        here = page.canvas._paint.tones.index("here")
        assert ((page.canvas._paint.groups == here) == (atlas.clusters == cluster)).all()

    drive(scenario, workspace)


def test_slash_finds_a_text_and_escape_forgets_it(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("slash")
        await pilot.press(*"compost", "enter")
        await until(pilot, lambda: page.found)
        assert page.atlas is not None
        rows = [int(page.atlas.rows[point]) for point in page.found]
        with closing(Store(workspace)) as store:
            known = [store.instruction(page.atlas.pool, row) for row in rows]
        assert all("compost" in f"{each.text}{each.response}".lower() for each in known)
        assert row_under(page) == rows[0]
        await pilot.press("n")
        assert row_under(page) == rows[1 % len(rows)]
        await pilot.press("escape", "n")
        assert page.found == []
        assert row_under(page) in picks(page)

    drive(scenario, workspace)


def test_what_is_nowhere_is_said(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("slash", *"zzzz[b]", "enter")
        await until(pilot, lambda: "No row has 'zzzz[b]'." in screen_text(app))

    drive(scenario, workspace)


def test_y_copies_the_row(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("n", "y")
        assert page.atlas is not None
        text = app.desk.store.instruction(page.atlas.pool, row_under(page)).text
        assert app.clipboard == text

    drive(scenario, workspace)


def test_the_mouse_puts_the_cross_hair_zooms_and_opens(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        canvas = page.canvas
        point = canvas._paint.marks[-1].point
        cell = canvas._cell_of(point)
        await pilot.click(canvas, offset=cell)
        assert canvas._view.place(*canvas._spot) == cell
        assert canvas.point in {mark.point for mark in canvas._paint.marks}
        spot = canvas._view.point(*cell)
        await pilot._post_mouse_events([_wheel(-1)], canvas, offset=cell)
        assert canvas.closeness == pytest.approx(1.5)
        assert canvas._view.place(*spot) == cell
        await pilot._post_mouse_events([_wheel(1)], canvas, offset=cell)
        assert canvas.closeness == pytest.approx(1)
        await pilot.click(canvas, offset=cell, times=2)
        await until(pilot, lambda: app.up is app.page("clusters"))

    drive(scenario, workspace, (120, 40))


def _wheel(by: int) -> Any:
    from textual.events import MouseScrollDown, MouseScrollUp

    return MouseScrollDown if by > 0 else MouseScrollUp


def test_a_change_in_review_is_on_the_map(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        run, row = page.parties[0].run, picks(page)[0]
        with closing(Store(workspace)) as store:
            change(store, store.run(run), Change("ban", row))
        await until(pilot, lambda: row not in page.parties[0].picks)
        human = [pick for pick in page.parties[0].picks.values() if pick.chosen_by == "human"]
        await pilot.press("c")
        await pilot.pause()
        assert len(human) == 1 and "◆ human  1" in screen_text(app)

    drive(scenario, workspace)


def test_another_screen_can_send_it_to_a_row(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        row = picks(page)[3]
        app.post_message(Look(replace(app.desk.subject, row=row)))
        await until(pilot, lambda: row_under(page) == row)
        await pilot.press("K", "K")
        app.page("map").show()
        assert row_under(page) != row

    drive(scenario, workspace)


def test_the_view_stays_while_the_workspace_changes(workspace: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await opened(app, pilot)
        await pilot.press("n", "plus", "plus")
        view, point = page.canvas._view, page.canvas.point
        for _ in range(3):
            page.show()
            await pilot.pause(0.05)
        assert (page.canvas._view, page.canvas.point) == (view, point)

    drive(scenario, workspace)


def test_without_a_run_it_says_which_key(tmp_path: Path) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        await pilot.press("5")
        await pilot.pause()
        assert "No run to show. Press 1 and choose one" in screen_text(app)
        await pilot.press("n", "c", "slash", "enter", "plus", "left", "y", "0", "escape")
        assert app.up is app.page("map")

    drive(scenario, tmp_path / "empty")


def test_a_run_whose_pool_has_no_vectors_says_so(workspace: Path) -> None:
    for path in [*workspace.glob("vectors/*"), *workspace.glob("maps/*")]:
        path.unlink()

    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await up(app, pilot, judged(workspace)[0]["run"])
        await until(pilot, lambda: "vectors" in screen_text(app))
        assert page.atlas is None

    drive(scenario, workspace)


@pytest.mark.parametrize("key", ["n", "c"])
def test_a_workspace_that_goes_while_the_map_is_looked_at_ends_nothing(
    workspace: Path, key: str
) -> None:
    async def scenario(app: Localsel, pilot: Pilot[None]) -> None:
        page = await up(app, pilot, judged(workspace)[0]["run"])
        await until(pilot, lambda: page.atlas and page.canvas.point is not None)
        page.desk.store.close()
        await pilot.press(key)
        await until(pilot, lambda: "cannot be read" in told(app))
        assert app.is_running

    drive(scenario, workspace)


def atlas_of(clusters: list[int]) -> Atlas:
    count = len(clusters)
    places = np.arange(count, dtype=np.float32)
    centres = {cluster: clusters.index(cluster) for cluster in clusters if cluster >= 0}
    return Atlas(
        "run",
        "pool",
        "plan",
        Cloud(places, places),
        np.arange(count) * 2,
        np.array(clusters, np.int32),
        centres,
        (0.5, 0.25),
    )


def test_a_row_without_a_point_has_none() -> None:
    atlas = atlas_of([0, 1, -1])
    assert [atlas.point(row) for row in (0, 1, 2, 4, 6)] == [0, None, 1, 2, None]
    assert [atlas.cluster(point) for point in range(3)] == [0, 1, None]


@pytest.mark.parametrize("way", WAYS)
def test_without_picks_there_is_still_a_map(way: str) -> None:
    atlas = atlas_of([0, 1, -1])
    painted = paint(atlas, (), way, found=[2])
    assert painted.marks[-1].sign == "?"
    assert isinstance(entries(atlas, (), way), list)
