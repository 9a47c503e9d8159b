"""`localsel methods`: the table of methods → what each needs, costs, and comes from."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

import click

from localsel.cli.method_lines import card, table
from localsel.cli.options import json_option
from localsel.cli.output import print_json, say
from localsel.methods import METHODS, changes, method_of
from localsel.methods.base import Method
from localsel.printable import visible
from localsel.settings import Settings
from localsel.settings.own import meaning, usual

NEEDS = {
    "needs_backend": "a model",
    "needs_vectors": "an embedder",
    "needs_responses": "responses",
    "needs_quality": "a quality model",
}
FOLDER = "a Hugging Face folder"


@click.command("methods")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List what can select, and what each method needs and costs; or tell all about one."""
    if name:
        method = METHODS.load(name)
        found = described(name, method)
        if as_json:
            print_json(found)
        else:
            _print(card(found, method, get_terminal_size().columns))
        return
    methods = [described(each, method) for each, method in METHODS.load_all().items()]
    if as_json:
        print_json(methods)
    else:
        _print(table(methods, get_terminal_size().columns))
        say("\nN: the rows of the pool. `localsel methods NAME` tells all about one.")


def _print(lines: Iterable[str]) -> None:
    click.echo("\n".join(visible(line) for line in lines))


def described(name: str, method: type[Method]) -> dict[str, Any]:
    """One method as JSON: what it is by itself, and `otherwise` what other settings make of it."""
    plain = Settings(data=Path("-"), budget=1, method=name)
    others = [(changed, method_of(replace(plain, **changed))) for changed in changes(method)]
    own = method_of(plain)
    return {
        "name": name,
        "about": method.about,
        **_facts(name, own),
        "variants": list(method.variants),
        "otherwise": [
            {"set": changed, **_facts(name, other), "about": _opening(other)}
            for changed, other in others
            if other is not own
        ],
    }


def _facts(name: str, method: type[Method]) -> dict[str, Any]:
    return {
        "needs": _needs(method),
        "model_calls": method.cost,
        "source": method.source or None,
        "asks_queries": method.needs_plan,
        "tunes": method.tunes,
        "draws": method.draws,
        "options": [
            {"name": each, "about": meaning(each, name), "default": usual(each, name) or None}
            for each in method.options
        ],
    }


def _needs(method: type[Method]) -> list[str]:
    """In words; a model that is fine-tuned has to be a folder."""
    words = NEEDS | ({"needs_backend": FOLDER} if method.tunes else {})
    return [text for flag, text in words.items() if getattr(method, flag)]


def _opening(method: type[Method]) -> str:
    """The first paragraph of what it says of itself, on one line."""
    return " ".join((inspect.getdoc(method) or "").partition("\n\n")[0].split())
