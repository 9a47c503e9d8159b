"""`localsel clusters`: runs on one plan → their clusters, or everything about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.clusters import ClusterDetail, ClusterRow, Verdict, cluster, clusters_of
from localsel.store import Store
from localsel.wording import counted

EPILOG = """\b
Examples:
  localsel clusters last
  localsel clusters last 4
  localsel clusters 5f2a --with 91c0 --with e3d7
  localsel clusters last 4 --json

RUN is an id, the beginning of one, or `last`. The runs have to stand on the same plan; runs of
methods without queries may be given with --with. Entropy is that of RUN's first choices: 0 sure,
1 indifferent. Agreement is the mean share of picks that two of the runs have in common.
"""


@click.command("clusters", epilog=EPILOG)
@click.argument("run")
@click.argument("number", metavar="[CLUSTER]", type=int, required=False)
@click.option("--with", "others", metavar="RUN", multiple=True, help="Another run beside it.")
@workspace_option
@json_option
def command(
    run: str, number: int | None, others: tuple[str, ...], workspace: Path | None, as_json: bool
) -> None:
    """List the clusters of RUN, or the rows of one CLUSTER."""
    with closing(Store(home(workspace))) as store:
        runs = [run, *others]
        if number is not None:
            _show(store, cluster(store, runs, number), as_json)
            return
        found = clusters_of(store, runs)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        head = ["cluster", "rows", "radius", "quota", "queries", "entropy", "agreement"]
        names = list(found[0].picks) if found else []
        print_table([*head, *names, "faults"], [_cells(each) for each in found])


def _cells(row: ClusterRow) -> list[object]:
    picks = [" ".join(map(str, each)) for each in row.picks.values()]
    numbers = [row.id, row.size, row.radius, row.quota, row.queries, row.entropy, row.agreement]
    faults = [f"{count} {name}" for name, count in asdict(row.faults).items() if count]
    return [*numbers, *picks, ", ".join(faults)]


def _show(store: Store, found: ClusterDetail, as_json: bool) -> None:
    pool = store.run(next(iter(found.cluster.picks)))["pool"]
    texts = {each.row: store.instruction(pool, each.row).text for each in found.members}
    if as_json:
        members = [asdict(each) | {"text": texts[each.row]} for each in found.members]
        print_json({"cluster": asdict(found.cluster), "members": members})
        return
    runs = list(found.cluster.picks)
    rows: list[list[object]] = [
        [each.row, each.distance, *(_verdict(each.verdicts[run]) for run in runs), texts[each.row]]
        for each in found.members
    ]
    print_table(["row", "distance", *runs, "instruction"], rows, one_line=2 + len(runs))
    _tell(found, runs)


def _verdict(verdict: Verdict) -> str:
    """`✓ 0.41 #3`: picked, how likely in the query that showed it last, its rank."""
    score = verdict.shown[-1].score if verdict.shown else None
    parts = ["✓" if verdict.rank else "", "" if score is None else f"{score:.2f}"]
    return " ".join(filter(None, [*parts, f"#{verdict.rank}" if verdict.rank else ""]))


def _tell(found: ClusterDetail, runs: list[str]) -> None:
    row = found.cluster
    twins = sum(len(each.near_duplicates) for each in found.members)
    left = [each for each in found.members if each.left_out]
    said: Mapping[str, Any] = {
        counted(row.size, "row"): True,
        counted(twins, "near-duplicate") + " under them": twins,
        f"{len(left)} of them left out: {left[0].left_out if left else ''}": left,
    }
    say(f"Cluster {row.id}: " + "; ".join(text for text, is_so in said.items() if is_so) + ".")
