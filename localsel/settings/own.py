"""A setting → what it means, and its default, in words.

Of one that only some methods know the sentence says who does: `mods: this; ifd, deita: that.
[default: mods: 3; ifd: 1]`. A name stands for all that begin with it and a dash: `perplexity` for
`perplexity-low`.
"""

from __future__ import annotations

import re

from localsel.settings.options import describe, fields

CLAUSE = re.compile(r"(?P<names>[a-z-]+(?:, [a-z-]+)*): (?P<text>.*)")
DEFAULT = re.compile(r" ?\[default: (.*)\]")


def meaning(option: str, method: str) -> str:
    """The sentence without who knows it, and without the default."""
    said = _said(sentence(option).rstrip("."), method)
    return f"{said[:1].upper()}{said[1:]}."


def sentence(option: str) -> str:
    """What any setting means, without the default."""
    return DEFAULT.sub("", describe(option))


def usual(option: str, method: str = "") -> str:
    """The default of any setting in words; empty where there is none, or it is off."""
    if found := DEFAULT.search(describe(option)):
        return _said(found[1], method)
    default = fields()[option].default
    if isinstance(default, float):
        return f"{default:g}"
    is_plain = isinstance(default, str | int) and not isinstance(default, bool)
    return str(default) if is_plain else ""


def knowing(option: str) -> set[str]:
    """The methods that the sentence names."""
    found = map(CLAUSE.fullmatch, sentence(option).split("; "))
    return {name for clause in found if clause for name in clause["names"].split(", ")}


def is_named(method: str, names: set[str]) -> bool:
    """Whether it is one of these, or one of a family of which the first word is."""
    return method in names or any(method.startswith(f"{name}-") for name in names)


def _said(text: str, method: str) -> str:
    """The clauses for this method, or for all; everything where there are none."""
    clauses = [(CLAUSE.fullmatch(part), part) for part in text.split("; ")]
    own = [
        found["text"] if found else part
        for found, part in clauses
        if not found or is_named(method, set(found["names"].split(", ")))
    ]
    return "; ".join(own) if own else text
