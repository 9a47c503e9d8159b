"""`localsel models`: weights on this machine → what they are, and whether they can be used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.settings import resource


@click.group("models", invoke_without_command=True)
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List the selectors in ./models, in the workspace and in localsel itself."""
    if context.invoked_subcommand is not None:
        return
    found = [
        {"name": path.stem, "mebibytes": round(path.stat().st_size / 2**20, 1), "path": str(path)}
        for path in weights(home(workspace))
    ]
    if as_json:
        print_json(found)
    elif found:
        print_table(["model", "MiB", "path"], [list(row.values()) for row in found])
    else:
        say("No GGUF file here. Put one into ./models, or name any path with --model.")


def weights(workspace: Path) -> Iterator[Path]:
    """Every GGUF in the folders where localsel looks, each once."""
    seen = set()
    for folder in (Path("models"), workspace / "models", resource("models")):
        for path in sorted(folder.rglob("*.gguf")):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def check(path: Path, as_json: bool) -> None:
    """Read the header of a GGUF, load it, and try to make it break the constraint."""
    card = model_card(path)
    if as_json:
        print_json(card)
    else:
        print_table(["", ""], [[name.replace("_", " "), value] for name, value in card.items()])
        say("It can be used.")


def model_card(path: Path) -> dict[str, object]:
    """What there is to know of one GGUF.

    Raises:
        BackendError: it cannot be used.
    """
    from localsel.backends.base import Opening
    from localsel.backends.chat import takes_system
    from localsel.backends.llamacpp import LlamaCppBackend
    from localsel.backends.probe import probe

    header = probe(path)
    template = header.pop("chat_template")
    backend = LlamaCppBackend.open(Opening(str(path)))
    context, parameters = backend.context, backend.parameters
    backend.close()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        **header,
        "parameters": parameters,
        "mebibytes": round(path.stat().st_size / 2**20, 1),
        "context_used": context,
        "chat_template": bool(template),
        "takes_a_system_message": takes_system(str(template)) if template else None,
        "sha256": digest,
        "canary": "held: a forbidden answer did not come through",
    }
