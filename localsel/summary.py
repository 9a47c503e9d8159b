"""A run's record → the few lines that a person reads at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from shlex import quote
from typing import Any

from localsel.settings import fields, flag_of
from localsel.wording import counted


def summary(record: dict[str, Any], out: Path | None) -> list[str]:
    """The run in a few lines, and what to do next."""
    if not _has_chosen(record):
        return unfinished(record)
    home = record["settings"]["workspace"]
    there = f" --workspace {quote(home)}" if home else ""
    next_step = f"Next: localsel export {record['id']} --out picks.jsonl{there}"
    where = f"Written to {out}." if out else next_step
    return [*outcome(record), *held(record), where]


def _has_chosen(record: Mapping[str, Any]) -> bool:
    return bool(record["picked"] or record["review"]["changes"])


def outcome(record: dict[str, Any]) -> list[str]:
    """What came of the run, in a few lines."""
    if not _has_chosen(record):
        return unfinished(record)[:1]
    seconds = sum(record["seconds_by_stage"].values())
    lines = [
        f"Chose {record['picked']:,} of {record['pool_rows']:,} instructions"
        f" in {seconds:.1f} s (run {record['id']})."
    ]
    if record["bad_rows"]:
        lines.append(f"{record['bad_rows']:,} broken rows were skipped; see show --json.")
    if record["queries"]:
        lines.append(
            f"{record['clusters']:,} clusters, {record['queries']:,} queries,"
            f" {record['prompt_tokens']:,} prompt tokens,"
            f" {record['abstained']:,} unanswered, {record['fallbacks']:,} fallbacks."
        )
    if record["random_radius"] is not None:
        lines.append(
            f"Clusters: radius {record['radius']:.3f} (random"
            f" {record['random_radius']:.3f}), mean distance {record['mean_distance']:.3f}"
            f" (random {record['random_mean_distance']:.3f})."
        )
    if record["state"] == "over-limit":
        what = "rows have no score" if record["unscored"] else "queries were not answered"
        lines.append(
            f"More {what} than --max-fallback {record['settings']['max_fallback']:.0%} allows:"
            " the exit code is 4."
        )
    lines += reviewed(record["review"])
    return lines + network(record)


def network(record: Mapping[str, Any]) -> list[str]:
    """What was attempted over the network, and by whom; also of a comparison."""
    lines = [f"{counted(record['connections_attempted'], 'connection')} attempted."]
    return lines + [f"Refused: {_attempt(each)}." for each in record["connections_refused"]]


def held(record: Mapping[str, Any]) -> list[str]:
    """What held it off the network, and who was let through; nothing where nobody knows."""
    offline = record["offline"]
    if not offline:
        return []
    by = "the guard and a network namespace"
    line = by if offline["namespace"] else f"the guard alone: {offline['why']}"
    lines = [f"Held off the network by {line}."]
    return lines + [f"Allowed: {_attempt(each)}." for each in offline["allowed"]]


def _attempt(each: Mapping[str, Any]) -> str:
    times = f", {each['times']:,} times" if each["times"] > 1 else ""
    return f"{each['by']} to {each['to']} ({each['how']}{times})"


def reviewed(counts: dict[str, int]) -> list[str]:
    """What a person changed, in one line; none where nobody did."""
    said = [f"{counts[name]:,} {name}" for name in ("accepted", "banned", "swapped", "skipped")]
    said += [counted(counts[f"{noun}s"], noun) for noun in ("note", "answer")]
    some = [each for each in said if not each.startswith("0 ")]
    return [f"Reviewed: {', '.join(some)}."] if some else []


def unfinished(record: dict[str, Any]) -> list[str]:
    """How far a run came that has chosen nothing yet, and how it goes on."""
    asked = record["queries"] * record["settings"]["orders"]
    far = f" {record['answers']:,} of {asked:,} queries are answered." if asked else ""
    why = record["failure"] or f"nothing is chosen yet.{far}"
    head = f"Run {record['id']} is {record['state']}: {why}"
    if record["state"] == "running":
        return [head, f"Follow it: localsel attach {record['id']}"]
    return [head, f"It goes on with: {record['compared'] or command_line(record['settings'])}"]


def command_line(stored: dict[str, Any]) -> str:
    """The command that a run was started with, as far as it differs from the defaults."""
    words = ["localsel", "run", stored["data"]]
    for name, field in fields().items():
        value = stored.get(name)
        default = field.default if field.default is not MISSING else None
        if name == "data" or value in (None, {}, [], False) or value == default:
            continue
        flag = flag_of(name)
        if isinstance(value, dict):
            pairs = [f"{key}={each}" for key, each in value.items()]
            value = pairs if name == "where" else ",".join(pairs)
        if value is True:
            words.append(flag)
        for each in value if isinstance(value, list) else [] if value is True else [value]:
            words += [flag, str(each)]
    return " ".join(map(quote, words))
