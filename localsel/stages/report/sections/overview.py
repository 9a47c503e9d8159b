"""A comparison → its title, its facts, who took part, and the summary in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from localsel.stages.report.blocks import Block, Cell, Column, Facts, Row, Section, Words
from localsel.stages.report.figures import count, moment, plain
from localsel.stages.report.finding import entries, found, listed
from localsel.stages.report.plots.series import Lineup
from localsel.stages.report.sections.parts import row, say, table
from localsel.stages.report.texts import visible
from localsel.wording import counted

COLUMNS = (
    Column("Kind", "word"),
    Column("State", "word"),
    Column("Picks"),
    Column("sha256", "code"),
    Column("Run", "code"),
    Column("Path or seeds", "text"),
)
READING = (
    "All selectors chose from the same queries, baselines from the whole pool. sha256 is the"
    " beginning of the weights' checksum; the whole of it is under “How it was made”."
)


def title(comparison: Mapping[str, Any]) -> str:
    asked = [each for each in entries(comparison, "selectors") if each.get("kind") != "human"]
    chose = counted(len(asked), "selector")
    data = comparison.get("data")
    return f"What {chose} chose" + (
        f" from {visible(PurePath(str(data)).name, 80)}" if data else ""
    )


def under(comparison: Mapping[str, Any]) -> str:
    """Made by what, and when."""
    version = plain(found(comparison, "versions", "localsel"))
    made = f"localsel {version}" if version else "localsel"
    return ", ".join(filter(None, [made, moment(comparison.get("created"))]))


def facts(comparison: Mapping[str, Any]) -> Facts:
    rows = comparison.get("pool_rows") or found(comparison, "pool", "rows")
    named = {
        "Rows in the pool": rows,
        "Budget": comparison.get("budget"),
        "Picks compared": comparison.get("picks"),
        "Clusters": comparison.get("clusters"),
        "Queries asked": comparison.get("questions"),
        "Orders": comparison.get("orders"),
    }
    said = {name: _single(value) for name, value in named.items()}
    return Facts(tuple((name, value) for name, value in said.items() if value))


def _single(value: object) -> str:
    """A figure or a word; longer things have their place further down."""
    if isinstance(value, Mapping | list | tuple):
        return ""
    return count(value) if isinstance(value, int | float) else plain(value)


def summary(comparison: Mapping[str, Any]) -> Section:
    texts = tuple(visible(text, 1_000) for text in listed(comparison, "summary"))
    nothing = Words(("No summary was made of this comparison.",))
    return Section("summary", "Summary", (Words(texts, points=True) if texts else nothing,))


def compared(comparison: Mapping[str, Any], who: Lineup) -> Section:
    data = comparison.get("data")
    layout = f" ({visible(comparison['layout'])})" if comparison.get("layout") else ""
    blocks: list[Block] = say(f"Data: {visible(data)}{layout}" if data else "")
    blocks += table("Who took part", "Name", COLUMNS, _rows(comparison, who), READING)
    blocks += table("What failed", "Name", [Column("Why", "text")], _failed(comparison))
    return Section("compared", "What was compared", tuple(blocks or say("Nothing.")))


def _rows(comparison: Mapping[str, Any], who: Lineup) -> list[Row]:
    models = [row(who.of(each), _selector(each)) for each in entries(comparison, "selectors")]
    simple = [row(who.of(each), _baseline(each)) for each in entries(comparison, "baselines")]
    return models + simple


def _selector(each: Mapping[str, Any]) -> list[str | Cell]:
    state, error = plain(each.get("state")), plain(each.get("error"))
    return [
        plain(each.get("kind") or "selector"),
        Cell(state, error),
        count(each.get("picked")),
        str_short(each.get("sha256")),
        plain(each.get("run")),
        visible(each["path"]) if each.get("path") else "",
    ]


def _baseline(each: Mapping[str, Any]) -> list[str | Cell]:
    seeds = plain(list(listed(each, "seeds_used")))
    runs = plain(list(listed(each, "runs")))
    return ["baseline", "", count(each.get("picked")), "", runs, seeds]


def str_short(checksum: object) -> str:
    return visible(checksum, 400)[:12] if checksum else ""


def _failed(comparison: Mapping[str, Any]) -> list[Row]:
    return [
        Row(visible(each.get("name"), 60), (Cell(plain(each.get("error")) or "not said"),))
        for each in entries(comparison, "failed")
    ]
