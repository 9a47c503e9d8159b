"""This environment → the versions that work in it, and their wheels."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from localsel.bundle.pins import Pin, pins
from localsel.bundle.wheels import fetch, repack
from localsel.errors import BackendError, LocalselError, UsageError
from tests.bundles import no_index


def names_of(chosen: list[Pin]) -> set[str]:
    return {canonicalize_name(pin.name) for pin in chosen}


def test_all_that_localsel_needs_is_pinned_as_it_is_here() -> None:
    chosen, _ = pins(())
    needed = [Requirement(line) for line in distribution("localsel").requires or ()]
    always = {canonicalize_name(each.name) for each in needed if each.marker is None}
    assert "localsel" in always | names_of(chosen)
    assert always <= names_of(chosen)
    assert all(pin.version == distribution(pin.name).version for pin in chosen)
    # What others need in turn, but nothing that only developers do.
    assert "tokenizers" in names_of(chosen)
    assert not {"pytest", "mypy", "ruff"} & names_of(chosen)


def test_what_was_compiled_here_is_known() -> None:
    chosen, _ = pins(("llamacpp",))
    built = {canonicalize_name(pin.name) for pin in chosen if pin.may_be_built_here}
    assert "click" not in built
    assert built <= {"hnswlib", "llama-cpp-python"}


def test_an_extra_that_is_not_there_or_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no extra 'tensorflow'"):
        pins(("tensorflow",))
    # vLLM has an environment of its own, which these tests do not run in.
    with pytest.raises(BackendError, match="vllm is not installed here"):
        pins(("vllm",))


def test_an_installed_package_becomes_a_wheel_again(tmp_path: Path) -> None:
    wheel = repack("iniconfig", tmp_path / "wheels")
    version = distribution("iniconfig").version
    assert wheel.name == f"iniconfig-{version}-py3-none-any.whl"
    again = repack("iniconfig", tmp_path / "again")
    assert again.read_bytes() == wheel.read_bytes()
    install(wheel, tmp_path / "there")
    for path in (tmp_path / "there" / "iniconfig").glob("*.py"):
        here = distribution("iniconfig").locate_file(f"iniconfig/{path.name}")
        assert path.read_bytes() == Path(str(here)).read_bytes()
    with zipfile.ZipFile(wheel) as packed:
        assert not [name for name in packed.namelist() if name.endswith((".pyc", "INSTALLER"))]


def test_a_package_that_was_changed_is_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(repack("iniconfig", tmp_path / "wheels"), tmp_path / "there")
    with (tmp_path / "there" / "iniconfig" / "__init__.py").open("a") as file:
        file.write("# changed\n")
    monkeypatch.syspath_prepend(tmp_path / "there")
    with pytest.raises(LocalselError, match=r"__init__\.py was changed after iniconfig"):
        repack("iniconfig", tmp_path / "again")


def install(wheel: Path, target: Path) -> None:
    line = ["pip", "install", "--no-index", "--no-deps", "--quiet", "--target", target, wheel]
    subprocess.run([sys.executable, "-m", *line], check=True)


def test_a_version_that_no_index_has_is_one_sentence(tmp_path: Path) -> None:
    with (
        no_index(),
        pytest.raises(LocalselError, match=r"pip finds no click 0\.0\.12345, which") as raised,
    ):
        fetch(Pin("click", "0.0.12345"), tmp_path, portable=False)
    assert "PIP_FIND_LINKS" in raised.value.hint


def test_a_package_that_cannot_be_built_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source package whose build fails, in a folder where pip looks first."""
    name = "localsel-unbuildable"
    source = tmp_path / f"{name}-1.0"
    source.mkdir()
    (source / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    backend = '[build-system]\nrequires = []\nbuild-backend = "broken"\nbackend-path = ["."]\n'
    (source / "pyproject.toml").write_text(backend)
    (source / "broken.py").write_text("raise SystemExit('no compiler')\n")
    with tarfile.open(tmp_path / f"{name}-1.0.tar.gz", "w:gz") as packed:
        packed.add(source, source.name)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(LocalselError, match=f"pip cannot make a wheel of {name} 1.0") as raised:
        fetch(Pin(name, "1.0", may_be_built_here=True), tmp_path / "wheels", portable=False)
    assert "compiler" in raised.value.hint
