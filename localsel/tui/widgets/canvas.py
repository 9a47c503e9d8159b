"""Points of a plane → dots in a terminal: a view that moves and comes closer, and a cross-hair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from localsel.printable import visible
from localsel.tui.dots import BLANK, Cells, Cloud, Paint, View, draw, nearest

COLOURS = 6
SHADES = 4
TONES = (
    *("cursor", "blurred", "arm", "empty", "dim", "label", "several", "here", "found"),
    *(f"c{number}" for number in range(COLOURS)),
    *(f"d{number}" for number in range(SHADES)),
)
CLOSER = 1.5
FAR = 8
"""Cells that a long step is wide; it is half as high."""


class Canvas(Widget, can_focus=True):
    """A map. Arrows move the cross-hair, + and - come closer and go away, enter opens a point."""

    DEFAULT_CSS = """
    Canvas { height: 1fr; width: 1fr; background: $background; }
    Canvas > .canvas--cursor { background: $primary; color: $background; text-style: bold; }
    Canvas > .canvas--blurred { background: $panel; text-style: bold; }
    Canvas > .canvas--arm { color: $primary; }
    Canvas > .canvas--empty { color: $text-muted; }
    Canvas > .canvas--dim { color: $text-muted; }
    Canvas > .canvas--label { color: $foreground; text-style: bold; }
    Canvas > .canvas--several { color: $foreground; text-style: bold; }
    Canvas > .canvas--here { color: $accent; text-style: bold reverse; }
    Canvas > .canvas--found { color: $background; background: $warning; text-style: bold; }
    Canvas > .canvas--c0 { color: $primary; }
    Canvas > .canvas--c1 { color: $accent; }
    Canvas > .canvas--c2 { color: $success; }
    Canvas > .canvas--c3 { color: $secondary; }
    Canvas > .canvas--c4 { color: $error; }
    Canvas > .canvas--c5 { color: $foreground; }
    Canvas > .canvas--d0 { color: $text-muted; }
    Canvas > .canvas--d1 { color: $secondary; }
    Canvas > .canvas--d2 { color: $primary; }
    Canvas > .canvas--d3 { color: $accent; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"canvas--{name}" for name in TONES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open"),
        Binding("plus,equals_sign", "zoom(1)", "closer", key_display="+"),
        Binding("minus", "zoom(-1)", "away", key_display="-"),
        Binding("0", "whole", "whole map", show=False),
        Binding("left,h", "move(-1, 0)", "left", show=False),
        Binding("down,j", "move(0, 1)", "down", show=False),
        Binding("up,k", "move(0, -1)", "up", show=False),
        Binding("right,l", "move(1, 0)", "right", show=False),
        Binding("shift+left,H", f"move({-FAR}, 0)", "far left", show=False),
        Binding("shift+down,J", f"move(0, {FAR // 2})", "far down", show=False),
        Binding("shift+up,K", f"move(0, {-FAR // 2})", "far up", show=False),
        Binding("shift+right,L", f"move({FAR}, 0)", "far right", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cross-hair came to a point."""

        point: int

    @dataclass
    class Chosen(Message):
        """Enter at a point, or a second click."""

        point: int

    def __init__(self, empty: str = "Nothing here.", id: str | None = None) -> None:
        super().__init__(id=id)
        self.empty = empty
        self.point: int | None = None
        self._cloud: Cloud | None = None
        self._paint = Paint()
        self._view = View(0, 0, 1, 1, 1)
        self._is_whole = True
        self._spot = (0.0, 0.0)
        self._cells: Cells | None = None
        self._marks: dict[tuple[int, int], tuple[str, str]] = {}

    # What is shown

    def show(self, cloud: Cloud | None, paint: Paint, empty: str = "") -> None:
        """Shows other points, the whole of them; or says why there are none."""
        self.empty = empty or self.empty
        self._cloud, self._paint, self.point = cloud, paint, None
        self.action_whole()
        if cloud:
            self._put(self._view.x, self._view.y)

    def paint(self, paint: Paint) -> None:
        """Tells the same points apart in another way; view and cross-hair stay."""
        self._paint = paint
        self._redraw()

    @property
    def closeness(self) -> float:
        """How many times larger than as a whole."""
        return self._whole().step / self._view.step if self._cloud else 1.0

    def marks_here(self) -> list[int]:
        """The marked points in the cell under the cross-hair."""
        cell = self._view.place(*self._spot)
        return [mark.point for mark in self._paint.marks if self._cell_of(mark.point) == cell]

    def _redraw(self) -> None:
        self._cells = None
        self.refresh()

    def _whole(self) -> View:
        width, height = max(self.size.width, 1), max(self.size.height, 1)
        if not self._cloud:
            return View(0, 0, 1, width, height)
        return View.whole(self._cloud.xs, self._cloud.ys, width, height)

    def _cell_of(self, point: int) -> tuple[int, int]:
        assert self._cloud is not None
        return self._view.place(float(self._cloud.xs[point]), float(self._cloud.ys[point]))

    # Moving

    def on_resize(self) -> None:
        if self._is_whole:
            self._view = self._whole()
        else:
            self._view = self._view.sized(self.size.width, self.size.height)
        self._redraw()

    def go_to(self, point: int) -> None:
        """Puts the cross-hair on a point, and brings it into the view."""
        if self._cloud:
            self._put(float(self._cloud.xs[point]), float(self._cloud.ys[point]), point)

    def _put(self, x: float, y: float, point: int | None = None) -> None:
        """The cross-hair at a place, and so at the nearest point: at a marked one, if one is by."""
        assert self._cloud is not None
        self._spot = x, y
        self._follow()
        if point is None:
            point = nearest(self._cloud.xs, self._cloud.ys, x, y)
            point = next(reversed(self.marks_here()), point)
        self.refresh()
        if point is not None and point != self.point:
            self.point = point
            self.post_message(self.Moved(point))

    def _follow(self) -> None:
        """Moves the view where the cross-hair has left it."""
        column, row = self._view.place(*self._spot)
        width, height = self._view.width, self._view.height
        if not (-width <= column < 2 * width and -height <= row < 2 * height):
            column_by, row_by = column - width // 2, row - height // 2
        else:
            column_by = min(column, 0) + max(column - width + 1, 0)
            row_by = min(row, 0) + max(row - height + 1, 0)
        if column_by or row_by:
            self._is_whole = False
            self._view = self._view.moved(column_by, row_by)
            self._redraw()

    def action_move(self, columns: int, rows: int) -> None:
        if self._cloud:
            column, row = self._view.place(*self._spot)
            self._put(*self._view.point(column + columns, row + rows))

    def action_zoom(self, by: int) -> None:
        self._zoom(by, *self._spot)

    def _zoom(self, by: int, x: float, y: float) -> None:
        if not self._cloud:
            return
        closer = self._view.zoomed(CLOSER**by, x, y)
        # Closer than this single precision cannot tell points apart.
        if 0.5 < self._whole().step / closer.step < 1e5:
            self._is_whole = False
            self._view = closer
            self._redraw()
            self._put(*self._spot)

    def action_whole(self) -> None:
        self._is_whole, self._view = True, self._whole()
        self._redraw()

    def action_choose(self) -> None:
        if self.point is not None:
            self.post_message(self.Chosen(self.point))

    def on_click(self, event: events.Click) -> None:
        if self._cloud:
            self._put(*self._view.point(event.x, event.y))
            if event.chain > 1:
                self.action_choose()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._zoom(1, *self._view.point(event.x, event.y))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._zoom(-1, *self._view.point(event.x, event.y))

    # Drawing

    def render(self) -> str:
        return ""

    def _drawn(self) -> Cells:
        if self._cells is None:
            cloud, paint = self._cloud, self._paint
            assert cloud is not None
            groups = np.zeros(len(cloud), np.uint8) if paint.groups is None else paint.groups
            kinds = max(len(paint.tones), 1)
            self._cells = draw(cloud.xs, cloud.ys, self._view, groups, kinds)
            self._marks = self._placed()
        return self._cells

    def _placed(self) -> dict[tuple[int, int], tuple[str, str]]:
        """Signs by cell, with their tones. Labels come only where there is room."""
        placed: dict[tuple[int, int], tuple[str, str]] = {}
        for mark in self._paint.marks:
            column, row = self._cell_of(mark.point)
            start, wide = column - (len(mark.sign) - 1) // 2, len(mark.sign)
            around = ((place, row) for place in range(start - 1, start + wide + 1))
            if mark.is_label and any(cell in placed for cell in around):
                continue
            for place, letter in enumerate(mark.sign):
                placed[start + place, row] = letter, mark.tone
        return placed

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self._cloud:
            return self._said(y)
        cells = self._drawn()
        column, row = self._view.place(*self._spot)
        runs: list[tuple[str, str]] = []
        for x in range(width):
            sign, tone = self._cell(cells, x, y, abs(x - column), abs(y - row))
            if runs and runs[-1][1] == tone:
                runs[-1] = runs[-1][0] + sign, tone
            else:
                runs.append((sign, tone))
        styles = self._styles({tone for _, tone in runs})
        return Strip([Segment(text, styles[tone]) for text, tone in runs], width)

    def _cell(self, cells: Cells, x: int, y: int, aside: int, above: int) -> tuple[str, str]:
        """One cell's sign and tone; `aside` and `above` say how far the cross-hair is."""
        sign, tone = self._marks.get((x, y)) or self._dots(cells, x, y)
        if not aside and not above:
            return "┼" if sign == " " else sign, "cursor" if self.has_focus else "blurred"
        if sign == " " and not above and aside < 4:
            return "─", "arm"
        return ("│", "arm") if sign == " " and not aside and above < 2 else (sign, tone)

    def _dots(self, cells: Cells, x: int, y: int) -> tuple[str, str]:
        if y >= self._view.height or x >= self._view.width or cells.signs[y, x] == BLANK:
            return " ", ""
        sign, tones = chr(cells.signs[y, x]), self._paint.tones
        if not tones:
            share = np.log(cells.counts[y, x]) / np.log(max(cells.counts.max(), 2))
            return sign, f"d{min(int(share * SHADES), SHADES - 1)}"
        return sign, tones[cells.groups[y, x]]

    def _styles(self, tones: set[str]) -> Mapping[str, Style]:
        return {
            tone: self.get_component_rich_style(f"canvas--{tone}") if tone else self.rich_style
            for tone in tones
        }

    def _said(self, y: int) -> Strip:
        """The reason why there is nothing, broken into lines."""
        lines = wrap(visible(self.empty, 1000), max(self.size.width - 2, 1))
        text = f" {lines[y - 1]}" if 0 < y <= len(lines) else ""
        style = self.get_component_rich_style("canvas--empty")
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, style)
