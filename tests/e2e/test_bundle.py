"""A bundle where there is Python, no network and no cache → an environment that works."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import copy_of
from tests.conftest import Command


class Island:
    """Such a machine: a network namespace with nothing in it, an empty home, no settings."""

    PREFIX = ("unshare", "--user", "--map-root-user", "--net")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self.cut = subprocess.run([*self.PREFIX, "true"], capture_output=True).returncode == 0

    def line(self, *words: object) -> list[str]:
        return [*(self.PREFIX if self.cut else ()), *map(str, words)]

    def run(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.line(*words),
            cwd=self.folder,
            # An index that would be asked, were anything asked at all.
            env={"PIP_INDEX_URL": "http://127.0.0.1:9/", **self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
        )


@pytest.fixture
def island(tmp_path: Path) -> Island:
    folder = tmp_path / "island"
    folder.mkdir()
    return Island(folder)


@pytest.fixture
def stick(bundle: Path, tmp_path: Path) -> Iterator[Path]:
    """A bundle where nothing may be written, and no file may be executed."""
    copy = copy_of(bundle, tmp_path)
    for path in copy.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield copy
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)


def test_the_script_of_a_bundle_makes_an_environment(island: Island, stick: Path) -> None:
    env = island.folder / "env"
    # What an installation that was killed has left is begun anew.
    env.mkdir()
    (env / ".localsel-unfinished").touch()
    (env / "half").touch()
    done = island.run(sys.executable, stick / "install.py", "--target", "env")
    assert done.returncode == 0, done.stderr
    assert not (env / "half").exists()
    assert done.stdout.splitlines()[1:] == [
        "Came along: --model linked",
        f"Try it: {env}/bin/localsel demo",
    ]
    assert island.run(env / "bin" / "localsel", "--version").stdout.startswith("localsel ")
    (model,) = env.glob("lib/python*/site-packages/localsel/models/linked.gguf")
    assert model.read_bytes() == (stick / "models" / "linked.gguf").read_bytes()
    # Neither the bundle was written to, nor a half environment left behind.
    verified = island.run(sys.executable, stick / "install.py", "--verify")
    assert (verified.returncode, verified.stdout) == (
        0,
        "The bundle is sound, and made for this machine.\n",
    )
    assert not list(env.glob(".localsel-*"))
    again = island.run(sys.executable, stick / "install.py", "--target", "env")
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1].endswith("is not empty. Choose another --target.")


def test_the_command_makes_the_same_environment(
    localsel: Command, stick: Path, tmp_path: Path
) -> None:
    env = tmp_path / "env"
    env.mkdir()
    done = localsel("bundle", "install", stick, "--target", env)
    assert done.code == 0, done.stderr
    assert "Came along: --model linked" in done.stderr
    (model,) = env.glob("lib/python*/site-packages/localsel/models/linked.gguf")
    assert model.stat().st_size == (stick / "models" / "linked.gguf").stat().st_size


def test_names_do_not_steer_the_terminal(island: Island, bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / "autorun\x1b[2J.inf").touch()
    Path(os.fsdecode(os.fsencode(copy) + b"/bad\xff")).touch()
    verified = island.run(sys.executable, copy / "install.py", "--verify")
    assert (verified.returncode, verified.stderr.count("Traceback")) == (3, 0)
    assert verified.stdout.splitlines() == [
        "autorun?[2J.inf: not part of the bundle",
        "bad?: not part of the bundle",
    ]
    refused = island.run(sys.executable, copy / "install.py", "--target", "env")
    assert refused.returncode == 3
    assert "autorun?[2J.inf" in refused.stderr and "\x1b" not in refused.stderr


def test_ctrl_c_leaves_nothing(island: Island, stick: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, stick / "install.py", "--target", "env"],
        cwd=island.folder,
        env=island.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    while not (island.folder / "env" / "pyvenv.cfg").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "install.py: stopped; nothing is left of it."
    assert not (island.folder / "env").exists()


def test_a_python_without_ensurepip_says_what_to_install(
    island: Island, stick: Path, tmp_path: Path
) -> None:
    """As on Debian, where a package of its own holds it."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "ensurepip.py").write_text("raise ImportError('no ensurepip')\n")
    done = island.run(
        sys.executable, stick / "install.py", "--target", "env", PYTHONPATH=str(library)
    )
    assert done.returncode == 1
    version = ".".join(map(str, sys.version_info[:2]))
    assert done.stderr.splitlines()[-1] == (
        "install.py: This Python cannot make environments: its ensurepip is missing. "
        f"On Debian and Ubuntu, install python{version}-venv."
    )
    assert not (island.folder / "env").exists()


def test_a_damaged_bundle_is_refused_by_its_own_script(
    island: Island, bundle: Path, tmp_path: Path
) -> None:
    copy = copy_of(bundle, tmp_path)
    shutil.rmtree(copy / "models")
    done = island.run(sys.executable, copy / "install.py", "--target", "env")
    assert done.returncode == 3
    assert "models/linked.gguf: missing" in done.stderr.splitlines()[-1]
    verified = island.run(sys.executable, copy / "install.py", "--verify")
    assert (verified.returncode, verified.stdout) == (3, "models/linked.gguf: missing\n")
