"""`localsel prompts`: templates, and the exact text of a query that a run asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from math import exp
from pathlib import Path
from typing import Any, TypeVar

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError
from localsel.pipeline.trying import Question, Wording, question
from localsel.printable import visible
from localsel.stages.prompt import find_template, template_names
from localsel.store import LARGEST, Store

Options = TypeVar("Options", bound=Callable[..., Any])


@click.group("prompts", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the questions that can be put to a model."""
    if context.invoked_subcommand is None:
        found = [{"name": name, "about": find_template(name).about} for name in template_names()]
        if as_json:
            print_json(found)
        else:
            print_table(["prompt", "asks"], [list(row.values()) for row in found])


SHOW = """\b
Examples:
  localsel prompts show published
  localsel prompts show --run last --query 0
  localsel prompts show --run last --query 0 --prompt mine.toml --criteria "hard to answer"

With --run and --query: the text that a selector read, token by token; or what it would read with
another prompt, other criteria or another model.
"""

TRY = """\b
Examples:
  localsel prompts try --run last --query 0 --prompt mine.toml
  localsel prompts try --run last --query 0 --criteria "hard to answer" --model nano-llama --json

The candidates and their order are those of the run; nothing is stored.
"""


def wording_options(decorated: Options) -> Options:
    """What is asked, and how it is put."""
    for option in reversed(
        (
            click.option("--run", "run_name", metavar="RUN", help="A run of the workspace."),
            click.option("--query", type=click.IntRange(0, LARGEST), help="One of its queries."),
            click.option("--prompt", metavar="NAME", help="Another prompt, or the path of one."),
            click.option("--criteria", metavar="TEXT", help="Other criteria."),
            click.option("--model", metavar="PATH", help="Another model."),
        )
    ):
        decorated = option(decorated)
    return decorated


@command.command(epilog=SHOW)
@click.argument("name", required=False)
@wording_options
@workspace_option
@json_option
def show(
    name: str | None,
    run_name: str | None,
    query: int | None,
    prompt: str | None,
    criteria: str | None,
    model: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Show template NAME, or the exact prompt of a query."""
    if run_name is None or query is None:
        if name is None:
            raise UsageError("Name a prompt, or give --run RUN and --query I.")
        _show_template(name, as_json)
    else:
        wording = Wording(prompt or name or "", criteria, model or "")
        with asked(home(workspace), run_name, query, wording) as question:
            _show_query(question, as_json)


@command.command("try", epilog=TRY)
@wording_options
@workspace_option
@json_option
def try_(
    run_name: str | None,
    query: int | None,
    prompt: str | None,
    criteria: str | None,
    model: str | None,
    workspace: Path | None,
    as_json: bool,
) -> None:
    """Put a query of a run in another way, and see what is chosen now."""
    if run_name is None or query is None:
        raise UsageError("Give --run RUN and --query I.", "`localsel runs` lists the runs.")
    wording = Wording(prompt or "", criteria, model or "")
    with asked(home(workspace), run_name, query, wording) as question:
        document = _tried(question)
    if as_json:
        print_json(document)
    else:
        _print_tried(document)


@contextmanager
def asked(workspace: Path, run: str, query: int, wording: Wording) -> Iterator[Question]:
    """The query, read by its selector."""
    with (
        closing(Store(workspace)) as store,
        question(store, store.run(run), query, wording) as found,
    ):
        yield found


def _show_template(name: str, as_json: bool) -> None:
    template = find_template(name)
    parts = ("about", "criteria", "head", "candidate", "tail", "answer")
    if as_json:
        shown = {part: getattr(template, part) for part in parts}
        print_json({"name": template.name, **shown, "options": template.options})
    else:
        for part in parts:
            say(f"── {part}")
            click.echo(getattr(template, part).strip("\n"))
        if template.options:
            say("── options")
            click.echo(", ".join(template.options))


def _show_query(question: Question, as_json: bool) -> None:
    answer, tokens, shortened = question.answer, question.tokens, question.shortened
    if as_json:
        names = {"query": answer.query, "rows": answer.shown, "chosen": answer.chosen}
        print_json({**names, "tokens": tokens, "shortened": shortened, "text": question.text})
        return
    for line in question.text.split("\n"):
        click.echo(visible(line))
    # A server may count otherwise than it lets others count.
    is_exact = question.run["facts"].get("backend") != "openai"
    if is_exact and tokens != answer.prompt_tokens and answer.outcome == "answered":
        say(f"The run read {answer.prompt_tokens:,} tokens: another model or prompt than here.")
    say(f"{tokens:,} tokens, {len(answer.shown)} candidates, {len(shortened)} shortened.")


def _tried(question: Question) -> dict[str, Any]:
    choice, answer = question.ask(), question.answer
    size = len(answer.shown)
    before = {"chosen": answer.chosen, "scores": _shares(answer.scores, size)}
    return {
        "query": answer.query,
        "run": question.run["run"],
        "model": question.model,
        "prompt": question.template.name,
        "criteria": question.criteria,
        "tokens": choice.prompt_tokens,
        "text": question.text,
        "shown": answer.shown,
        "scores": _shares(choice.scores, size),
        "chosen": [answer.shown[place] for place in choice.positions],
        "probabilities": choice.probabilities,
        "before": before if answer.outcome == "answered" else None,
        "seconds": round(choice.seconds, 3),
        "shortened": question.shortened,
        "texts": question.texts,
    }


def _shares(scores: Sequence[float], size: int) -> Sequence[float | None]:
    """The probability of each label; a server may tell none."""
    return [*map(exp, scores)] or [None] * size


def _print_tried(found: dict[str, Any]) -> None:
    before = found["before"] or {"chosen": (), "scores": [None] * len(found["shown"])}
    rows: list[list[object]] = [
        [label, row, score, _mark(row, found["chosen"]), then, _mark(row, before["chosen"]), text]
        for label, (row, score, then, text) in enumerate(
            zip(found["shown"], found["scores"], before["scores"], found["texts"], strict=True), 1
        )
    ]
    head = ["label", "row", "now", "chosen", "in the run", "chosen", "instruction"]
    print_table(head, rows, one_line=6)
    kept = len(set(found["chosen"]) & set(before["chosen"]))
    say(
        f"{found['tokens']:,} tokens, {found['seconds']:.1f} s; {kept} of"
        f" {len(found['chosen'])} chosen as in the run. Nothing was stored."
    )


def _mark(row: int, chosen: Sequence[int]) -> str:
    return "✓" if row in chosen else ""
