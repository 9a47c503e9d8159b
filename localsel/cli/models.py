"""`localsel models`: weights on this machine → what they are, and whether they can be used."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from pathlib import Path

import click

from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError, WorkspaceError
from localsel.selectors import find_selector, weights
from localsel.store import Store


@click.group("models", invoke_without_command=True)
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List the selectors that can be named without a path.

    Looked for in ./models, in the workspace's models, in the folders of LOCALSEL_MODELS (parted by
    colons) and in localsel itself.
    """
    if context.invoked_subcommand is not None:
        return
    found = [
        {"name": path.stem, "mebibytes": round(path.stat().st_size / 2**20, 1), "path": str(path)}
        for path in weights(home(workspace))
    ]
    if as_json:
        print_json(found)
    elif found:
        rows = [[row["name"], f"{row['mebibytes']:.1f}", row["path"]] for row in found]
        print_table(["model", "MiB", "path"], rows)
    else:
        say("No GGUF file here. `localsel models add FILE` takes one up; --model takes any path.")


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@workspace_option
@json_option
def check(path: Path, workspace: Path | None, as_json: bool) -> None:
    """Read the header of a GGUF, load it, and try to make it break the constraint."""
    card = model_card(Path(find_selector(str(path), home(workspace))))
    if as_json:
        print_json(card)
    else:
        print_table(["", ""], [[name.replace("_", " "), value] for name, value in card.items()])
        say("It can be used.")


@command.command(epilog="Then: localsel run DATA --budget N --model NAME")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it. [default: the file's name]")
@click.option("--copy", is_flag=True, help="Copy the file instead of linking to it.")
@workspace_option
def add(path: Path, name: str | None, copy: bool, workspace: Path | None) -> None:
    """Take a GGUF file up into the workspace, once it has passed the checks."""
    folder = home(workspace) / "models"
    name = (name or path.stem).removesuffix(".gguf")
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"--name {name}: a name has no slashes in it.")
    target = folder / f"{name}.gguf"
    if target.exists() or target.is_symlink():
        raise UsageError(f"There is a model {name!r} already: {target}.", "Choose another --name.")
    model_card(path)
    with closing(Store(home(workspace))):
        folder.mkdir(mode=0o700, exist_ok=True)
    take_up(path.resolve(), target, copy)
    say(f"{name} can be used: localsel run DATA --budget N --model {name}")


def take_up(path: Path, target: Path, copy: bool) -> None:
    """Links `target` to the file, or copies it; nothing half-copied is left."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        if copy:
            shutil.copyfile(path, partial)
            partial.replace(target)
        else:
            target.symlink_to(path)
    except OSError as error:
        raise WorkspaceError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


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
