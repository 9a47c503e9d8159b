"""A record and a dotted path → the value there; and the paths at which a record has text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Columns = dict[str, object]

KIND: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
"""How to call a JSON value to a person."""

TEXTS = ("value", "content", "text", "completion", "output", "answer", "response")
"""Names that objects inside a record give to their text."""

DEEPEST = 5


def lookup(value: object, path: str) -> object:
    """The value at `path`, or None. A plain name goes before the same name read as a path."""
    if isinstance(value, list):
        head, _, tail = path.partition(".")
        found = value[int(head)] if head.isdecimal() and int(head) < len(value) else None
        return lookup(found, tail) if tail else found
    if not isinstance(value, dict):
        return None
    if path in value or "." not in path:
        return value.get(path)
    cuts = (place for place, mark in enumerate(path) if mark == "." and path[:place] in value)
    return next((lookup(value[path[:cut]], path[cut + 1 :]) for cut in cuts), None)


def inside(value: object, path: str) -> str:
    """The path to the first text in one answer among several, or in an answer with parts."""
    if isinstance(value, list) and value:
        return inside(value[0], f"{path}.0")
    if isinstance(value, dict) and (name := next((name for name in TEXTS if name in value), None)):
        return inside(value[name], f"{path}.{name}")
    return path


def leaves(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in `value` with its path; of a list the first item speaks for all."""
    if isinstance(value, str):
        yield path, value
    if depth > DEEPEST:
        return
    items = value.items() if isinstance(value, dict) else ()
    first = [("0", value[0])] if isinstance(value, list) and value else items
    for name, item in first:
        yield from leaves(item, f"{path}.{name}" if path else name, depth + 1)
