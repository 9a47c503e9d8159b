"""What a rehearsal found → a few lines for whoever decides whether to start the run."""

from __future__ import annotations

from typing import Any

from localsel.cli.output import print_table
from localsel.printable import visible
from localsel.wording import duration


def print_estimate(plan: dict[str, Any], name: str = "a run of these settings") -> None:
    """Two columns on stdout."""
    rows: list[list[object]] = [["rows to choose from", plan["open_rows"]]]
    rows.append(["picks", plan["budget"]])
    if "queries" in plan:
        rows += [
            ["clusters", plan["clusters"]],
            ["queries", plan["queries"]],
            ["candidates shown", plan["candidates_shown"]],
            ["near-duplicates left out", plan["near_duplicates"]],
        ]
    if "prompt_tokens" in plan:
        rows.append(["prompt tokens", plan["prompt_tokens"]])
    if "longest_prompt" in plan:
        longest = f"{plan['longest_prompt']:,} of {plan['context']:,} tokens"
        rows.append(["longest prompt", longest])
    if "shortened" in plan:
        rows.append(["candidates shortened", plan["shortened"]])
    if "new_tokens" in plan:
        rows.append(["tokens to write, at most", plan["new_tokens"]])
    if "choose_seconds" in plan:
        rows.append(["choosing takes about", duration(plan["choose_seconds"])])
    rows.append(["memory, at most so far", f"{plan['peak_memory'] / 2**20:,.0f} MiB"])
    print_table([visible(name), ""], rows)
