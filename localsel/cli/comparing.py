"""A comparison as it goes, and its dict at the end → what a person sees, or a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Any, TextIO

import click

from localsel.cli.display import open_display, watch
from localsel.cli.output import json_text, print_table, say
from localsel.errors import UsageError
from localsel.events import Event
from localsel.printable import visible
from localsel.settings import Display as Kind
from localsel.stages.export import check_writable
from localsel.stages.export.files import replace_all
from localsel.summary import held, network, summary

WIDEST = 100
NAMES = ("report.html", "report.md", "comparison.json")


def show(events: Iterator[Event], kind: Kind, what: str = "comparison") -> dict[str, Any]:
    """A display for each of those who take part, and of a baseline its name alone.

    Returns `what` the last event holds.
    """
    last: dict[str, Any] = {}
    for (name, is_baseline), group in groupby(events, _whose):
        talks = bool(name) and kind not in ("json", "none")
        if talks:
            say(f"── {visible(name)}")
        last = watch(group, open_display("none" if talks and is_baseline else kind))
        if talks and not is_baseline and "record" in last:
            say(summary(last["record"], None)[0])
    found: dict[str, Any] = last[what]
    return found


def _whose(event: Event) -> tuple[object, object]:
    return event.details.get("selector", ""), event.details.get("baseline", False)


def check_folder(folder: Path) -> None:
    """Makes the folder of a report.

    Raises:
        UsageError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"--out {folder} is a file.", "Name a folder.") from error
    except OSError as error:
        raise UsageError(f"--out {folder} cannot be made: {error.strerror}.") from error
    for name in NAMES:
        check_writable(folder / name)


def write_report(comparison: Mapping[str, Any], folder: Path) -> None:
    """Writes the page, the same in Markdown, and the figures as JSON."""
    from localsel.stages.report import html, markdown

    texts = (html(comparison), markdown(comparison), json_text(comparison, indent=1) + "\n")
    written = dict(zip((folder / name for name in NAMES), texts, strict=True))
    replace_all({path: partial(_write, text) for path, text in written.items()})


def _write(text: str, file: TextIO) -> None:
    # Names of files need not be UTF-8.
    file.write(text.encode("utf-8", "replace").decode())


def print_comparison(comparison: Mapping[str, Any]) -> None:
    """What a person wants to know first."""
    selectors = comparison["selectors"]
    head = ["selector", "run", "self", "chance", "pos. p", "entropy", "distance", "seconds"]
    rows = [_selector(each) for each in [*selectors, *comparison["baselines"]]]
    told = [place for place in range(len(head)) if any(row[place] != "" for row in rows)]
    print_table([head[place] for place in told], [[row[place] for place in told] for row in rows])
    if comparison["pairs"]:
        click.echo()
        form = "cross_order" if comparison["orders"] > 1 else "same_order"
        head = ["pair", "overlap", "chance", "95 %", "kappa", "p", "same picks"]
        print_table(head, [_pair(each, form) for each in comparison["pairs"]])
    click.echo()
    for sentence in comparison["summary"]:
        _print_point(sentence)
    for each in comparison["failed"]:
        _print_point(f"{each['name']} failed: {each['error']}")
    for line in [*network(comparison), *held(comparison)]:
        say(line)


def _print_point(sentence: str) -> None:
    """A sentence behind a bullet, in lines that fit the terminal."""
    width = min(get_terminal_size((WIDEST, 0)).columns, WIDEST)
    text = visible(sentence).replace(" %", "\u00a0%")
    click.echo(fill(text, width, initial_indent="• ", subsequent_indent="  "))


def _selector(each: Mapping[str, Any]) -> list[object]:
    position, coverage = each.get("position"), each["coverage"]
    return [
        visible(each["name"]),
        each.get("run") or ", ".join(each.get("runs", [])[:1]),
        share(each.get("self_agreement")),
        share((each.get("self_pair") or {}).get("expected")),
        probability(position["p_value"]) if position else "",
        f"{each['entropy']:.2f}" if each.get("entropy") is not None else "",
        f"{coverage['mean_distance']:.3f}" if coverage else "",
        f"{seconds:.1f}" if (seconds := (each.get("cost") or {}).get("seconds")) else "",
    ]


def _pair(each: Mapping[str, Any], form: str) -> list[object]:
    interval, kappa = each["interval"][form], each["kappa"][form]
    return [
        visible(f"{each['a']} · {each['b']}"),
        share(each["overlap"][form]),
        share(each["expected"][form]),
        " – ".join(map(share, interval or ())),
        "" if kappa is None else f"{kappa:.2f}",
        probability(each["p_value"][form]),
        each["selection"]["shared"],
    ]


def share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def probability(value: float | None) -> str:
    """A p-value as papers print it."""
    if value is None:
        return ""
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"
