"""`localsel import-labels`: a run and its annotated files → an Alpaca file ready for training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from localsel.annotated import annotations_from
from localsel.cli.export import picks_of
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, say
from localsel.errors import InputError, UsageError
from localsel.stages.export import Chosen, check_writable, export
from localsel.stages.export.annotation import Annotation, same_run
from localsel.stages.export.joining import Joined, Keep, join
from localsel.store import Store

TOLD = 5

EPILOG = """\b
Examples:
  localsel import-labels last project-1.json --out train.json  (Label Studio)
  localsel import-labels last all.jsonl --out train.json       (doccano)
  localsel import-labels last picks.csv --out train.json       (column `output`)
  localsel import-labels last anna.md ben.md --out train.json

RUN is an id, the beginning of one, or `last`. A FILE is what `localsel export` wrote, filled in, or
what Label Studio or doccano exports; which of them is told from its content. Answers are joined by
row, and those written in `localsel review` join them. Picks without an answer are left out and
named.
"""


@click.command("import-labels", epilog=EPILOG)
@click.argument("run")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--column", metavar="NAME", help="Where the answers are. [default: output, response]")
@click.option("--keep", type=click.Choice(["first", "last"]), help="Of different answers to a row.")
@click.option("--encoding", metavar="NAME", help="Of text files. [default: UTF-8]")
@workspace_option
@json_option
def command(
    run: str,
    files: tuple[Path, ...],
    out: Path,
    column: str | None,
    keep: Keep | None,
    encoding: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Join the annotations in FILE… to the picks of RUN and write them in Alpaca's format."""
    _refuse_overwriting(out, files)
    with closing(Store(home(workspace))) as store:
        found, chosen = picks_of(store, run)
        annotations = [each for path in files for each in annotations_from(path, column, encoding)]
        _refuse_strangers(annotations, found, store)
    annotations += _reviewed(chosen, annotations, found["run"])
    joined = join(annotations, [each.instruction for each in chosen], keep)
    if not joined.answers:
        raise InputError(
            f"{files[0]} answers none of the {len(chosen):,} picks of run {found['run']}.",
            "Check that it is filled in, and that it is of this run.",
        )
    export(_answered(chosen, joined), "alpaca", out)
    _tell(joined, len(chosen), out)
    if as_json:
        print_json(_summary(joined, found["run"], out))


def _refuse_overwriting(out: Path, files: Iterable[Path]) -> None:
    check_writable(out)
    if out.resolve() in [path.resolve() for path in files]:
        raise UsageError(f"{out} holds the annotations.", "Give another --out.")


def _refuse_strangers(annotations: Iterable[Annotation], run: dict[str, Any], store: Store) -> None:
    """Rows of a run over another file are other rows."""
    pools = {each["run"]: each["pool"] for each in store.runs()}
    for each in annotations:
        if each.run is None or same_run(each.run, run["run"]) or pools.get(each.run) == run["pool"]:
            continue
        raise InputError(
            f"{each.where}: annotations of run {each.run}, not of {run['run']}.",
            f"Give: localsel import-labels {each.run} …",
        )


def _reviewed(chosen: Iterable[Chosen], found: Iterable[Annotation], run: str) -> list[Annotation]:
    """Answers that were written in review and stand in no file."""
    said = {(each.asked if each.row is None else each.row, each.answer) for each in found}
    return [
        Annotation(f"the review of run {run}", each.answer, pick.row, run)
        for each in chosen
        if each.answer and (pick := each.instruction)
        if said.isdisjoint({(pick.row, each.answer), ((pick.instruction, pick.input), each.answer)})
    ]


def _answered(chosen: Iterable[Chosen], joined: Joined) -> list[Chosen]:
    """The picks that have an answer, with it, in the order of their ranks."""
    return [
        replace(each, instruction=replace(each.instruction, response=joined.answers[row]))
        for each in chosen
        if (row := each.instruction.row) in joined.answers
    ]


def _tell(joined: Joined, picks: int, out: Path) -> None:
    say(f"Joined {len(joined.answers):,} of {picks:,} picks to {out}, ready for training.")
    strangers = [each.where for each in joined.unknown]
    for text, found in (
        ("without an annotation", joined.missing),
        ("annotated with nothing", joined.empty),
        ("answered more than once", joined.repeated),
    ):
        if found:
            say(f"Picks {text}: {len(found):,} (rows {_first(found)}).")
    if strangers:
        say(f"Annotations of nothing that was picked: {len(strangers):,} ({_first(strangers)}).")


def _first(found: Sequence[object]) -> str:
    more = f" and {len(found) - TOLD:,} more; see --json" if len(found) > TOLD else ""
    return ", ".join(map(str, found[:TOLD])) + more


def _summary(joined: Joined, run: str, out: Path) -> dict[str, object]:
    return {
        "run": run,
        "out": str(out),
        "joined": len(joined.answers),
        "missing": list(joined.missing),
        "empty": list(joined.empty),
        "repeated": list(joined.repeated),
        "unknown": [{"where": each.where, "row": each.row} for each in joined.unknown],
    }
