"""Shapes and words → pieces of SVG, escaped. Colours, fonts and widths are the style sheet's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

Point = tuple[float, float]

_SVG = Markup(
    '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img">'
    "<title>{title}</title><desc>{desc}</desc>{body}</svg>"
)
_SMALL = Markup(
    '<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    ' aria-hidden="true" focusable="false">{body}</svg>'
)


def short(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def svg(kind: str, size: tuple[int, int], title: str, desc: str, body: Iterable[Markup]) -> Markup:
    """A drawing that says in words what it is and what is to be seen in it."""
    width, height = size
    inner = Markup("").join(body)
    return _SVG.format(kind=kind, width=width, height=height, title=title, desc=desc, body=inner)


def beside(kind: str, size: tuple[int, int], body: Iterable[Markup]) -> Markup:
    """A small drawing of what the text beside it says: nothing to read out."""
    width, height = size
    return _SMALL.format(kind=kind, width=width, height=height, body=Markup("").join(body))


def line(kind: str, start: Point, end: Point) -> Markup:
    return path(kind, [start, end])


def path(kind: str, points: Sequence[Point], dash: str = "") -> Markup:
    """Straight from point to point."""
    way = "M" + "L".join(f"{short(x)} {short(y)}" for x, y in points)
    dashes = Markup(' stroke-dasharray="{}"').format(dash) if dash else ""
    return Markup('<path class="{}" d="{}"{}/>').format(kind, way, dashes)


def dots(kind: str, points: Sequence[Point]) -> Markup:
    """Thousands of points as one path: strokes of no length, with round ends."""
    way = "".join(f"M{short(x)} {short(y)}h0" for x, y in points)
    return Markup('<path class="{}" d="{}"/>').format(kind, way)


def box(kind: str, corner: Point, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, short(corner[0]), short(corner[1]), short(max(width, 0)), short(max(height, 0))
    )


def words(kind: str, at: Point, text: str) -> Markup:
    """`kind` holds its anchor too: start, middle, end."""
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
        kind, short(at[0]), short(at[1]), text
    )


def marker(kind: str, shape: str, at: Point, radius: float, title: str = "") -> Markup:
    """One of the shapes that contestants have, around a point."""
    way = _circle(at, radius) if shape == "circle" else _corners(shape, at, radius)
    name = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<path class="{}" d="{}Z">{}</path>').format(kind, way, name)


def _circle(at: Point, radius: float) -> str:
    r, wide = short(radius), short(2 * radius)
    return f"M{short(at[0] - radius)} {short(at[1])}a{r} {r} 0 1 0 {wide} 0a{r} {r} 0 1 0 -{wide} 0"


def _corners(shape: str, at: Point, radius: float) -> str:
    """Their number, the turn of the first, the size; every second one of a star lies within."""
    corners, first, size = {
        "square": (4, 0.125, 1.15),
        "triangle": (3, -0.25, 1.2),
        "diamond": (4, 0.0, 1.2),
        "wedge": (3, 0.25, 1.2),
        "pentagon": (5, -0.25, 1.1),
        "star": (10, -0.25, 1.35),
    }[shape]
    points = []
    for corner in range(corners):
        turn = 2 * math.pi * (first + corner / corners)
        far = radius * (0.55 if shape == "star" and corner % 2 else size)
        points.append(
            f"{short(at[0] + far * math.cos(turn))} {short(at[1] + far * math.sin(turn))}"
        )
    return "M" + "L".join(points)
