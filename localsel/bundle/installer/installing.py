"""A sound bundle → a virtual environment in which `localsel` works, made without any network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .checking import Refused, amount, read_manifest, silent, verify

UNFINISHED = ".localsel-unfinished"
"""In an environment as long as it is not whole."""

PLACES = {"model": "models", "embedder": "embedders", "prompt": "prompts"}
"""Kinds of files that go to a folder of the same name beside localsel's own."""

PART = re.compile(r"-(?!00001-)[0-9]{5}-of-[0-9]{5}\.gguf$")


def install(
    folder: Path, target: Path, tell: Callable[[str, int, int], None] = silent
) -> list[str]:
    """Makes an environment of a sound bundle, without any network; what to tell about it.

    Raises:
        Refused: the target is in use, the bundle is not sound or not for here, or a step fails.
    """
    # Unlike Path.resolve, it takes links that lead in a circle as they are.
    folder, target = Path(os.path.realpath(folder)), Path(os.path.realpath(target))
    read_manifest(folder)
    _refuse_target(folder, target)
    if findings := verify(folder, tell):
        lines = "; ".join(f"{each.path}: {each.said}" for each in findings[:3])
        count = "one thing is" if len(findings) == 1 else f"{len(findings)} things are"
        raise Refused(f"{folder} cannot be used, {count} wrong with it: {lines}.", code=3)
    manifest, _ = read_manifest(folder)
    files = {each["path"]: each for each in manifest["files"]}
    was_there = target.exists()
    try:
        _refuse_little_space(folder, files, target)
        return _fill(folder, files, target, tell)
    except BaseException as error:
        # Whatever ends it, ctrl+c as well: a half environment is worth nothing.
        _clear(target)
        if target.exists() and not was_there:
            target.rmdir()
        if isinstance(error, OSError):
            raise Refused(f"{target} cannot be written: {error.strerror or error}.") from error
        raise


def _refuse_target(folder: Path, target: Path) -> None:
    if folder in [target, *target.parents]:
        raise Refused(f"{target} lies in the bundle.", "Choose a --target outside of it.", 2)
    try:
        inside = os.listdir(target) if os.path.lexists(target) else []
    except OSError as error:
        raise Refused(f"{target} cannot be used: {error.strerror}.", code=2) from error
    # What was left of an installation that was killed is no one's.
    if inside and UNFINISHED not in inside:
        raise Refused(f"{target} is not empty.", "Choose another --target.", 2)


def _refuse_little_space(folder: Path, files: dict[str, Any], target: Path) -> None:
    """Wheels unpacked, with what Python compiles of them, and copies of the rest."""
    needed = 0
    for path, each in files.items():
        needed += each["size"] if each["kind"] in PLACES else 0
        if each["kind"] == "wheel":
            needed += _unpacked(folder / path)
    there = next(each for each in [target, *target.parents] if each.exists())
    free = shutil.disk_usage(there).free
    needed += needed // 5
    if free < needed:
        said = f"{there} has {amount(free)} free, where {amount(needed)} are needed."
        raise Refused(said, "Choose another --target.")


def _unpacked(wheel: Path) -> int:
    try:
        with zipfile.ZipFile(wheel) as packed:
            return sum(member.file_size for member in packed.infolist())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise Refused(f"{wheel} is no wheel.", "Make the bundle again.", 3) from error


def _fill(
    folder: Path, files: dict[str, Any], target: Path, tell: Callable[[str, int, int], None]
) -> list[str]:
    _clear(target)
    target.mkdir(parents=True, exist_ok=True)
    (target / UNFINISHED).touch()
    tell("environment", 0, 2)
    _make_environment(target)
    tell("environment", 1, 2)
    # -I: nothing in the current folder is taken for a module.
    python = (target / "bin" / "python", "-I")
    wheels = [folder / path for path, each in files.items() if each["kind"] == "wheel"]
    # No resolving: the bundle holds one version of each, and all that they need.
    quietly = ("--no-index", "--no-deps", "--no-cache-dir", "--no-input", "--quiet")
    _run([*python, "-m", "pip", "install", *quietly, *wheels], "The wheels cannot be installed")
    tell("environment", 2, 2)
    where = "import localsel, pathlib; print(pathlib.Path(localsel.__file__).parent)"
    package = Path(_run([*python, "-c", where], "localsel does not start").strip())
    copies = [each for each in files.values() if each["kind"] in PLACES]
    _copy(folder, package, copies, tell)
    version = _run([target / "bin" / "localsel", "--version"], "localsel does not start").strip()
    (target / UNFINISHED).unlink()
    try_it = f"Try it: {target}/bin/localsel demo"
    return [f"{version} is in {target}.", *_named(package, copies), try_it]


def _copy(
    folder: Path,
    package: Path,
    copies: list[dict[str, Any]],
    tell: Callable[[str, int, int], None],
) -> None:
    """Models, embedders and prompts, to where localsel finds its own."""
    total, done = sum(each["size"] for each in copies), 0
    for each in copies:
        goal = package / each["path"]
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / each["path"], goal)
        done += each["size"]
        tell("copy", done, total)


def _named(package: Path, copies: list[dict[str, Any]]) -> Iterator[str]:
    """How each model and embedder that came along is named from now on."""
    paths = {
        kind: [Path(each["path"]) for each in copies if each["kind"] == kind] for kind in PLACES
    }
    # Of a model in several files the first stands for all.
    whole = [path for path in paths["model"] if not PART.search(path.name)]
    models = {path.stem if len(path.parts) == 2 else path.parts[1] for path in whole}
    yield from (f"Came along: --model {name}" for name in sorted(models))
    embedders = {package.joinpath(*path.parts[:2]) for path in paths["embedder"]}
    yield from (f"Came along: --embedder {path}" for path in sorted(embedders))


def _make_environment(target: Path) -> None:
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out
        import venv  # noqa: F401
    except ImportError as error:
        version = ".".join(map(str, sys.version_info[:2]))
        raise Refused(
            "This Python cannot make environments: its ensurepip is missing.",
            f"On Debian and Ubuntu, install python{version}-venv.",
        ) from error
    _run([sys.executable, "-I", "-m", "venv", target], f"{target} cannot be made an environment")


def _run(line: list[Any], failed: str) -> str:
    """What a command says; neither settings nor variables of pip or Python reach it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON", "LOCALSEL_", "VIRTUAL_ENV"))
    }
    kept.update(PIP_CONFIG_FILE=os.devnull, PIP_DISABLE_PIP_VERSION_CHECK="1")
    done = subprocess.run(
        [str(each) for each in line],
        env=kept,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        told = [each for each in said if each.startswith("ERROR:")] or said
        raise Refused(f"{failed}: {told[-1].removeprefix('ERROR:').strip()[:300]}")
    return done.stdout


def _clear(target: Path) -> None:
    """Away with what an unfinished installation left; the folder itself may be somebody's."""
    if not (target / UNFINISHED).exists():
        return
    for name in os.listdir(target):
        path = target / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif name != UNFINISHED:
            path.unlink()
    (target / UNFINISHED).unlink()
