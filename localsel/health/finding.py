"""A look at something → how it is, in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

LONGEST = 200
"""Letters of what a library says of itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was seen, and what to do about it."""

    what: str
    state: Literal["ok", "warning", "failure"]
    seen: str
    advice: str = ""


def attempt(what: str, look: Callable[[], str], advice: str) -> Finding:
    """Whatever a library raises here is the finding."""
    try:
        return Finding(what, "ok", look())
    except Exception as error:  # noqa: BLE001 - a doctor reports, whatever it is
        seen = (str(error) or type(error).__name__).splitlines()[0]
        return Finding(what, "failure", seen[:LONGEST], advice)


def installed(name: str) -> str | None:
    """The version of a package, if it is here."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
