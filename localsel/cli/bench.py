"""`localsel bench`: the name of a benchmark → its ratios, measured in this run."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from localsel.cli.options import json_option
from localsel.cli.output import print_json, print_table
from localsel.errors import UsageError
from localsel.settings import resource

PACKAGE = "benchmarks"
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("bench")
@click.argument("name", required=False)
@click.option("--data", type=FILE, help="Instructions to measure on. [default: made up here]")
@click.option("--model", type=FILE, help="A GGUF file to measure. [default: the benchmark's own]")
@click.option("--rounds", type=click.IntRange(min=1), help="Repeats, or queries, of everything.")
@click.option("--rows", type=click.IntRange(min=50), help="Rows of a pool that is made up.")
@click.option("--large", is_flag=True, help="Also the sizes that take minutes and gigabytes.")
@json_option
def command(name: str | None, as_json: bool, **options: object) -> None:
    """Run benchmark NAME, or list the benchmarks."""
    if name is None:
        found = [{"name": each, "asks": _question(each)} for each in names()]
        rows: list[list[object]] = [[row["name"], row["asks"]] for row in found]
        print_json(found) if as_json else print_table(["benchmark", "asks"], rows)
        return
    benchmark = _load(name)
    run: Callable[..., dict[str, Any]] = benchmark.run
    result = run(**_accepted(name, run, options))
    print_json(result) if as_json else print_table(*benchmark.table(result))


def names() -> list[str]:
    """One file, one benchmark; a file with an underscore helps others."""
    return sorted(path.stem for path in _folder().glob("[!_]*.py"))


def _folder() -> Path:
    return resource(PACKAGE)


def _question(name: str) -> str:
    """The first line of a benchmark's docstring, read without running the file."""
    source = (_folder() / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def _accepted(
    name: str, run: Callable[..., object], options: dict[str, object]
) -> dict[str, object]:
    """The options that were given, if this benchmark has a use for them."""
    given = {key: value for key, value in options.items() if value is not None}
    known = inspect.signature(run).parameters
    for key in given.keys() - known.keys():
        # A flag that was not set is there all the same.
        if given.pop(key) is not False:
            usable = ", ".join(f"--{each}" for each in options if each in known)
            raise UsageError(
                f"The benchmark {name!r} has no use for --{key}.",
                f"It takes {usable}." if usable else "It takes no options.",
            )
    return given


def _load(name: str) -> ModuleType:
    """Benchmarks lie beside the package in a checkout, and inside it once installed."""
    if name not in names():
        raise UsageError(f"There is no benchmark {name!r}.", f"Known: {', '.join(names())}.")
    package = ModuleType(PACKAGE)
    package.__path__ = [str(_folder())]
    sys.modules[PACKAGE] = package
    return import_module(f"{PACKAGE}.{name}")
