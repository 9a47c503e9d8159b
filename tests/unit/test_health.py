"""A workspace that is whole, damaged, open to others or unwritable → what a doctor finds."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from localsel.backends import BACKENDS
from localsel.cli.doctor import lines, verdict
from localsel.health import Finding, airgap, backends, machine, places
from localsel.store import Store


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with closing(Store(tmp_path / "workspace")):
        return tmp_path / "workspace"


def test_a_workspace_that_is_whole(home: Path) -> None:
    found = places.workspace(home)
    assert (found.state, found.advice) == ("ok", "")
    assert found.seen == f"{home}: database whole, 0 runs"


def test_a_workspace_that_others_may_look_into(home: Path) -> None:
    home.chmod(0o755)
    found = places.workspace(home)
    assert (found.state, found.advice) == ("warning", f"chmod 700 {home}")


def test_a_damaged_database_is_a_failure(home: Path) -> None:
    with closing(sqlite3.connect(home / "localsel.db")) as database:
        rows = [("p", number, "x" * 500) for number in range(200)]
        database.executemany(
            "INSERT INTO instructions (pool, row, instruction) VALUES (?, ?, ?)", rows
        )
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = (home / "localsel.db").read_bytes()
    # A page in the middle of the rows; those at the start say what tables there are.
    (home / "localsel.db").write_bytes(whole[:-40_960] + bytes(4096) + whole[-36_864:])
    found = places.workspace(home)
    assert found.state == "failure"
    assert found.advice


def test_a_workspace_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert places.workspace(tmp_path / "file").state == "failure"
    # The disk that it would be on is there all the same.
    assert "GiB free" in places.disk(tmp_path / "not" / "there").seen


def test_every_backend_that_runs_a_model_is_looked_at() -> None:
    assert set(backends.names()) == set(BACKENDS.names) - {"scripted"}
    found = {name: backends.backend(name) for name in backends.names()}
    assert found["llamacpp"].seen.startswith("llama-cpp-python ")
    assert all(each.what == name for name, each in found.items())
    # It is never loaded, and that is said.
    assert found["vllm"].state == "ok"
    assert found["vllm"].seen == "not installed" or found["vllm"].seen.endswith(", not loaded")


@pytest.mark.parametrize(
    ("library", "look"),
    [
        ("httpx2", "backends.openai"),
        ("transformers", "backends.transformers"),
        ("torch", "backends.transformers"),
        ("torch", "machine.gpu"),
        ("llama_cpp", "backends.llamacpp"),
    ],
)
def test_what_cannot_be_imported_is_a_failure(library: str, look: str, tmp_path: Path) -> None:
    """One that is found before the real one, in a process of its own."""
    (tmp_path / f"{library}.py").write_text("raise OSError('a part of it is missing')")
    code = f"from localsel.health import backends, machine; print({look}())"
    line = [sys.executable, "-P", "-c", code]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=True)
    assert "state='failure'" in done.stdout
    assert "a part of it is missing" in done.stdout and "advice=''" not in done.stdout


def test_folders_are_called_by_their_whole_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCALSEL_MODELS", str(tmp_path / "shelf"))
    (tmp_path / "shelf" / "judge-2.5").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "shelf" / "judge-2.5" / name).write_text("{}")
    assert "judge-2.5" in places.models(tmp_path).seen.split(", ")


def test_the_machine_is_described() -> None:
    name, flags = machine.processor()
    seen = machine.cpu().seen
    assert name in seen
    assert f"{len(os.sched_getaffinity(0))} threads" in seen
    assert ("AVX2" in seen) is ("avx2" in flags)
    assert " GiB free" in machine.memory().seen


def test_the_guard_stops_one_attempt() -> None:
    found = airgap.guard()
    assert found.state == "ok"
    assert "1 of 1 attempts on 192.0.2.1 refused" in found.seen


def test_a_finding_fits_the_terminal_and_says_what_to_do() -> None:
    finding = Finding("namespace", "warning", "none: " + "why not " * 12, "Do this. " * 12)
    text = list(lines(finding, 80))
    assert max(map(len, text)) <= 80
    assert text[0].startswith("! namespace    warning: none: why not")
    assert [line.strip()[0] for line in text].count("→") == 1
    (hostile,) = lines(Finding("models", "ok", "a\x1b[2Jb"), 80)
    assert "\x1b" not in hostile


def test_the_last_line_names_what_is_wrong() -> None:
    good, odd = Finding("a", "ok", ""), Finding("b", "warning", "")
    bad = Finding("c", "failure", "")
    assert verdict([good]) == "Everything works."
    assert verdict([good, odd]) == "It works; look at b."
    assert verdict([good, odd, bad]) == "Something is missing: c."
