"""`localsel methods`: the table of methods → what each needs, costs, and comes from."""

from __future__ import annotations

import click

from localsel.cli.options import json_option
from localsel.cli.output import print_json, print_table
from localsel.methods import METHODS

NEEDS = {"needs_backend": "a model", "needs_vectors": "an embedder", "needs_responses": "responses"}


@click.command("methods")
@json_option
def command(as_json: bool) -> None:
    """List what can select."""
    found = [
        {
            "name": name,
            "about": method.about,
            "needs": [text for flag, text in NEEDS.items() if getattr(method, flag)],
            "model_calls": method.cost,
            "source": method.source or None,
        }
        for name, method in METHODS.load_all().items()
    ]
    if as_json:
        print_json(found)
    else:
        rows: list[list[object]] = [
            [row["name"], row["about"], ", ".join(row["needs"]) or "nothing"]
            + [row["model_calls"], row["source"]]
            for row in found
        ]
        print_table(["method", "does", "needs", "model calls", "source"], rows)
