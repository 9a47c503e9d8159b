"""The real commands where the network is, where it is not, and with a plug-in that wants to leave.

Where the kernel lets nobody make a namespace, the guard stands alone, and the record has to say so.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.confining import can_confine, confined
from tests.conftest import Command, Done

# A method that asks the documentation's address for advice, and chooses without it.
SPY = """
import requests
from localsel.methods.base import Method
from localsel.records import Pick

class Spy(Method):
    about = "asks elsewhere"

    def picks(self, pool, budget):
        try:
            requests.get("http://192.0.2.1/", timeout=1)
        except requests.ConnectionError as error:
            assert "localsel is offline" in str(error)
        for instruction in pool.instructions[:budget]:
            yield Pick(row=instruction.row, chosen_by="method")
"""
AT_IMPORT = "import socket\nsocket.create_connection(('example.invalid', 80), timeout=1)\n"


def plant(folder: Path, module: str, source: str) -> Path:
    """A package of one module in a folder that may stand on a path; its method has its name."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[localsel.methods]\n{module} = {module}:{module.title()}\n"
    )
    return folder


def within(localsel: Command, how: str, *arguments: object) -> Done:
    """The command inside `unshare -rn`, or where it gets no namespace; plain if nobody may."""
    before = confined(how) if can_confine() else []
    done = subprocess.run(
        [*before, *localsel._line(arguments)],
        cwd=localsel.folder,
        env=localsel.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def line(example_pool: Path, workspace: Path) -> Sequence[object]:
    options = ("--budget", 5, "--threads", 1, "--workspace", workspace)
    return ("run", example_pool, *options)


def held(record: dict[str, Any]) -> tuple[bool, bool]:
    return record["offline"]["guard"], record["offline"]["namespace"]


def test_a_run_says_what_held_it_off_the_network(
    localsel: Command, line: Sequence[object], selector: Path, workspace: Path
) -> None:
    done = localsel(*line, "--model", selector, "--json")
    record = done.document
    assert (record["connections_attempted"], record["connections_refused"]) == (0, [])
    assert record["offline"]["guard"]
    assert record["offline"]["namespace"] or not can_confine()
    assert record["offline"]["namespace"] is not bool(record["offline"]["why"])
    said = localsel("show", "last", "--workspace", workspace).stderr
    assert "0 connections attempted.\nHeld off the network by the guard" in said


def test_a_run_and_a_comparison_where_there_is_no_network(
    localsel: Command, line: Sequence[object], selector: Path
) -> None:
    done = within(localsel, "inside", *line, "--model", selector, "--json")
    assert done.code == 0, done.stderr
    assert (done.document["connections_attempted"], done.document["picked"]) == (0, 5)
    assert held(done.document)[1] or not can_confine()
    two = ("--model", "first", "--model", "random:3")
    found = within(localsel, "inside", "compare", *line[1:], *two, "--json").document
    assert (found["connections_attempted"], found["connections_refused"]) == (0, [])
    assert found["offline"]["guard"]
    assert found["offline"]["namespace"] or not can_confine()


def test_without_a_namespace_the_guard_stands_alone_and_says_why(
    localsel: Command, line: Sequence[object], workspace: Path
) -> None:
    done = within(localsel, "refused", *line, "--model", "first", "--json")
    assert done.code == 0, done.stderr
    if can_confine():
        assert held(done.document) == (True, False)
        assert done.document["offline"]["why"] == "the kernel refuses it: no more are allowed"
        said = localsel("show", "last", "--workspace", workspace).stderr
        assert "Held off the network by the guard alone: the kernel refuses it" in said
    found = within(
        localsel, "refused", "compare", *line[1:], "--model", "first", "--json", "--seeds", 3
    ).document
    assert found["offline"]["guard"]
    assert found["offline"]["namespace"] is not bool(found["offline"]["why"])


def test_a_plug_in_that_wants_to_leave_is_refused_counted_and_named(
    localsel: Command, line: Sequence[object], workspace: Path, tmp_path: Path
) -> None:
    path = plant(tmp_path / "plugged", "spy", SPY)
    there = os.pathsep.join([localsel.environment["PYTHONPATH"], str(path)])
    done = localsel(*line, "--method", "spy", "--json", PYTHONPATH=there)
    assert done.code == 0, done.stderr
    attempt = {"to": "192.0.2.1", "by": "spy", "how": "getaddrinfo", "times": 1}
    assert done.document["connections_attempted"] == 1
    assert done.document["connections_refused"] == [attempt]
    said = localsel("show", "last", "--workspace", workspace).stderr
    assert "1 connection attempted.\nRefused: spy to 192.0.2.1 (getaddrinfo).\nHeld off" in said
    # Carried to another machine, it still says so.
    carried = tmp_path / "run.localsel"
    assert localsel("runs", "export", "last", carried, "--workspace", workspace).code == 0
    elsewhere = ("--workspace", tmp_path / "elsewhere")
    taken = localsel("runs", "import", carried, *elsewhere)
    assert taken.code == 0, taken.stderr
    shown = localsel("show", "last", "--json", *elsewhere).document
    assert shown["connections_refused"] == [attempt]
    assert shown["offline"] == done.document["offline"]


def test_a_plug_in_that_leaves_as_it_is_imported_is_refused_by_any_command(
    localsel: Command, tmp_path: Path
) -> None:
    path = plant(tmp_path / "plugged", "hasty", AT_IMPORT)
    there = os.pathsep.join([localsel.environment["PYTHONPATH"], str(path)])
    done = localsel("methods", "--json", PYTHONPATH=there)
    assert done.code == 0, done.stderr
    assert "hasty" not in {each["name"] for each in json.loads(done.stdout)}
    assert "localsel is offline: a connection to example.invalid was refused" in done.stderr


def test_a_doctor_shows_what_stops_an_attempt(localsel: Command, workspace: Path) -> None:
    line = ("doctor", "--json", "--workspace", workspace)
    inside = {each["what"]: each for each in within(localsel, "inside", *line).document}
    assert inside["guard"]["state"] == "ok"
    assert "refused before any system call" in inside["guard"]["seen"]
    if can_confine():
        assert inside["namespace"]["seen"].endswith("stopped: Network is unreachable")
        refused = {each["what"]: each for each in within(localsel, "refused", *line).document}
        assert refused["namespace"]["state"] == "warning"
        assert refused["namespace"]["seen"] == "none: the kernel refuses it: no more are allowed"
        assert refused["namespace"]["advice"]
