"""What `localsel methods` tells as JSON → the same for people: a table, or all about one method."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from localsel.methods.base import Method
from localsel.settings import flag_of

WITH_SOURCE = 110
"""From so many columns on there is room for it in the table."""
CALLS = 24
INDENT = 11
FLAG = 18
ITEM = re.compile(r"\n(?=\d\. )")
"""Between two lines of a numbered list."""


def needed(found: Mapping[str, Any]) -> str:
    """What it needs, in words."""
    return ", ".join(found["needs"]) or "nothing"


def table(methods: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    """A line or more for each, under what they need."""
    sources = max(len(each["source"] or "") for each in methods) if width >= WITH_SOURCE else 0
    named = max(len(each["name"]) for each in methods) + 2
    calls = min(max(len(each["model_calls"]) for each in methods), CALLS)
    does = max(width - 4 - named - calls - sources - 2 * bool(sources), 20)
    widths = (named, does, calls, sources)
    yield from _row(("  method", "does", "model calls", "source"), widths)
    for needs in dict.fromkeys(map(needed, methods)):
        yield ""
        yield f"needs {needs}"
        for each in methods:
            if needed(each) == needs:
                cells = (f"  {each['name']}", each["about"], each["model_calls"], each["source"])
                yield from _row(cells, widths)


def _row(cells: Sequence[str | None], widths: Sequence[int]) -> Iterator[str]:
    """Cells beside each other; what is too long goes on below."""
    shown = [(cell or "", width) for cell, width in zip(cells, widths, strict=True) if width]
    parted = [
        wrap(cell, width, break_on_hyphens=False) if place else [cell]
        for place, (cell, width) in enumerate(shown)
    ]
    for line in zip_longest(*parted, fillvalue=""):
        aligned = (f"{text:<{width}}" for text, (_, width) in zip(line, shown, strict=True))
        yield "  ".join(aligned).rstrip()


def card(found: Mapping[str, Any], method: type[Method], width: int) -> Iterator[str]:
    """All about one method."""
    yield from wrap(f"{found['name']}: {found['about']}", width)
    for paragraph in _paragraphs(method):
        yield ""
        for item in ITEM.split(paragraph):
            yield from wrap(" ".join(item.split()), width)
    yield ""
    yield from _fact("needs", needed(found), width)
    yield from _fact("calls", found["model_calls"], width)
    yield from _fact("draws", "by the seed" if found["draws"] else "nothing", width)
    if found["variants"]:
        first, *others = found["variants"]
        yield from _fact("variants", ", ".join([f"{first} (default)", *others]), width)
    yield from _fact("source", found["source"] or "a baseline", width)
    yield from _options(found["options"], width)
    for other in found["otherwise"]:
        yield ""
        yield from _otherwise(other, found, width)
    yield ""
    # On a line of its own, and whole: it is for copying.
    yield "For example:"
    yield example(found)


def _paragraphs(method: type[Method]) -> Iterator[str]:
    """What it says of itself, and what those of its file have in common."""
    bases = [each for each in method.__mro__[1:] if inspect.isabstract(each)]
    kin = [each for each in bases if each.__module__ == method.__module__]
    for each in (method, *kin):
        yield from (inspect.getdoc(each) or "").replace("`", "").split("\n\n")


def _fact(name: str, text: str, width: int) -> Iterator[str]:
    room = max(width - INDENT, 20)
    for place, line in enumerate(wrap(text, room, break_on_hyphens=False)):
        yield f"{'' if place else name:<{INDENT}}{line}"


def _options(options: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    for place, each in enumerate(options):
        default = f" [default: {each['default']}]" if each["default"] else ""
        name = "" if place else "options"
        lines = wrap(f"{each['about']}{default}", max(width - INDENT - FLAG, 20))
        for below, line in enumerate(lines):
            flag = "" if below else flag_of(each["name"])
            yield f"{'' if below else name:<{INDENT}}{flag:<{FLAG}}{line}"


def _otherwise(other: Mapping[str, Any], found: Mapping[str, Any], width: int) -> Iterator[str]:
    """What differs with another setting."""
    (name, value), *_ = other["set"].items()
    flag = f"{flag_of(name)}{'' if value is True else f' {value}'}"
    yield from wrap(f"With {flag}: {other['about']}", width, break_on_hyphens=False)
    for fact, key in (("calls", "model_calls"), ("source", "source")):
        if other[key] != found[key]:
            yield from _fact(fact, str(other[key]), width)
    if needed(other) != needed(found):
        yield from _fact("needs", needed(other), width)
    yield from _options([each for each in other["options"] if each not in found["options"]], width)


def example(found: Mapping[str, Any]) -> str:
    """A command to begin with."""
    named = "gemma.gguf" if "a model" in found["needs"] else ""
    named = "gemma-2-2b-it" if found["tunes"] else named
    model = f" --model {named}" if named else ""
    method = "" if found["asks_queries"] else f" --method {found['name']}"
    return f"localsel run data.jsonl --budget 300{method}{model}"
