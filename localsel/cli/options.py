"""`Settings` → the options of a command: one field, one flag, explained in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from localsel.settings import (
    FILES,
    METHODS_OWN,
    Settings,
    Sourced,
    build,
    describe,
    expected,
    fields,
    flag_of,
    gather,
    hints,
)
from localsel.settings import home as home

Command = TypeVar("Command", bound=Callable[..., Any])
NONE: Mapping[str, object] = {}
METAVARS = {"map": "ROLE=COL,…", "model": "PATH", "budget": "N", "criteria": "TEXT"} | {
    "where": "COLUMN=VALUE",
    "trim": "SHARE",
    "quality_model": "PATH",
}


class Sectioned(click.Command):
    """A command that lists what only some methods know apart from its other options."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        records: dict[str, list[tuple[str, str]]] = {"Options": [], "Options of some methods": []}
        everyones, own = records.values()
        for option in self.get_params(context):
            if record := option.get_help_record(context):
                (own if option.name in METHODS_OWN else everyones).append(record)
        for section, rows in records.items():
            with formatter.section(section):
                formatter.write_dl(rows)


def settings_options(*left_out: str) -> Callable[[Command], Command]:
    """Adds a flag for every setting but the data and those left out, in their order."""

    def decorate(command: Command) -> Command:
        names = [name for name in fields() if name not in ("data", *left_out)]
        command = click.option(
            "--config", type=click.Path(path_type=Path), help="A settings file to use as well."
        )(command)
        for name in reversed(names):
            command = _option(name)(command)
        return command

    return decorate


def _option(name: str) -> Callable[[Command], Command]:
    field, bare = fields()[name], hints()[name].__origin__
    text = describe(name)
    default = field.default
    if name == "near_duplicates" or not (default is None or callable(default) or "[" in text):
        is_share = name.startswith("max_") or name == "trim"
        text += (
            f" [default: {f'{default:.0%}' if is_share else default}]" if _plain(default) else ""
        )
    flag = flag_of(name)
    if bare is bool:
        return click.option(flag, name, is_flag=True, default=None, help=text)
    if name in ("where", *FILES):
        shown = METAVARS.get(name, "FILE")
        return click.option(flag, name, multiple=True, metavar=shown, help=text)
    if get_origin(bare) is Literal:
        return click.option(flag, name, type=click.Choice(get_args(bare)), help=text)
    kind = click.Path() if Path in (bare, *get_args(bare)) else click.STRING
    metavar = METAVARS.get(name, "PATH" if isinstance(kind, click.Path) else _metavar(name))
    return click.option(flag, name, type=kind, metavar=metavar, help=text)


def _plain(default: object) -> bool:
    return isinstance(default, str | int | float) and default != "" and default is not False


def _metavar(name: str) -> str:
    words = expected(name)
    return "N" if words.startswith("a whole") else "X" if words.startswith("a number") else "NAME"


def settings_from(
    data: Path,
    config: Path | None,
    flags: dict[str, object],
    defaults: Mapping[str, object] = NONE,
) -> Settings:
    """The settings of one run, from flags, environment and files; else the command's `defaults`."""
    given = {name: Sourced(value, "default") for name, value in defaults.items()}
    given |= gather({}, data, config)
    written = {name: Sourced(flags[name], flag_of(name)) for name in typed_names(flags)}
    return build(given | written | {"data": Sourced(str(data), "DATA")})


def typed_names(flags: Mapping[str, object]) -> set[str]:
    """The settings that were typed."""
    return {name for name, value in flags.items() if value not in (None, ())}


def typed(flags: Mapping[str, object]) -> list[str]:
    """The words of a command line that sets these flags again."""
    line = []
    for name, value in flags.items():
        if value in (None, (), False):
            continue
        flag = flag_of(name)
        values = value if isinstance(value, tuple) else (value,)
        line += [flag if each is True else f"{flag}={each}" for each in values]
    return line


def workspace_option(command: Command) -> Command:
    """`--workspace` for commands that only read or mend what was run."""
    return click.option(
        "--workspace", type=click.Path(path_type=Path), metavar="PATH", help=describe("workspace")
    )(command)


def json_option(command: Command) -> Command:
    """`--json`: exactly one document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)
