"""`localsel config`: where every setting comes from, and files to set them in."""

from __future__ import annotations

import os
from pathlib import Path

import click

from localsel.cli.options import json_option
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError
from localsel.settings import check, describe, expected, fields, gather, hints, read_file
from localsel.settings import schema as settings_schema
from localsel.stages.export import check_writable

PER_RUN = ("data", "out")


@click.group("config")
def command() -> None:
    """Settings, and where each value comes from.

    A typed flag beats LOCALSEL_NAME in the environment, which beats localsel.toml beside the
    data, which beats the user's file, which beats the default.
    """


@command.command()
@click.option("--data", type=click.Path(path_type=Path), help="Also read localsel.toml beside it.")
@json_option
def show(data: Path | None, as_json: bool) -> None:
    """Print every setting, its value and its source."""
    given = gather({}, data or Path("data in this folder"))
    rows = []
    for name, field in fields().items():
        sourced = given.get(name)
        default = field.default if field.default is not field.default_factory else None
        value = check(name, sourced, hints()[name]) if sourced else default
        if name not in PER_RUN:
            source = sourced.source.removesuffix(" =") if sourced else "default"
            rows.append({"setting": name, "value": _plain(value), "source": source})
    if as_json:
        print_json(rows)
    else:
        print_table(["setting", "value", "source"], [list(row.values()) for row in rows])


def _plain(value: object) -> object:
    known = value is None or isinstance(value, str | int | float | dict)
    return value if known else str(value) if isinstance(value, Path) else None


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
def validate(file: Path) -> None:
    """Check every key and value of a settings FILE."""
    for name, sourced in read_file(file).items():
        check(name, sourced, hints()[name])
    say(f"{file} is valid.")


@command.command("schema")
def print_schema() -> None:
    """Print the JSON schema of a settings file."""
    print_json(settings_schema())


@command.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("localsel.toml"))
def init(file: Path) -> None:
    """Write a settings FILE with every setting explained and commented out."""
    if os.path.lexists(file):
        raise UsageError(f"{file} exists already; it is left as it is.")
    check_writable(file)
    lines = ["# Settings of localsel for the data in this folder. A typed flag beats this file.\n"]
    for name in fields():
        if name not in PER_RUN:
            lines.append(f"# {describe(name)}\n# ({expected(name)})\n# {name} = {_toml(name)}\n")
    file.write_text("\n".join(lines), encoding="utf-8")
    say(f"Wrote {file}.")


def _toml(name: str) -> str:
    default = fields()[name].default
    if isinstance(default, bool | int | float):
        return str(default).lower()
    return f'"{default}"' if isinstance(default, str) else "…"
