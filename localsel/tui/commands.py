"""What was filled in, or a stored run → the words of the command line that does it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any

from localsel.errors import UsageError
from localsel.settings import FILES, fields, flag_of, gather

SEVERAL = ("where", *FILES)
"""Settings of which there may be several, typed in one line as a shell takes them."""
NOT_TYPED = frozenset({"data", "workspace", "display", "resume"})


@dataclass(frozen=True, slots=True)
class Form:
    """What was filled in, as it was typed; what was left empty is left to the settings.

    Attributes:
        values: settings by name.
        needs_model: whether the method needs a model.
        asks_queries: whether it asks the queries of a plan; what does not works with one model.
    """

    data: str = ""
    models: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    needs_model: bool = True
    asks_queries: bool = True

    @property
    def compares(self) -> bool:
        """Several selectors, or one and baselines, are a comparison."""
        is_asked = self.needs_model and self.asks_queries
        return is_asked and (len(self.models) > 1 or bool(self.baselines))

    @property
    def has_too_many(self) -> bool:
        """More models than the method works with: there is no command for this."""
        return self.needs_model and not self.asks_queries and len(self.models) > 1


def line_of(form: Form) -> tuple[str, ...]:
    """`run` or `compare`, flags, and the data; nothing where there are models too many.

    Raises:
        UsageError: a quote has no end.
    """
    if form.has_too_many:
        return ()
    flags: list[str] = []
    for name, value in form.values.items():
        parts = parted(name, value) if value.strip() else ()
        flags += [flag_of(name) if is_switch(name) else _flag(name, each) for each in parts]
    if form.needs_model:
        flags += [_flag("model", each) for each in form.models]
    if form.compares:
        flags += [_flag("baseline", each) for each in form.baselines]
    return ("compare" if form.compares else "run", *flags, "--", form.data)


def parted(name: str, value: str) -> tuple[str, ...]:
    """The values in what was typed: several of `where` and of files, else the text itself.

    Raises:
        UsageError: a quote has no end.
    """
    if name not in SEVERAL:
        return (value.strip(),)
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise UsageError(f"{value}: a quotation mark has no partner.") from error


def shown(line: tuple[str, ...]) -> str:
    """The line as a person would type it in a shell."""
    verb, *flags, _, data = line
    return shlex.join(["localsel", verb, data, *flags])


def resumed(run: Mapping[str, Any]) -> tuple[str, ...]:
    """The line that goes on with a stored run: of one that was compared, its comparison."""
    settings = run["settings"]
    if command := run["facts"].get("sharing", {}).get("command"):
        _, verb, data, *flags = shlex.split(command)
        return (verb, *(flag for flag in flags if _name(flag) not in NOT_TYPED), "--", data)
    flags = [flag for name in _differing(settings) for flag in _stored(name, settings[name])]
    return ("run", *flags, "--", settings["data"])


def _differing(settings: Mapping[str, Any]) -> Iterator[str]:
    """Settings that are not at their default, or that a file or the environment sets as well."""
    try:
        elsewhere = set(gather({}, Path(settings["data"])))
    except UsageError:  # the command will say what is wrong there
        elsewhere = set()
    for name in fields():
        if name in NOT_TYPED or name not in settings:
            continue
        if name in elsewhere or settings[name] != _default(name):
            yield name


def _default(name: str) -> object:
    """As the workspace keeps it."""
    default = fields()[name].default
    return {} if default is MISSING else json.loads(json.dumps(default, default=str))


def _stored(name: str, value: Any) -> list[str]:
    """The flags that set a value as the workspace keeps it."""
    if isinstance(value, bool):
        return [flag_of(name)] * value
    if name == "map":
        pairs = ",".join(f"{role}={column}" for role, column in value.items())
        return [_flag(name, pairs)] if pairs else []
    if isinstance(value, dict):
        return [_flag(name, f"{column}={wanted}") for column, wanted in value.items()]
    if isinstance(value, list):
        return [_flag(name, each) for each in value]
    if value is None:
        return [_flag(name, "off")] if name == "near_duplicates" else []
    return [_flag(name, value)]


def is_switch(name: str) -> bool:
    """Whether a setting is on or off; a command line can only turn it on."""
    return fields()[name].default is False


def _flag(name: str, value: object) -> str:
    return f"{flag_of(name)}={value}"


def _name(flag: str) -> str:
    """The setting that a flag sets."""
    return flag.removeprefix("--").partition("=")[0].replace("-", "_")
