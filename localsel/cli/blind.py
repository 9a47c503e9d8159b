"""Choosing blind, as `localsel review` shows it: queries out, a person's choices in, who agrees."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

import click

from localsel.blind import Blind, check, check_chosen, choose, forget, sample, score
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError
from localsel.printable import visible
from localsel.store import Store
from localsel.wording import counted


def show_sample(store: Store, run: dict[str, Any], count: int, as_json: bool) -> None:
    """Queries to choose in, with what was chosen by the person and by nobody else."""
    drawn = sample(store, run, count)
    choices = store.choices(run["plan"])
    found = [_query(store, run, each, choices.get(each.query)) for each in drawn]
    if as_json:
        print_json(found)
        return
    for each in found:
        _print_query(each)
    done = sum(each["chosen"] is not None for each in found)
    say(f"You have chosen in {done:,} of these {counted(len(found), 'query', 'queries')}.")
    say(f"Choose with: localsel review {run['run']} --choose QUERY ROW,ROW")


def _query(
    store: Store, run: dict[str, Any], blind: Blind, chosen: Sequence[int] | None
) -> dict[str, Any]:
    shown = [store.instruction(run["pool"], row) for row in blind.rows]
    return {
        "query": blind.query,
        "quota": blind.quota,
        "candidates": [
            {
                "label": label_of(place),
                "row": each.row,
                "instruction": each.instruction,
                "input": each.input,
            }
            for place, each in enumerate(shown)
        ],
        "chosen": None if chosen is None else list(chosen),
    }


def label_of(place: int) -> str:
    """A, B, … Z, AA, AB: no number, which might be taken for a row."""
    before = label_of(place // 26 - 1) if place >= 26 else ""
    return before + ascii_uppercase[place % 26]


def _print_query(each: dict[str, Any]) -> None:
    wants = counted(each["quota"], "row")
    yours = f", yours: {', '.join(map(str, each['chosen']))}" if each["chosen"] else ""
    click.echo(visible(f"Query {each['query']}, choose {wants}{yours}"))
    rows: list[list[object]] = [
        [one["label"], one["row"], "\n".join(filter(None, (one["instruction"], one["input"])))]
        for one in each["candidates"]
    ]
    print_table(["", "row", "instruction"], rows, one_line=2)
    click.echo()


def keep(
    store: Store,
    run: dict[str, Any],
    chosen: Sequence[tuple[int, str]],
    forgotten: Sequence[int],
    as_json: bool,
) -> None:
    """Keeps choices and takes others back, all or none; then all that there are, by query."""
    read = [(query, _rows(text)) for query, text in chosen]
    for query, rows in read:
        check(store, run, query, rows)
    taken_back = dict.fromkeys(forgotten)
    for query in taken_back:
        check_chosen(store, run, query)
    for query, rows in read:
        choose(store, run, query, rows)
        say(f"Kept your choice in query {query}.")
    for query in taken_back:
        forget(store, run, query)
        say(f"Forgot your choice in query {query}.")
    if as_json:
        kept = store.choices(run["plan"])
        print_json([{"query": query, "chosen": list(rows)} for query, rows in kept.items()])


def _rows(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no list of rows.", "Give row numbers with commas between them: 12,40."
        ) from error


def show_score(store: Store, run: dict[str, Any], as_json: bool) -> None:
    """Every ended run on the plan, beside the person."""
    found = score(store, run)
    if as_json:
        print_json(found)
        return
    names = ("name", "run", "queries", "shared", "chosen", "agreement", "expected", "p_value")
    print_table(list(names), [[each[name] for name in names] for each in found], one_line=0)
    say("Expected is the agreement with a selector that draws; p is how often one agrees as much.")
