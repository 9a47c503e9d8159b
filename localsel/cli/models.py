"""`localsel models`: weights on this machine → what they are, and whether they can be used."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click

from localsel import offline
from localsel.cli.options import (
    home,
    json_option,
    settings_from,
    settings_options,
    workspace_option,
)
from localsel.cli.output import print_json, print_table, say
from localsel.errors import UsageError, WorkspaceError
from localsel.selectors import (
    find_selector,
    is_served,
    model_name,
    model_size,
    quality_models,
    weights,
)
from localsel.settings import Settings, fields

LIMITS = (
    *("backend", "context", "threads", "gpus", "gpu_memory", "constraint", "allow_host"),
    "workspace",
)
"""What of the settings of a run a check goes by."""


@click.group("models", invoke_without_command=True)
@workspace_option
@json_option
@click.pass_context
def command(context: click.Context, workspace: Path | None, as_json: bool) -> None:
    """List the selectors that can be named without a path.

    GGUF files and Hugging Face folders in ./models, in the workspace's models, in the folders of
    LOCALSEL_MODELS (parted by colons) and in localsel itself.
    """
    if context.invoked_subcommand is not None:
        return
    found = list(_listed("selector", weights(home(workspace))))
    rating = list(_listed("quality", quality_models(home(workspace))))
    if as_json:
        print_json([*found, *rating])
        return
    if found:
        rows = [[row["name"], f"{row['mebibytes']:.1f}", row["path"]] for row in found]
        print_table(["model", "MiB", "path"], rows)
    else:
        say("No model here. `localsel models add PATH` takes one up; --model takes any path.")
    if rating:
        names = ", ".join(row["name"] for row in rating)
        say(f"Quality models, which rate answers and choose nothing: {names}.")


def _listed(kind: str, paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        with suppress(OSError):
            size = round(model_size(path) / 2**20, 1)
            yield {"name": model_name(path), "kind": kind, "mebibytes": size, "path": str(path)}


@command.command()
@click.argument("model", metavar="PATH")
@settings_options(*(name for name in fields() if name not in LIMITS))
@json_option
def check(model: str, config: Path | None, as_json: bool, **flags: object) -> None:
    """Read the headers of a model, load it, ask it something, and try to make it break the rules.

    PATH is a GGUF file, a Hugging Face folder, a name that `localsel models` lists, or the address
    of a server on this machine.
    """
    card = _card(_settings(model, config, flags))
    if as_json:
        print_json(card)
    else:
        print_table(["", ""], [[name, value] for name, value in lines(card)])
        say("It can be used.")


def _card(settings: Settings) -> Mapping[str, Any]:
    offline.seal(is_served(settings.model, settings.backend))
    # Not before: it brings libraries that start threads.
    from localsel.pipeline.checking import card_of

    return card_of(settings)


def _settings(model: str, config: Path | None, flags: dict[str, object]) -> Settings:
    """Those of a run that would choose with this model; there is no data."""
    return settings_from(Path("-"), config, {**flags, "model": model, "budget": 1})


MEMORY = {"weights": "weights", "kv_cache": "KV cache", "working": "working", "total": "in all"}


def lines(card: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """A card for people: one fact a line; what the files do not say is left out."""
    for name, value in card.items():
        words = name.replace("_", " ")
        match name, value:
            case _, None:
                continue
            case "mebibytes", _:
                yield "size", f"{value:,.1f} MiB"
            case "special_tokens", _:
                for short, token in value.items():
                    if token:
                        yield f"{short} token", f"{token['text']} ({token['id']})"
            case "memory", _:
                for part, called in MEMORY.items():
                    if part in value:
                        yield f"memory: {called}", f"{value[part] / 2**20:,.1f} MiB"
                yield "memory is", value["how"]
            case "sample", {"error": why}:
                yield "sample query", why
            case "sample", _:
                yield from _sample(value)
            case _:
                yield words, value


def _sample(sample: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    chances = sample["probabilities"] or {}
    for label, text in enumerate(sample["candidates"], start=1):
        chance = f"{chances[str(label)]:.1%}  " if chances else ""
        picked = "  ← picked" if sample["picked"] == str(label) else ""
        yield f"sample query [{label}]", f"{chance}{text}{picked}"


@command.command(epilog="Then: localsel run DATA --budget N --model NAME")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it. [default: its own name]")
@click.option("--copy", is_flag=True, help="Copy the file or folder instead of linking to it.")
@workspace_option
def add(path: Path, name: str | None, copy: bool, workspace: Path | None) -> None:
    """Take a GGUF file or a Hugging Face folder up into the workspace, if it passes the checks."""
    folder = home(workspace) / "models"
    path = Path(find_selector(str(path), home(workspace)))
    name = (name or model_name(path.absolute())).removesuffix(".gguf")
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"--name {name}: a name has no slashes in it.")
    target = folder / (name if path.is_dir() else f"{name}.gguf")
    if any(each.exists() or each.is_symlink() for each in (folder / name, folder / f"{name}.gguf")):
        raise UsageError(f"There is a model {name!r} already: {target}.", "Choose another --name.")
    _card(_settings(str(path), None, {"workspace": workspace and str(workspace)}))
    from localsel.store import Store

    with closing(Store(home(workspace))):
        folder.mkdir(mode=0o700, exist_ok=True)
    take_up(path.resolve(), target, copy)
    say(f"{name} can be used: localsel run DATA --budget N --model {name}")


def take_up(path: Path, target: Path, copy: bool) -> None:
    """Links `target` to the model, or copies it; nothing half-copied is left."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        if not copy:
            target.symlink_to(path)
        elif path.is_dir():
            shutil.copytree(path, partial)
            partial.chmod(0o700)
            partial.replace(target)
        else:
            shutil.copyfile(path, partial)
            partial.replace(target)
    except (OSError, shutil.Error) as error:
        why = getattr(error, "strerror", None) or "not everything could be copied"
        raise WorkspaceError(f"{target} cannot be written: {why}.") from error
    finally:
        partial.unlink(missing_ok=True) if not partial.is_dir() else shutil.rmtree(partial)
