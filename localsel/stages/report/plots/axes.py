"""A range of values → round ticks, and the frame of a plot that carries them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from localsel.stages.report.figures import number
from localsel.stages.report.plots.drawing import Point, line, words

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def step(low: float, high: float, wanted: int = 4) -> float:
    """A round distance between ticks: about `wanted` of them in the range."""
    rough = (high - low) / wanted
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in STEPS if power * each >= rough * 0.999)


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round values from at most `low` to at least `high`."""
    each = step(low, high, wanted)
    first, last = math.floor(low / each + 1e-9), math.ceil(high / each - 1e-9)
    return [each * at for at in range(first, max(last, first + 1) + 1)]


def tick_text(value: float, each: float) -> str:
    """As many digits as the distance between ticks has."""
    digits = next((d for d in range(7) if abs(each * 10**d - round(each * 10**d)) < 1e-6), 7)
    return number(float(value), digits) if digits else number(round(value))


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's area in pixels, and the values at its edges."""

    size: tuple[int, int]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    left: int = 44
    right: int = 12
    top: int = 10
    bottom: int = 36

    def x(self, value: float) -> float:
        low, high = self.x_range
        width = self.size[0] - self.left - self.right
        return self.left + width * (value - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        low, high = self.y_range
        height = self.size[1] - self.top - self.bottom
        return self.size[1] - self.bottom - height * (value - low) / ((high - low) or 1.0)

    def at(self, x: float, y: float) -> Point:
        return self.x(x), self.y(y)


def across(frame: Frame, values: list[float], text: Callable[[float], str]) -> Iterator[Markup]:
    """Hairlines across the plot, with their values at the left."""
    for value in values:
        y = frame.y(value)
        yield line("hair", (frame.left, y), (frame.size[0] - frame.right, y))
        yield words("end small", (frame.left - 6, y + 3.5), text(value))


def below(frame: Frame, values: list[float], text: Callable[[float], str]) -> Iterator[Markup]:
    """The axis at the foot, with its ticks."""
    foot = frame.size[1] - frame.bottom
    yield line("axis", (frame.left, foot), (frame.size[0] - frame.right, foot))
    for value in values:
        yield line("axis", (frame.x(value), foot), (frame.x(value), foot + 4))
        yield words("middle small", (frame.x(value), foot + 15), text(value))


def label(frame: Frame, text: str) -> Markup:
    """What the axis at the foot counts."""
    middle = (frame.left + frame.size[0] - frame.right) / 2
    return words("middle small", (middle, frame.size[1] - 4), text)
