"""`localsel doctor`: this machine → what works, what does not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json
from localsel.health import Finding, examine
from localsel.printable import visible

FAILED = 3
SIGNS = {"ok": "✓", "warning": "!", "failure": "×"}
INDENT = 15


@click.command("doctor")
@workspace_option
@json_option
def command(workspace: Path | None, as_json: bool) -> None:
    """Check what localsel needs. Exit code 3 if something that it cannot do without fails."""
    findings = []
    for finding in examine(home(workspace)):
        findings.append(finding)
        if not as_json:
            # As it is found: some libraries take seconds.
            click.echo("\n".join(lines(finding, get_terminal_size().columns)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        click.echo(verdict(findings))
    if any(finding.state == "failure" for finding in findings):
        raise click.exceptions.Exit(FAILED)


def lines(finding: Finding, width: int) -> Iterator[str]:
    """One finding for people: a sign, the state where it is not ok, what was seen, what to do."""
    state = "" if finding.state == "ok" else f"{finding.state}: "
    head = f"{SIGNS[finding.state]} {finding.what}"
    room = max(width - INDENT, 20)
    said = wrap(visible(f"{state}{finding.seen}"), room, break_on_hyphens=False) or [""]
    for place, text in enumerate(
        [*said, *wrap(visible(finding.advice), room - 2, break_on_hyphens=False)]
    ):
        mark = "→ " if place == len(said) else "  " if place > len(said) else ""
        yield f"{head if not place else '':<{INDENT}}{mark}{text}"


def verdict(findings: list[Finding]) -> str:
    """The last line."""
    failed = [finding.what for finding in findings if finding.state == "failure"]
    warned = [finding.what for finding in findings if finding.state == "warning"]
    if failed:
        return f"Something is missing: {', '.join(failed)}."
    return f"It works; look at {', '.join(warned)}." if warned else "Everything works."
