"""The command line: one command a file, imported only when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

STOPPED = 130

COMMANDS = {
    "demo": "the whole pipeline on the bundled example, in under a minute",
    "preview": "how a file will be read, and its first rows",
    "run": "choose instructions from a file",
    "compare": "several selectors and baselines on identical queries",
    "report": "finished runs as one page to read and to pass on",
    "tui": "all of this on screens, in this terminal; `localsel` alone opens it",
    "pools": "what was read into this workspace, row by row",
    "runs": "what was run in this workspace; carry a run to another",
    "show": "one run: what was chosen, and how",
    "review": "look through a selection, change it, or choose blind and see who agrees",
    "clusters": "the clusters of a run, and everything about one of them",
    "neighbours": "the rows that are nearest to a row",
    "map": "the pool of a run as points on a plane",
    "attach": "follow a run that was started with --detach",
    "stop": "stop a run that is going on",
    "export": "write the chosen instructions to a file",
    "import-labels": "join annotations back to the picks of a run",
    "rm": "delete a run",
    "models": "which selectors are here, and what they are",
    "methods": "what can select",
    "prompts": "the questions put to a model, and the exact text of a query",
    "config": "settings, and where each value comes from",
    "doctor": "what works on this machine, and what to do about the rest",
    "bundle": "everything for an air-gapped machine in one folder: make, check, install it",
    "bench": "this project's benchmarks, as ratios measured in one run",
}


class LazyGroup(click.Group):
    """Knows all commands by name and help; imports the one that is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"localsel.cli.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
        if arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
            hint = f" Did you mean {near[0]!r}?" if near else " See `localsel --help`."
            context.fail(f"There is no command {arguments[0]!r}.{hint}")
        return super().resolve_command(context, arguments)

    def invoke(self, context: click.Context) -> Any:
        try:
            result = super().invoke(context)
            sys.stdout.flush()
            return result
        except (BrokenPipeError, SystemExit) as error:
            # Rich makes a SystemExit of it.
            if not any(isinstance(each, BrokenPipeError) for each in (error, error.__context__)):
                raise
            # Whoever read our output has seen enough; nothing may be flushed into it any more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = STOPPED if context.invoked_subcommand in ("demo", "run", "compare") else 0
            raise click.exceptions.Exit(code) from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EXAMPLES = """\b
Examples:
  localsel demo
  localsel run data.jsonl --budget 300 --model gemma-2-9b-it-Q4_K_M.gguf --out picks.jsonl
  localsel show last
  localsel export last --to csv --out picks.csv
"""


@click.group(cls=LazyGroup, invoke_without_command=True, epilog=EXAMPLES)
@click.version_option(package_name="localsel", message="localsel %(version)s")
@click.pass_context
def localsel(context: click.Context) -> None:
    """Choose which instructions are worth annotating, offline, with a local language model.

    Shell completion: eval "$(_LOCALSEL_COMPLETE=bash_source localsel)"; zsh and fish likewise.
    """
    # In a terminal the TUI has been opened before this is asked.
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
