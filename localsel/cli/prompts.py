"""`localsel prompts`: templates, and the exact text of a query that a run asked."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from localsel.backends import BACKENDS
from localsel.backends.base import Backend, Opening
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError
from localsel.methods.fitting import Fitter
from localsel.pipeline.identity import backend_of
from localsel.printable import visible
from localsel.records import Answer
from localsel.selectors import find_selector
from localsel.stages.prompt import find_template, template_names
from localsel.store import Store


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


@command.command(epilog="With --run and --query: the text that a selector read, token by token.")
@click.argument("name", required=False)
@click.option("--run", "run_name", metavar="RUN", help="A run of the workspace.")
@click.option("--query", type=int, help="One of its queries, by number.")
@click.option("--model", metavar="PATH", help="Count tokens with this model. [default: the run's]")
@workspace_option
@json_option
def show(
    name: str | None,
    run_name: str | None,
    query: int | None,
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
        _show_query(run_name, query, model, home(workspace), as_json)


def _show_template(name: str, as_json: bool) -> None:
    template = find_template(name)
    parts = ("about", "criteria", "head", "candidate", "tail", "answer")
    if as_json:
        print_json({"name": template.name} | {part: getattr(template, part) for part in parts})
    else:
        for part in parts:
            say(f"── {part}")
            click.echo(getattr(template, part).strip("\n"))


def _show_query(
    run_name: str, query: int, model: str | None, workspace: Path, as_json: bool
) -> None:
    with closing(Store(workspace)) as store:
        run = store.run(run_name)
        answer = store.answers(run["run"]).get((query, 0))
        if answer is None:
            raise UsageError(f"Run {run['run']} has not asked a query {query}.")
        texts = [store.instruction(run["pool"], row).text for row in answer.shown]
    settings = run["settings"]
    model = find_selector(model or run["facts"]["selector"]["path"], workspace)
    backend_class: type[Backend] = BACKENDS.load(backend_of(model))
    opening = Opening(model, settings["context"], settings["threads"])
    with closing(backend_class.open(opening)) as backend:
        template = find_template(settings["prompt"])
        fitter = Fitter([backend], template, settings["criteria"])
        prompt, cut = fitter.fit(texts, len(answer.chosen))
        tokens, text = backend.count_prompt(prompt), backend.whole(prompt)
    if as_json:
        shortened = [answer.shown[place] for place in cut]
        print_json(_as_json(answer, text, tokens, shortened))
    else:
        for line in text.split("\n"):
            click.echo(visible(line))
        if tokens != answer.prompt_tokens and answer.outcome == "answered":
            say(f"The run read {answer.prompt_tokens:,} tokens: another model or prompt than here.")
        say(f"{tokens:,} tokens, {len(texts)} candidates, {len(cut)} shortened.")


def _as_json(answer: Answer, text: str, tokens: int, shortened: list[int]) -> dict[str, object]:
    return {
        "query": answer.query,
        "rows": answer.shown,
        "chosen": answer.chosen,
        "tokens": tokens,
        "shortened": shortened,
        "text": text,
    }
