"""Flags, environment and TOML files → every value that somebody set, and where.

Order, strongest first: a typed flag, `LOCALSEL_*`, `localsel.toml` beside the data, the user's
file, the default. Only this package reads the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from localsel.errors import UsageError
from localsel.settings.options import FILES, PATHS, fields, flag_of
from localsel.settings.places import user_file
from localsel.settings.values import Sourced


def gather(
    flags: Mapping[str, object], data: Path | None, config: Path | None = None
) -> dict[str, Sourced]:
    """Every value that somebody set, from the strongest source that sets it."""
    found: dict[str, Sourced] = {}
    for path, reader in ((user_file(), read_file), (_beside_data(data), read_beside)):
        if path is not None and path.is_file():
            found |= reader(path)
    if config is not None:
        found |= read_file(config)
    found |= read_environment()
    found |= {
        name: Sourced(value, flag_of(name)) for name, value in flags.items() if value is not None
    }
    return found


def read_file(path: Path) -> dict[str, Sourced]:
    """One settings file. Keys may be written with dashes, as the flags are."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error).partition(" for integer")[0]
        raise UsageError(f"The settings file {path} cannot be read: {why}.") from error
    values = {}
    for key, value in content.items():
        name = known(key.replace("-", "_"), f"{path}: {key}")
        values[name] = Sourced(_beside(path, name, value), f"{path}: {key} =")
    return values


def _beside_data(data: Path | None) -> Path | None:
    return data.parent / "localsel.toml" if data else None


def read_beside(path: Path) -> dict[str, Sourced]:
    """The settings file beside the data: it may have come with them, from a stranger."""
    values = read_file(path)
    if "allow_host" in values:
        raise UsageError(
            f"{path} names a host that your instructions may be sent to; a file beside the data"
            " may not.",
            "Give --allow-host, or name the host in your own settings file.",
        )
    if "model" in values and str(values["model"].value).lower().startswith(("http:", "https:")):
        raise UsageError(
            f"{path} names a server that your instructions would be sent to; a file beside the data"
            " may not.",
            "Give --model, or name the server in your own settings file.",
        )
    return values


def _beside(path: Path, name: str, value: object) -> object:
    """A relative path means one beside the settings file; a model may also be a mere name."""
    if isinstance(value, list) and name in FILES:
        return [_beside(path, name, each) for each in value]
    if not isinstance(value, str) or not value or value.startswith("~"):
        return value
    there = path.parent / value
    named = name in ("model", "prompt") and there.exists()
    return str(there) if name in PATHS or named else value


# These say where localsel looks and what it may, not how a run goes.
NOT_SETTINGS = frozenset({"LOCALSEL_MODELS", "LOCALSEL_API_KEY", "LOCALSEL_COMPLETE"})


def read_environment() -> dict[str, Sourced]:
    """`LOCALSEL_QUERY_SIZE=10` sets `query_size`."""
    values = {}
    for key in sorted(os.environ):
        # An empty variable is an unset one, as in XDG's rules.
        if key.startswith("LOCALSEL_") and key not in NOT_SETTINGS and os.environ[key]:
            name = known(key.removeprefix("LOCALSEL_").lower(), f"the variable {key}")
            values[name] = Sourced(os.environ[key], f"{key} =")
    return values


def known(name: str, where: str) -> str:
    """`name`, if there is such a setting; else UsageError with the nearest."""
    names = list(fields())
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else "See `localsel config schema`."
    raise UsageError(f"Unknown setting {name!r} ({where}).", hint)
