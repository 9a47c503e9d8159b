"""`localsel bundle`: this machine → a folder for one without a network, and from there on."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from localsel.bundle.installer.checking import MANIFEST, Refused, amount, verify
from localsel.bundle.installer.installing import install as install_into
from localsel.cli.options import home, json_option, workspace_option
from localsel.cli.output import print_json, say
from localsel.errors import BackendError, LocalselError, UsageError
from localsel.printable import visible

T = TypeVar("T")

UNUSABLE = 3
ERRORS = {1: LocalselError, 2: UsageError, UNUSABLE: BackendError}
NAMES = {
    "wheels": "Wheels",
    "copy": "Copy",
    "verify": "Verify",
    "environment": "Install",
}
folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group("bundle")
def command() -> None:
    """Everything for an air-gapped machine in one folder: make it, check it, install from it."""


@command.command(epilog="There: python3 DIR/install.py --target ENV, or localsel bundle install.")
@folder_argument
@click.option("--model", "models", multiple=True, metavar="PATH", help="A selector to carry along.")
@click.option(
    "--embedder",
    "embedders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="An embedder to carry along; all-MiniLM-L6-v2 comes anyway.",
)
@click.option("--extra", metavar="NAME,…", default="", help="llamacpp (always), train, vllm.")
@click.option(
    "--portable", is_flag=True, help="Compile for more processors than this one; takes minutes."
)
@workspace_option
def create(
    folder: Path,
    models: tuple[str, ...],
    embedders: tuple[Path, ...],
    extra: str,
    portable: bool,
    workspace: Path | None,
) -> None:
    """Put localsel, all that it needs, and models into DIR, on a machine with a package index.

    Packages are those installed here, in the same versions. Interrupted, the same command goes on.
    """
    from localsel.bundle.contents import Wanted
    from localsel.bundle.creating import create as make
    from localsel.selectors import find_model
    from localsel.servers import is_server

    place = home(workspace)
    for model in models:
        if is_server(model):
            raise UsageError(f"{model} is a server, and no model to carry.", "Name its files.")
    wanted = Wanted(
        models=tuple(Path(find_model(model, place)) for model in models),
        embedders=tuple(map(expanded, embedders)),
        extras=tuple(name.strip() for name in extra.split(",") if name.strip()),
        own_prompts=place / "prompts",
        portable=portable,
    )
    with Bars() as bars:
        manifest = make(folder, wanted, bars.tell, bars.say)
    conclude(folder, manifest)


def expanded(path: Path) -> Path:
    """With the home folder for `~`; where there is none, as it is: no such folder is there."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def conclude(folder: Path, manifest: dict[str, Any]) -> None:
    """Size, sha256, and what to know before carrying it away."""
    platform, files = manifest["platform"], manifest["files"]
    say(f"{folder}: {len(files)} files, {amount(manifest['size'])}.")
    machine = f"{platform['system']} {platform['machine']} with {platform['libc']} or later"
    say(f"For {platform['python']} on {machine}.")
    if platform["cpu"]:
        say(f"Compiled here, for processors that have {', '.join(platform['cpu'])}.")
    for each in manifest["left_out"]:
        say(f"Left out, since it is not installed here: {each['name']} ({each['wanted_by']}).")
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    say(f"sha256 of its {MANIFEST}: {digest}")
    say(f"Look at it on the stick: localsel bundle verify {folder}")


@command.command("verify")
@folder_argument
@json_option
def verify_bundle(folder: Path, as_json: bool) -> None:
    """Find everything that is damaged, missing, extra, or not made for this machine.

    Exit code 3 if there is something, a line for each.
    """
    with Bars() as bars:
        findings = refused(lambda: verify(folder, bars.tell))
    if as_json:
        print_json([each._asdict() for each in findings])
    else:
        for each in findings:
            click.echo(visible(f"{each.kind}: {each.path}: {each.said}"))
    if findings:
        raise click.exceptions.Exit(UNUSABLE)
    say(f"{folder} is sound, and made for this machine.")


@command.command()
@folder_argument
@click.option(
    "--target",
    required=True,
    metavar="ENV",
    type=click.Path(path_type=Path),
    help="The virtual environment to make: a new or empty folder.",
)
def install(folder: Path, target: Path) -> None:
    """Make a working environment from DIR, without any network, once it is found sound."""
    with Bars() as bars:
        lines = refused(lambda: install_into(folder, target, bars.tell))
    for line in lines:
        say(line)


def refused(work: Callable[[], T]) -> T:
    """What the installer, which knows nothing of localsel, refuses: as an error of localsel's."""
    try:
        return work()
    except Refused as error:
        raise ERRORS[error.code](error.message, error.hint) from error


class Bars:
    """How far it is: bars with the time left in a terminal, else a line every few seconds."""

    EVERY = 5.0

    def __init__(self) -> None:
        self._progress: Any = None
        self._tasks: dict[str, Any] = {}
        self._last = 0.0

    def __enter__(self) -> Bars:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description:8}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[amount]}"),
                TextColumn("left"),
                TimeRemainingColumn(compact=True),
                console=Console(stderr=True, highlight=False),
            )
            self._progress.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self._progress:
            self._progress.stop()

    def say(self, text: str) -> None:
        if self._progress:
            self._progress.console.print(visible(text), markup=False, emoji=False)
        else:
            say(text)

    def tell(self, stage: str, done: int, total: int) -> None:
        name = NAMES[stage]
        far = progress_of(stage, done, total)
        if self._progress:
            if stage not in self._tasks:
                self._tasks[stage] = self._progress.add_task(name, total=total, amount="")
            self._progress.update(self._tasks[stage], completed=done, total=total, amount=far)
        elif time.monotonic() - self._last > self.EVERY:
            self._last = time.monotonic()
            say(f"{name} {far}")


def progress_of(stage: str, done: int, total: int) -> str:
    """Counted in bytes where it is about bytes."""
    if stage not in ("copy", "verify"):
        return f"{done} of {total}"
    return f"{amount(done)} of {amount(total)}"
