"""Real runs, watched by Python's audit hook → nothing that anybody brought along is unpickled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import localsel as localsel_package
from tests.conftest import CHECKOUT, Command

WATCHED = """
import json, sys

classes, files, databases = set(), set(), set()

def watch(event, arguments):
    if event == "pickle.find_class":
        classes.add(arguments[0].partition(".")[0])
    elif event == "open" and str(arguments[0]).endswith((".nbi", ".nbc", ".pkl", ".pickle", ".pt")):
        files.add(str(arguments[0]))
    elif event == "sqlite3.connect":
        databases.add(str(arguments[0]))

sys.addaudithook(watch)
from localsel.__main__ import main

sys.argv = ["localsel", *sys.argv[1:]]
code = 0
try:
    main()
except SystemExit as end:
    code = end.code
from outlines.caching import get_cache

found = {"code": code, "classes": sorted(classes), "files": sorted(files)}
found |= {"databases": sorted(databases), "cached": get_cache.cache_info().currsize}
print(json.dumps(found))
"""


@pytest.fixture(params=["nano-llama", str(CHECKOUT / "models" / "nano-llama")])
def seen(
    request: pytest.FixtureRequest, localsel: Command, example_pool: Path, workspace: Path
) -> dict[str, Any]:
    """What a run with each of the two formats opened and unpickled."""
    line = ["run", str(example_pool), "--budget", "3", "--model", request.param, "--threads", "1"]
    line += ["--workspace", str(workspace), "--display", "none"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *line],
        cwd=localsel.folder,
        env=localsel.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["code"] == 0, done.stderr
    return found


def test_what_is_unpickled_is_compiled_code_of_this_environment(
    seen: dict[str, Any], localsel: Command
) -> None:
    """Numba keeps what it compiled of localsel and Outlines beside the modules themselves.

    Where the environment is not writable, in the user's own cache.
    """
    assert set(seen["classes"]) <= {"builtins", "copyreg", "numba", "numpy"}
    assert all(Path(path).suffix in (".nbi", ".nbc") for path in seen["files"])
    own = Path(localsel.environment["XDG_CACHE_HOME"]) / "numba"
    beside = (Path(sys.prefix), Path(localsel_package.__file__).parent, own)
    assert all(any(Path(path).is_relative_to(each) for each in beside) for path in seen["files"])


def test_the_cache_of_outlines_is_never_opened(seen: dict[str, Any], workspace: Path) -> None:
    """It would be diskcache's, which unpickles what it finds: CVE-2025-69872."""
    assert seen["cached"] == 0
    assert all(str(workspace) in path for path in seen["databases"])
    assert seen["databases"]
