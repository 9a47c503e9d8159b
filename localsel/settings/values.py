"""Values as they were given → one checked `Settings`, or what is wrong with one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from localsel.errors import UsageError
from localsel.settings.options import FILES, PATHS, Settings, hints
from localsel.settings.shapes import shapes


@dataclass(frozen=True, slots=True)
class Sourced:
    """One value as it was given, and where: `--seed`, `LOCALSEL_SEED`, a file."""

    value: object
    source: str


Parser = Callable[[object], object]

ROLES = {"instruction", "input", "response"}


def _as_it_is(value: object) -> object:
    return value


def _path(value: object) -> object:
    """A path that the system can follow: not a loop of links, a name too long, or a NUL."""
    if not isinstance(value, str | Path):
        return value
    if value == "":
        raise ValueError("an empty path would be the current folder")
    path = Path(value).expanduser()
    path.exists()
    path.resolve()
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
        raise RuntimeError("its name is not UTF-8; rename it")
    return path


def _files(value: object) -> object:
    """One path or several."""
    several = value if isinstance(value, list | tuple) else [value]
    return [_path(each) for each in several]


def _share(value: object) -> object:
    """`1%` or `0.01`."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1]) / 100
    return value


def _threshold(value: object) -> object:
    return None if value == "off" or value is False else value


def _columns(value: object) -> object:
    """`instruction=question,input=context` → a mapping of roles to columns."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        value = {role.strip(): column.strip() for role, _, column in pairs}
    if isinstance(value, dict) and not (all(value.values()) and set(value) <= ROLES):
        raise ValueError("expected instruction=COL, and input=COL, response=COL where they exist")
    return value


def _conditions(value: object) -> object:
    """`lang=en`, or several of them → a mapping of columns to values."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple):
        pairs = [str(each).partition("=") for each in value]
        names = [column.strip() for column, equals, _ in pairs if equals]
        if not all(names) or len(set(names)) < len(pairs):
            raise ValueError("expected COLUMN=VALUE, each column once")
        return {column.strip(): wanted.strip() for column, _, wanted in pairs}
    return value


PARSERS: dict[str, Parser] = {
    **dict.fromkeys(("data", *PATHS), _path),
    **dict.fromkeys(FILES, _files),
    **dict.fromkeys(("max_bad_rows", "max_fallback", "trim"), _share),
    "near_duplicates": _threshold,
    "map": _columns,
    "where": _conditions,
}


def build(given: Mapping[str, Sourced]) -> Settings:
    """Checks every given value and fills in the defaults.

    Raises:
        UsageError: naming the value, its source and what was expected.
    """
    types = hints()
    values = {name: check(name, sourced, types[name]) for name, sourced in given.items()}
    missing = [name for name in ("data", "budget") if name not in values]
    if missing:
        flags = " and ".join({"data": "DATA", "budget": "--budget N"}[name] for name in missing)
        raise UsageError(f"A run needs {flags}.", "See `localsel run --help`.")
    return Settings(**values)


def check(name: str, sourced: Sourced, hint: Any) -> Any:
    """One value in its type, within its bounds."""
    try:
        parse: Parser = PARSERS.get(name, _as_it_is)
        return msgspec.convert(parse(sourced.value), hint, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError) as error:
        value = sourced.value
        shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
        raise UsageError(f"{sourced.source} {shown}: expected {expected(name)}.") from error
    except (OSError, RuntimeError) as error:
        shown = str(sourced.value)[:SHOWN]
        why = str(getattr(error, "strerror", None) or error).rstrip(".")
        raise UsageError(f"{sourced.source} {shown} cannot be used: {why}.") from error


def as_read(name: str, sourced: Sourced) -> object:
    """A value as the settings will have it; as it was given where they will refuse it."""
    try:
        return check(name, sourced, hints()[name])
    except UsageError:
        return sourced.value


SHOWN = 100
"""Letters of a path that is too long."""

KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


def expected(name: str) -> str:
    """What a value of this setting has to look like, in words."""
    if name == "map":
        return "instruction=COL, with input=COL and response=COL where they exist"
    if name == "where":
        return "COLUMN=VALUE, each column once"
    if name in ("data", *PATHS):
        return "a path"
    allowed = shapes(hints()[name])[0]
    if "enum" in allowed:
        return f"one of {', '.join(allowed['enum'])}"
    kind = KINDS.get(allowed.get("type", ""), "text")
    words = {"minimum": "at least", "exclusiveMinimum": "above"}
    words |= {"maximum": "at most", "exclusiveMaximum": "below"}
    bounds = [f"{word} {allowed[key]}" for key, word in words.items() if key in allowed]
    or_off = ", or off" if name == "near_duplicates" else ""
    return f"{kind}, {' and '.join(bounds)}{or_off}" if bounds else kind


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise ValueError(f"expected a {kind.__name__.lower()}")
