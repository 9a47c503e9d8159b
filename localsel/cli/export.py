"""`localsel export`: a run → a file of the chosen instructions, for training or annotation."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import click

from localsel.annotated import annotations_from
from localsel.cli.options import home, workspace_option
from localsel.cli.output import say
from localsel.errors import LocalselError, UsageError
from localsel.runs import chosen_rows
from localsel.stages.export import EXPORTERS, Chosen, check_writable, export, format_of
from localsel.stages.export.annotation import Annotation
from localsel.store import Store
from localsel.wording import counted

EPILOG = """\b
Examples:
  localsel export last --out picks.jsonl
  localsel export last --to csv --out picks.csv
  localsel export last --to label-studio --out tasks.json
  localsel export last --to doccano --out tasks.jsonl
  localsel export last --to markdown --out sheet.md

RUN is an id, the beginning of one, or `last`. By the ending, .json is alpaca and .jsonl is jsonl.
label-studio also writes the labelling configuration, tasks.xml, and from 10,001 picks on
tasks-001.json, tasks-002.json and so on. Bring answers back with `localsel import-labels`.
"""


@click.command("export", epilog=EPILOG)
@click.argument("run")
@click.option("--to", "form", type=click.Choice(list(EXPORTERS)), help="[default: by the ending]")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--force", is_flag=True, help="Also replace a file that somebody has filled in.")
@workspace_option
def command(run: str, form: str | None, out: Path, force: bool, workspace: Path | None) -> None:
    """Write the instructions that RUN chose, best first."""
    check_writable(out)
    form = form or format_of(out)
    with closing(Store(home(workspace))) as store:
        found, chosen = picks_of(store, run)
        if not force:
            refuse_filled(out, found, store)
    written = export(chosen, form, out)
    parts = [path for path in written if path.suffix == out.suffix]
    named = str(parts[0]) if len(parts) == 1 else f"{parts[0]} … {parts[-1].name}"
    say(f"Wrote {len(chosen):,} picks to {named} ({form}).")
    for path in written[len(parts) :]:
        say(f"Wrote the labelling configuration to {path}.")


def refuse_filled(out: Path, run: dict[str, Any], store: Store) -> None:
    """A day of annotation is not replaced by an empty sheet.

    Raises:
        UsageError: the file that is there has answers which are not the data's own.
    """
    try:
        found = annotations_from(out) if out.exists() else []
    except LocalselError:
        return  # nothing that anybody could import
    runs = {each["run"]: each for each in store.runs()}

    @cache
    def own(pool: str | None) -> dict[object, str]:
        """The data's own responses, by row and by what was asked."""
        rows = store.instructions(pool) if pool else ()
        asked: dict[object, str] = {(each.instruction, each.input): each.response for each in rows}
        return asked | {each.row: each.response for each in rows}

    @cache
    def kept(name: str) -> set[tuple[object, str]]:
        """Answers that were written in review; they are in the workspace."""
        return answers_kept(store, runs[name]) if name in runs else set()

    def is_written(each: Annotation) -> bool:
        name = each.run or run["run"]
        known = own(runs[name]["pool"] if name in runs else None)
        place: object = each.asked if each.row is None else each.row
        return each.answer not in ("", known.get(place)) and (place, each.answer) not in kept(name)

    if written := sum(map(is_written, found)):
        raise UsageError(
            f"{out} holds {counted(written, 'answer')}.",
            "Bring them home with `localsel import-labels`, or give --force.",
        )


def answers_kept(store: Store, run: dict[str, Any]) -> set[tuple[object, str]]:
    """Every answer written in the review of a run, with its row and with what was asked."""
    written = [each for each in store.changes(run["run"]) if each.kind == "answer"]
    asked = {each.row: store.instruction(run["pool"], each.row) for each in written}
    by_row: set[tuple[object, str]] = {(each.row, each.text) for each in written}
    texts = ((asked[each.row].instruction, asked[each.row].input) for each in written)
    return by_row | {(key, each.text) for key, each in zip(texts, written, strict=True)}


def picks_of(store: Store, run: str) -> tuple[dict[str, Any], list[Chosen]]:
    """A run and its selection, each pick with the name of what chose it.

    Raises:
        UsageError: there is no such run, or it has no picks.
    """
    found = store.run(run)
    chosen = chosen_rows(store, found)
    if not chosen and store.changes(found["run"]):
        raise UsageError(
            f"All picks of run {found['run']} were banned.",
            f"Take a change back with `localsel review {found['run']} --undo`.",
        )
    if not chosen:
        raise UsageError(
            f"Run {found['run']} is {store.state(found)} and has no picks yet.",
            "Give its command again to finish it.",
        )
    selector = found["facts"].get("selector") or {}
    by = selector.get("name") or found["settings"]["method"]
    return found, [replace(each, by=by) for each in chosen]
