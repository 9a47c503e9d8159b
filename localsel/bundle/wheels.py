"""A pinned package → its wheel: from pip, which builds it where no index has one."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from importlib.metadata import PackagePath, distribution
from pathlib import Path

from localsel.bundle.pins import Pin
from localsel.errors import LocalselError
from localsel.settings.places import PACKAGE

LONGEST = 300
LEFT_BEHIND = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
"""What installing writes beside what the wheel held."""

LLAMA = "-DLLAVA_BUILD=OFF"
"""llama.cpp's picture and sound parts are not used."""

PORTABLE = ("avx", "avx2", "bmi2", "f16c", "fma", "sse4_2")
"""What llama.cpp still uses of an x86 processor when it is not built for the one that builds it."""


def refuse_without_pip() -> None:
    """Raises LocalselError where wheels cannot be had at all."""
    if importlib.util.find_spec("pip") is None:
        raise LocalselError(
            "There is no pip in this environment, and wheels come from it.",
            "`python -m ensurepip` puts it there.",
        )


def fetch(pin: Pin, folder: Path, portable: bool) -> Path:
    """The wheel of one package, as a file in `folder`.

    Raises:
        LocalselError: pip does not find it, or cannot build it.
    """
    if pin.name == "localsel":
        source = PACKAGE.parent
        if not (source / "pyproject.toml").is_file():
            return repack(pin.name, folder)
        return _pip(pin, [str(source)], folder, {})
    wanted = f"{pin.name}=={pin.version}"
    variables = {"CMAKE_ARGS": os.environ.get("CMAKE_ARGS", LLAMA)}
    if not (portable and pin.may_be_built_here):
        return _pip(pin, [wanted], folder, variables)
    try:
        return _pip(pin, ["--only-binary=:all:", wanted], folder, {})
    except LocalselError:
        # A wheel that pip has built before would be one for this processor.
        variables["CMAKE_ARGS"] += " -DGGML_NATIVE=OFF"
        variables["HNSWLIB_NO_NATIVE"] = "1"
        return _pip(pin, ["--no-cache-dir", f"--no-binary={pin.name}", wanted], folder, variables)


def is_built_here(wheel: Path) -> bool:
    """Whether pip has compiled it: what an index gives names a family of systems, not one."""
    return wheel.stem.rpartition("-")[2].startswith("linux_")


def _pip(pin: Pin, line: list[str], folder: Path, variables: dict[str, str]) -> Path:
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-input", "--progress-bar=off"]
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", "--wheel-dir", str(folder.resolve()), *line],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    made = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and len(made) == 1:
        return made[0]
    raise LocalselError(*_why(pin, done.stdout))


def _why(pin: Pin, said: str) -> tuple[str, str]:
    """A sentence and a hint, from what pip says."""
    lines = [line.partition("ERROR:")[2].strip() for line in said.splitlines() if "ERROR:" in line]
    name = f"{pin.name} {pin.version}"
    if any("No matching distribution" in line for line in lines):
        hint = "Set PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL as it was when it was installed."
        return f"pip finds no {name}, which is installed here.", hint
    last = (lines or said.strip().splitlines() or ["it said nothing"])[-1][:LONGEST]
    hint = "It needs cmake and a C++ compiler." if pin.may_be_built_here else ""
    return f"pip cannot make a wheel of {name}: {last.rstrip('.')}.", hint


def repack(name: str, folder: Path) -> Path:
    """The wheel of an installed package, from the files that its installation has recorded.

    Raises:
        LocalselError: a file of it is not as it was installed.
    """
    package = distribution(name)
    files = [each for each in package.files or () if _belongs(each)]
    info = next(each.parent for each in files if each.name == "METADATA")
    tag = next(
        line.partition(":")[2].strip()
        for line in (package.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('-', '_')}-{package.version}-{tag}.whl"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for each in sorted(files, key=str):
            content = Path(str(each.locate())).read_bytes()
            digest = (
                base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            )
            if each.hash and each.hash.value != digest:
                raise LocalselError(
                    f"{each.locate()} was changed after {name} was installed.", "Install it again."
                )
            # No time of day in it: the same files give the same wheel.
            wheel.writestr(zipfile.ZipInfo(each.as_posix()), content, zipfile.ZIP_DEFLATED)
            rows.writerow([each.as_posix(), f"sha256={digest}", len(content)])
        rows.writerow([f"{info.as_posix()}/RECORD", "", ""])
        wheel.writestr(zipfile.ZipInfo(f"{info.as_posix()}/RECORD"), record.getvalue())
    return path


def _belongs(path: PackagePath) -> bool:
    """Neither made by the installer, nor outside of the package, as its start script is."""
    is_made = path.name in LEFT_BEHIND or path.suffix == ".pyc"
    return not is_made and ".." not in path.parts
