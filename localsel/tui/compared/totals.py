"""A comparison → how well each selection covers the pool, what it cost, and what can be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from localsel.tui.compared.reading import (
    Found,
    Reading,
    grid,
    headed,
    number,
    sentences,
    share,
)
from localsel.wording import duration

ROOM = 90


def coverage(reading: Reading) -> RenderableType:
    found = reading.found
    everybody = [*found["selectors"], *found["baselines"]]
    return Group(
        headed(
            "Coverage",
            "distance of the pool's rows to the nearest pick: smaller is better",
            first=True,
        ),
        covered(reading, everybody),
        headed("Cost", "on the machine of each run"),
        costs(reading),
    )


def covered(reading: Reading, everybody: Sequence[Found]) -> RenderableType:
    """What is farthest to say is left out where there is no room."""
    names: Sequence[str] = (
        "mean",
        "farthest",
        "vs random",
        "clusters",
        "twins",
        "entropy",
        "apart",
    )
    names = names[:6] if reading.width < ROOM else names
    table = grid("", *names)
    for each in everybody:
        if each["coverage"] is not None:
            table.add_row(reading.named(each), *list(_measures(each))[: len(names)])
    if not table.row_count:
        return Text("This workspace has no vectors of these runs.")
    return table


def _measures(each: Found) -> Iterator[str]:
    measures = each["coverage"]
    yield number(measures["mean_distance"], 3)
    yield number(measures["radius"], 3)
    yield against((each["against_random"] or {}).get("mean_distance"))
    yield share(measures["clusters_hit"])
    yield number(measures["near_duplicates"], 0)
    yield number(each.get("entropy"))
    yield number(measures["pairwise_distance"], 3)


def against(found: Found | None) -> str:
    """The difference to random selections, and how many of their deviations that is."""
    if not found or found["difference"] is None:
        return ""
    z = "" if found["z"] is None else f" (z {found['z']:+.1f})"
    return f"{found['difference']:+.3f}{z}"


def costs(reading: Reading) -> Table:
    table = grid("", "time", "tokens", "tokens/s", "memory", "no answer", "at random")
    for each in reading.selectors:
        cost = each.get("cost")
        if cost:
            speed, memory = cost["tokens_per_second"], cost["peak_memory"]
            table.add_row(
                reading.named(each),
                "" if cost["seconds"] is None else duration(cost["seconds"]),
                f"{cost['prompt_tokens']:,}",
                "" if speed is None else f"{speed:,.0f}",
                "" if memory is None else f"{memory / 2**20:,.0f} MiB",
                f"{cost['abstained']:,}",
                f"{cost['fallbacks']:,}",
            )
    return table


def summary(reading: Reading) -> RenderableType:
    found = reading.found
    failed = [f"{each['name']} failed: {each['error']}" for each in found["failed"]]
    asked = f"{found['picks']:,} picks from {found['pool_rows']:,} rows in {found['questions']:,}"
    return Group(
        headed("What can be said", f"{asked} queries", first=True),
        sentences([*found["summary"], *failed]),
        headed("Picked by nobody else"),
        alone(reading),
    )


def alone(reading: Reading) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in reading.selectors:
        rows = ", ".join(map(str, each["only"][:12]))
        more = f" and {len(each['only']) - 12:,} more" if len(each["only"]) > 12 else ""
        table.add_row(reading.named(each), f"{len(each['only']):,}: {rows}{more}")
    return table
