"""Points and a view of them → cells of braille dots, denser where the points are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
Grid = NDArray[np.int32]

ACROSS, DOWN = 2, 4
"""Dots of a cell. A cell is about twice as high as wide, so dots are about square."""
BITS = np.array([0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80])
"""Of the dots of a braille sign, row by row."""
MIXED = np.array([0, 5, 6, 3, 4, 1, 2, 7]) / 16
"""In which order dots of equal weight are lit: spread over the cell."""
BLANK = 0x2800


@dataclass(frozen=True, slots=True)
class View:
    """The part of the plane on show. Both directions have one scale: distances stay comparable.

    Attributes:
        x, y: what lies in the middle.
        step: how much of the plane is one dot.
        width, height: in cells.
    """

    x: float
    y: float
    step: float
    width: int
    height: int

    @classmethod
    def whole(cls, xs: Floats, ys: Floats, width: int, height: int) -> View:
        """All points, with a margin of half a cell."""
        if not len(xs):
            return cls(0, 0, 1, width, height)
        left, right, low, high = (float(each) for each in (xs.min(), xs.max(), ys.min(), ys.max()))
        room = max(width * ACROSS - 2, 1), max(height * DOWN - 2, 1)
        step = max((right - left) / room[0], (high - low) / room[1]) or 1.0
        return cls((left + right) / 2, (low + high) / 2, step, width, height)

    @property
    def cell(self) -> tuple[float, float]:
        """How much of the plane is one cell."""
        return self.step * ACROSS, self.step * DOWN

    def zoomed(self, factor: float, x: float, y: float) -> View:
        """Closer by `factor`; what is at x, y stays where it is."""
        step = self.step / factor
        return replace(
            self,
            x=x + (self.x - x) / factor,
            y=y + (self.y - y) / factor,
            step=step,
        )

    def moved(self, columns: float, rows: float) -> View:
        """The view so many cells to the right and down."""
        wide, high = self.cell
        return replace(self, x=self.x + columns * wide, y=self.y - rows * high)

    def sized(self, width: int, height: int) -> View:
        return replace(self, width=width, height=height)

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Column and row of a point's cell; outside of the view where the point is."""
        wide, high = self.cell
        column = (x - self.x) / wide + self.width / 2
        row = (self.y - y) / high + self.height / 2
        return int(np.floor(column)), int(np.floor(row))

    def point(self, column: int, row: int) -> tuple[float, float]:
        """The middle of a cell."""
        wide, high = self.cell
        across = column + 0.5 - self.width / 2
        down = row + 0.5 - self.height / 2
        return self.x + across * wide, self.y - down * high


@dataclass(frozen=True, slots=True)
class Cloud:
    """All points. What names one is its place in here."""

    xs: Floats
    ys: Floats

    def __len__(self) -> int:
        return len(self.xs)


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign that is drawn over the dots of a point, in one of the canvas's tones.

    A label has several letters, and is left out where there is no room for it.
    """

    point: int
    sign: str
    tone: str
    is_label: bool = False


@dataclass(frozen=True, slots=True)
class Paint:
    """How points are told apart.

    Attributes:
        groups: of every point its group; nothing if they are all alike.
        tones: of every group its tone; empty for one that follows how many points a cell holds.
        marks: drawn one over the other, the last on top.
    """

    groups: NDArray[np.uint8] | None = None
    tones: Sequence[str] = ("dim",)
    marks: Sequence[Mark] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Cells:
    """What is drawn: for every cell its sign, how many points it holds, and their usual group."""

    signs: Grid
    counts: Grid
    groups: Grid


def draw(xs: Floats, ys: Floats, view: View, groups: NDArray[np.uint8], kinds: int) -> Cells:
    """All points in the view, as cells.

    A cell lights as many of its dots as it holds points, on a logarithmic scale where some cell
    holds more than it has dots. Its group, below `kinds`, is the one that most of its points have.
    """
    dots, kept = _dots(xs, ys, view)
    wide, high = view.width, view.height
    weights = np.bincount(dots, minlength=wide * high * 8).reshape(high * wide, 8)
    counts = weights.sum(axis=1)
    signs = BLANK + (_lit(weights, counts) * BITS).sum(axis=1)
    usual = np.bincount(dots // 8 * kinds + groups[kept], minlength=wide * high * kinds)
    most = usual.reshape(high * wide, kinds).argmax(axis=1)
    shape = (high, wide)
    return Cells(
        signs.reshape(shape).astype(np.int32),
        counts.reshape(shape).astype(np.int32),
        most.reshape(shape).astype(np.int32),
    )


def _dots(xs: Floats, ys: Floats, view: View) -> tuple[Numbers, NDArray[np.bool_]]:
    """Of every point in the view its dot: eight to a cell, cell by cell; and which points."""
    scale = np.float32(1 / view.step)
    across = np.floor((xs - np.float32(view.x)) * scale + np.float32(view.width * ACROSS / 2))
    down = np.floor((np.float32(view.y) - ys) * scale + np.float32(view.height * DOWN / 2))
    kept = (across >= 0) & (across < view.width * ACROSS)
    kept &= (down >= 0) & (down < view.height * DOWN)
    columns, rows = across[kept].astype(np.int32), down[kept].astype(np.int32)
    cell = rows // DOWN * view.width + columns // ACROSS
    return (cell * 8 + rows % DOWN * ACROSS + columns % ACROSS).astype(np.int64), kept


def _lit(weights: Numbers, counts: Numbers) -> NDArray[np.bool_]:
    """Which dots of every cell are lit: those with most points."""
    largest = int(counts.max(initial=0))
    if largest <= 8:
        return weights > 0
    share = np.log(np.maximum(counts, 1)) / np.log(largest)
    allowed = 1 + np.rint(share * 7).astype(np.int64)
    order = np.argsort(-(weights + MIXED), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(8)[None, :], axis=1)
    lit: NDArray[np.bool_] = (weights > 0) & (rank < allowed[:, None])
    return lit


def nearest(xs: Floats, ys: Floats, x: float, y: float) -> int | None:
    """The point that lies nearest; None if there is none."""
    if not len(xs):
        return None
    return int(np.argmin((xs - np.float32(x)) ** 2 + (ys - np.float32(y)) ** 2))
