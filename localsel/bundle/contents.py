"""What somebody wants to carry → every file of a bundle but the wheels, and where it goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from localsel.backends.base import Opening
from localsel.backends.hf_folder import found
from localsel.backends.probe import probe
from localsel.bundle import installer, licences
from localsel.bundle.installer.checking import is_inside
from localsel.bundle.installer.platforms import this_platform
from localsel.errors import BackendError, UsageError
from localsel.pipeline.identity import READ
from localsel.selectors import is_scripted, model_name
from localsel.settings import resource
from localsel.stages.embed import check_folder

PART = re.compile(r"-[0-9]{5}-of-([0-9]{5})\.gguf$")
"""The end of the name of a model that is cut into several files."""

OWN = ("nano-llama", "nano-gemma2", "nano-quality")
"""The models that come with localsel."""

INSTALL = '''"""Installs localsel from this folder: `python3 install.py --target ENV`."""

import sys
from pathlib import Path

# Nothing may be written into a bundle.
sys.dont_write_bytecode = True

from installer.script import main

sys.exit(main(Path(__file__).resolve().parent))
'''


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be carried, beside localsel itself."""

    models: tuple[Path, ...] = ()
    """GGUF files or Hugging Face folders."""

    embedders: tuple[Path, ...] = ()
    extras: tuple[str, ...] = ()
    own_prompts: Path | None = None
    """A folder with templates of one's own."""

    portable: bool = False
    """What is compiled here is to run on more processors than this one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a bundle: a file here, or a text that is written for it."""

    path: str
    kind: str
    licence: str
    source: Path | str

    @property
    def size(self) -> int:
        if isinstance(self.source, str):
            return len(self.source.encode())
        return self.source.stat().st_size


def items(wanted: Wanted) -> list[Item]:
    """Every file but the wheels, looked at: a broken model is better found here than there.

    Raises:
        BackendError: a model or an embedder cannot be used.
        UsageError: a name that cannot be carried, or two of one name.
    """
    of_models = [item for path in wanted.models for item in _model(path)]
    of_embedders = [item for path in wanted.embedders for item in _embedder(path)]
    all_items = [*of_models, *of_embedders, *_prompts(wanted.own_prompts), *_docs(), *_installer()]
    seen: dict[str, Item] = {}
    for item in all_items:
        # Sticks do not tell great letters from small ones.
        if item.path.lower() in seen:
            raise UsageError(
                f"Two files would be {item.path} in the bundle.", "Rename one of them."
            )
        if not is_inside(item.path):
            raise UsageError(f"Not every disk can hold a file named {item.path}.", "Rename it.")
        seen[item.path.lower()] = item
    return all_items


def _model(path: Path) -> Iterator[Item]:
    if is_scripted(str(path)):
        raise UsageError(f"{path} is a rule without weights, which needs no place in a bundle.")
    own = {resource("models").absolute() / name for name in OWN}
    # As it is named: a link to one of localsel's own has a name that is to be found there, too.
    if own & {path.absolute(), *path.absolute().parents}:
        return
    if model_name(path) in OWN:
        raise UsageError(f"localsel has a {model_name(path)} of its own.", "Give it another name.")
    if path.is_dir():
        found(Opening(str(path)))
        licence = licences.of_folder(path)
        for file in sorted(each for each in path.iterdir() if each.is_file()):
            is_card = file.name.startswith(("README", "LICEN", "NOTICE"))
            if is_card or any(file.match(kind) for kind in READ):
                yield _under("models", path, file, "model", licence)
        return
    for part in parts(path):
        licence = licences.of_gguf(part)
        yield Item(f"models/{part.name}", "model", licence, part)
    probe(path)


def parts(path: Path) -> list[Path]:
    """All files of a GGUF model, of which the first is named.

    Raises:
        BackendError: one of them is missing.
    """
    cut = PART.search(path.name)
    if not cut:
        return [path]
    start = path.name[: cut.start()]
    whole = [
        path.with_name(f"{start}-{number:05}-of-{cut[1]}.gguf")
        for number in range(1, int(cut[1]) + 1)
    ]
    for each in whole:
        if not each.is_file():
            raise BackendError(f"{path} is one of {int(cut[1])} files, and {each} is missing.")
    return whole


def _embedder(path: Path) -> Iterator[Item]:
    # All of it: the vectors that are kept are those of the folder as a whole.
    check_folder(path)
    licence = licences.of_folder(path)
    for file in _files(path):
        yield _under("embedders", path, file, "embedder", licence)


def _under(place: str, folder: Path, file: Path, kind: str, licence: str) -> Item:
    inside = file.relative_to(folder).as_posix()
    return Item(f"{place}/{folder.absolute().name}/{inside}", kind, licence, file)


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder, also those that are links; a folder is met once.

    Raises:
        UsageError: a folder in it is a link that leads out, to who knows how much.
    """
    seen, root = set(), os.path.realpath(folder)
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        if os.path.commonpath([root, real]) != root:
            said = f"{place} is a link to a folder outside of {folder}."
            raise UsageError(said, "Put a copy in its place, or take it away.")
        seen.add(real)
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if Path(place, name).is_file())


def _prompts(own: Path | None) -> Iterator[Item]:
    ours = {path.name: path for path in resource("prompts").glob("*.toml")}
    theirs = {path.name: path for path in own.glob("*.toml")} if own else {}
    for name, path in sorted((theirs | ours).items()):
        licence = licence_here() if name in ours else licences.NOT_STATED
        yield Item(f"prompts/{name}", "prompt", licence, path)


def licence_here() -> str:
    """localsel's own."""
    return licences.of_metadata(_metadata())


def _metadata() -> str:
    return distribution("localsel").read_text("METADATA") or ""


def _docs() -> Iterator[Item]:
    folder = resource("docs")
    for file in _files(folder):
        if file.suffix in (".md", ".svg"):
            yield _under_docs(folder, file)
    readme = resource("docs").parent / "README.md"
    # Where no file of it is at hand: the metadata end with it.
    text = _metadata().partition("\n\n")[2]
    yield Item("docs/README.md", "doc", licence_here(), readme if readme.is_file() else text)
    here = this_platform()
    yield Item(
        "README.txt",
        "doc",
        licence_here(),
        f"localsel for {here['python']} on {here['system']} {here['machine']} with {here['libc']}\n"
        "or later, with all that it needs. No network is used:\n\n"
        "    python3 install.py --verify\n"
        "    python3 install.py --target ENV\n"
        "    ENV/bin/localsel demo\n\n"
        "More in docs/air-gap.md.\n",
    )


def _under_docs(folder: Path, file: Path) -> Item:
    return Item(f"docs/{file.relative_to(folder).as_posix()}", "doc", licence_here(), file)


def _installer() -> Iterator[Item]:
    yield Item("install.py", "installer", licence_here(), INSTALL)
    for file in sorted(Path(str(installer.__file__)).parent.glob("*.py")):
        yield Item(f"installer/{file.name}", "installer", licence_here(), file)
