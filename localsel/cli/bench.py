"""`localsel bench`: the name of a benchmark → its ratios, measured in this run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from localsel.cli.options import json_option
from localsel.cli.output import print_json, print_table
from localsel.errors import UsageError
from localsel.settings import resource


@click.command("bench")
@click.argument("name", required=False)
@click.option("--large", is_flag=True, help="Also the sizes that take minutes and gigabytes.")
@json_option
def command(name: str | None, large: bool, as_json: bool) -> None:
    """Run benchmark NAME, or list the benchmarks."""
    if name is None:
        found = [{"name": each, "asks": _load(each).__doc__ or ""} for each in names()]
        rows: list[list[object]] = [[row["name"], row["asks"].splitlines()[0]] for row in found]
        print_json(found) if as_json else print_table(["benchmark", "asks"], rows)
        return
    run: Callable[..., dict[str, Any]] = _load(name).run
    result = run(large=large)
    if as_json:
        print_json(result)
    else:
        print_table([name, ""], [[key.replace("_", " "), value] for key, value in result.items()])


def names() -> list[str]:
    """One file, one benchmark."""
    return sorted(path.stem for path in _folder().glob("[!_]*.py"))


def _folder() -> Path:
    return resource("benchmarks")


def _load(name: str) -> ModuleType:
    """Benchmarks lie beside the package in a checkout, so they are loaded by path."""
    if name not in names():
        raise UsageError(f"There is no benchmark {name!r}.", f"Known: {', '.join(names())}.")
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", _folder() / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
