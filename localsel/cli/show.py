"""`localsel show`: a run → its record and its picks."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.runs import chosen_rows, run_record
from localsel.stages.export import Chosen
from localsel.store import Store
from localsel.summary import summary
from localsel.wording import counted


@click.command("show", epilog="RUN is an id, the beginning of one, or `last`.")
@click.argument("run")
@click.option("--picks", default=20, show_default=True, help="How many picks to print.")
@workspace_option
@json_option
def command(run: str, picks: int, workspace: Path | None, as_json: bool) -> None:
    """Show what RUN chose, and how."""
    with closing(Store(home(workspace))) as store:
        record = run_record(store, run)
        chosen = [] if as_json else chosen_rows(store, store.run(run))
    if as_json:
        print_json(record)
        return
    if chosen:
        print_picks(chosen[:picks])
    if len(chosen) > picks:
        say(f"… and {len(chosen) - picks:,} more; --picks {len(chosen)} shows them all.")
    for line in [*summary(record, None), *_left_out(record)]:
        say(line)


def _left_out(record: dict[str, Any]) -> list[str]:
    count = len(record["left_out"])
    how = "were shown in no query" if record["queries"] else "could not be chosen"
    return [f"{counted(count, 'row')} {how}; --json lists each with its reason."] * (count > 0)


def print_picks(chosen: list[Chosen]) -> None:
    """A table of picks: rank, row, what speaks for it, who chose it, text."""
    is_scored = any("score" in each.why for each in chosen)
    told = {"score": "score"} if is_scored else {"cluster": "cluster", "probability": "prob."}
    columns = {"rank": "rank", "row": "row", **told, "chosen_by": "by"}
    rows: list[list[object]] = []
    for each in chosen:
        rows.append([*(each.why[name] for name in columns), each.instruction.text])
        if said := each.why.get("reason"):
            rows.append([*[""] * len(columns), f"↳ {said}"])
    print_table([*columns.values(), "instruction"], rows, one_line=len(columns))
