"""Points and a view of them → cells."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localsel.tui.dots import BLANK, Cells, View, draw, nearest
from localsel.tui.output import _ascii


def drawn(points: list[tuple[float, float]], view: View, groups: list[int] | None = None) -> Cells:
    xs, ys = (np.array(each, np.float32) for each in zip(*points, strict=True))
    kinds = np.array(groups or [0] * len(points), np.uint8)
    return draw(xs, ys, view, kinds, max(groups or [0]) + 1)


def picture(cells: Cells) -> list[str]:
    return ["".join(map(chr, row)) for row in cells.signs]


def test_each_of_the_eight_dots_of_a_cell_is_a_place_of_its_own() -> None:
    view = View(1, 2, 1, 1, 1)
    seen = [
        int(drawn([(x + 0.5, 4 - y - 0.5)], view).signs[0, 0]) - BLANK
        for y in range(4)
        for x in range(2)
    ]
    assert seen == [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80]


def test_up_is_up_and_right_is_right() -> None:
    view = View(0, 0, 0.25, 4, 2)
    assert picture(drawn([(0.9, 0.9), (-0.9, -0.9)], view)) == ["⠀⠀⠀⠈", "⡀⠀⠀⠀"]


def test_what_is_outside_the_view_is_not_drawn() -> None:
    cells = drawn([(0, 0), (50, 0), (0, -50), (-50, 0), (0, 50)], View(0, 0, 1, 3, 3))
    assert cells.counts.sum() == 1


def test_a_cell_with_more_points_has_more_dots() -> None:
    generator = np.random.default_rng(0)
    points = [
        (column * 2 + float(x), float(y))
        for column, count in enumerate([1, 9, 90, 900])
        for x, y in generator.uniform((0, 0), (2, 4), (count, 2))
    ]
    cells = drawn(points, View(4, 2, 1, 4, 1))
    lit = [(int(sign) - BLANK).bit_count() for sign in cells.signs[0]]
    assert cells.counts[0].tolist() == [1, 9, 90, 900]
    assert lit == sorted(set(lit)) and lit[0] == 1 and lit[-1] == 8


def test_where_no_cell_is_crowded_every_dot_is_where_its_point_is() -> None:
    points = [(0.5, 0.5), (0.5, 1.5), (1.5, 3.5)]
    assert picture(drawn(points, View(1, 2, 1, 1, 1))) == [chr(BLANK + 0x40 + 0x04 + 0x08)]


def test_the_group_of_a_cell_is_that_of_most_of_its_points() -> None:
    cells = drawn([(0.5, 0.5), (0.5, 1.5), (1.5, 1.5)], View(1, 2, 1, 1, 1), [2, 1, 2])
    assert cells.groups.tolist() == [[2]]


@given(
    points=st.lists(
        st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32)), min_size=1
    ),
    width=st.integers(1, 60),
    height=st.integers(1, 30),
)
def test_the_whole_map_holds_every_point(
    points: list[tuple[float, float]], width: int, height: int
) -> None:
    xs, ys = (np.array(each, np.float32) for each in zip(*points, strict=True))
    view = View.whole(xs, ys, width, height)
    cells = drawn(points, view)
    assert cells.counts.sum() == len(points)
    assert cells.signs.shape == (height, width)


@given(
    column=st.integers(0, 39), row=st.integers(0, 19), step=st.floats(1e-3, 1e3), x=st.floats(-9, 9)
)
def test_a_cell_and_its_middle_are_the_same_place(
    column: int, row: int, step: float, x: float
) -> None:
    view = View(x, -x, step, 40, 20)
    assert view.place(*view.point(column, row)) == (column, row)


@pytest.mark.parametrize("factor", [1.5, 1 / 1.5, 8])
def test_coming_closer_leaves_what_one_looks_at_where_it_is(factor: float) -> None:
    view = View(3, 4, 0.5, 40, 20)
    spot = view.point(7, 15)
    assert view.zoomed(factor, *spot).place(*spot) == (7, 15)
    assert view.zoomed(factor, *spot).step == pytest.approx(0.5 / factor)


def test_moving_the_view_moves_what_is_in_it_the_other_way() -> None:
    view = View(0, 0, 1, 40, 20)
    column, row = view.place(1, 1)
    assert view.moved(3, 2).place(1, 1) == (column - 3, row - 2)


def test_the_nearest_point_is_found() -> None:
    xs, ys = np.array([0, 5, 9], np.float32), np.array([0, 5, 9], np.float32)
    assert nearest(xs, ys, 6, 6) == 1
    assert nearest(xs[:0], ys[:0], 6, 6) is None


def test_density_reads_in_ascii_too() -> None:
    few, some, more, most = (_ascii(chr(BLANK + bits)) for bits in (0x01, 0x0F, 0x7F, 0xFF))
    assert len({few, some, more, most}) >= 3
    signs = [_ascii(sign) for sign in "●▲▶▼◀◆"]
    assert len(set(signs)) == len(signs)
    assert not set(signs) & {few, some, more, most}


def test_a_million_points_are_drawn_before_anybody_waits() -> None:
    generator = np.random.default_rng(0)
    xs, ys = generator.normal(size=(2, 1_000_000)).astype(np.float32)
    groups = generator.integers(0, 8, len(xs)).astype(np.uint8)
    view = View.whole(xs, ys, 120, 40)
    started = time.perf_counter()
    cells = draw(xs, ys, view, groups, 8)
    assert time.perf_counter() - started < 0.3
    assert cells.counts.sum() == len(xs)
