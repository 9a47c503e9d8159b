"""A run, a comparison, a pool or a model → what the Workspace says of it beside the lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from localsel.printable import visible
from localsel.selectors import model_name
from localsel.tui.listing import name_of, signed
from localsel.wording import counted

if TYPE_CHECKING:
    from localsel.store import Store

WIDE = 10
TOLD = ("data", "budget", "method", "model", "workspace", "out", "display", "resume")
"""Settings that are named elsewhere, or that choose nothing."""

Facts = Sequence[tuple[str, object]]


def page(title: str, facts: Facts, *below: str) -> Group:
    """A heading, one fact a line, and sentences below; what is empty or None is left out."""
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=WIDE)
    grid.add_column(ratio=1, overflow="fold")
    for name, value in facts:
        if value not in (None, ""):
            grid.add_row(Text(name, style="dim"), Text(visible(value)))
    sentences = [Text(f"\n{visible(each)}") for each in below if each]
    return Group(Text(f"{visible(title)}\n", style="bold"), grid, *sentences)


def run_text(store: Store, name: str) -> Group:
    """Everything about a run that fits on a page.

    Raises:
        UsageError: it is not there any more.
    """
    from localsel.runs import run_record

    record = run_record(store, name)
    selector = (record["selector"] or {}).get("name")
    facts = [
        ("state", signed(record["state"])),
        ("started", datetime.fromtimestamp(record["created"]).strftime("%Y-%m-%d %H:%M")),
        ("selector", f"{selector} ({record['backend']})" if selector else None),
        ("method", record["method"]),
        ("picks", _picks(record)),
        ("review", _review(record["review"])),
        ("pool", _pool(record)),
        ("clusters", _clusters(record)),
        ("queries", _queries(record)),
        ("faults", _faults(record)),
        ("seconds", _seconds(record)),
        ("memory", memory(record["peak_memory"])),
        ("network", counted(record["connections_attempted"], "connection") + " attempted"),
        ("data", record["data"]),
        *_settings(record["settings"]),
    ]
    return page(f"Run {record['id']}", facts)


def _picks(record: Mapping[str, Any]) -> str:
    by = ", ".join(f"{count} by {who}" for who, count in record["chosen_by"].items())
    return f"{record['picked']:,} of {record['budget']:,}" + (f": {by}" if by else "")


def _review(counts: Mapping[str, int]) -> str:
    words = {"notes": "noted", "answers": "answered"}
    said = [
        f"{count} {words.get(name, name)}"
        for name, count in counts.items()
        if count and name != "changes"
    ]
    return ", ".join(said)


def _pool(record: Mapping[str, Any]) -> str:
    said = [counted(record["pool_rows"], "row")]
    for name, words in (("bad_rows", "broken"), ("duplicates", "duplicates")):
        said += [f"{record[name]:,} {words}"] * bool(record[name])
    if record["near_duplicates"]:
        said.append(f"{record['near_duplicates']:,} near-duplicates")
    return ", ".join(said)


def _clusters(record: Mapping[str, Any]) -> str:
    if not record["clusters"]:
        return ""
    if record["radius"] is None:
        return f"{record['clusters']:,}"
    said = f"{record['clusters']:,}, radius {record['radius']:.3f}"
    random = record["random_radius"]
    return f"{said} (random {random:.3f})" if random is not None else said


def _queries(record: Mapping[str, Any]) -> str:
    if not record["queries"]:
        return ""
    answers = counted(record["answers"], "answer")
    return f"{record['queries']:,}, {answers}, {record['prompt_tokens']:,} tokens"


def _faults(record: Mapping[str, Any]) -> str:
    names = ("abstained", "fallbacks", "shortened")
    said = [f"{record[name]:,} {name}" for name in names if record[name]]
    return ", ".join(said) or ("none" if record["queries"] else "")


def _seconds(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{stage} {spent:.1f}" for stage, spent in record["seconds_by_stage"].items())


def memory(found: int | None) -> str:
    return f"{found / 2**20:,.0f} MiB" if found else ""


def _settings(stored: Mapping[str, Any]) -> Facts:
    """Those that are not as they are by default."""
    from localsel.settings import fields

    said = []
    for name, field in fields().items():
        value = stored.get(name)
        default = None if field.default is MISSING else field.default
        if name not in TOLD and value not in (None, {}, [], False, default):
            said.append(f"{name.replace('_', '-')} {value}")
    return [("" if place else "settings", each) for place, each in enumerate(said)]


def comparison_text(runs: Sequence[Mapping[str, Any]], states: Mapping[str, str]) -> Group:
    """Who takes part in a comparison, and the command that asked for it."""
    command = runs[0]["facts"].get("sharing", {}).get("command", "")
    facts = [(run["run"], f"{name_of(run)}, {states.get(run['run'], '')}") for run in runs]
    says = "enter opens their clusters side by side, c the comparison."
    return page(f"Comparison of {counted(len(runs), 'run')}", facts, says, command)


def pool_text(pool: Mapping[str, Any]) -> Group:
    facts = [
        ("rows", f"{pool['rows']:,}"),
        ("broken", f"{pool['bad']:,}"),
        ("runs", f"{pool['runs']:,}"),
        ("layout", pool["layout"]),
        ("file", pool["path"]),
    ]
    return page("Pool", facts, "enter shows its rows, n starts a run.")


def model_text(path: Path, size: int) -> Group:
    facts = [("size", memory(size)), ("file", path)]
    return page(f"Model {model_name(path)}", facts, "enter shows what it is, n starts a run.")
