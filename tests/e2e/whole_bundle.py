"""`bundle create` with all that localsel needs → `demo`, where there is no network. Minutes.

`make test-bundle` runs it; with BUNDLE=DIR it takes the bundle that is there.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.e2e.test_bundle import Island


def made(selector: Path, folder: Path) -> Path:
    """Packages come from pip's own index, so nothing keeps this command from the network."""
    model = shutil.copy(selector, folder / "mine.gguf")
    command = Command(folder, folder / "nothing")
    command.environment = dict(os.environ) | {"XDG_DATA_HOME": str(folder / "share")}
    done = command("bundle", "create", folder / "bundle", "--model", model)
    assert done.code == 0, done.stderr
    return folder / "bundle"


@pytest.mark.timeout(3600)
def test_a_bundle_is_all_that_the_demo_needs(selector: Path, tmp_path: Path) -> None:
    folder = tmp_path / "island"
    folder.mkdir()
    island = Island(folder)
    assert island.cut, "this test needs network namespaces: unshare --user --net"
    given = os.environ.get("BUNDLE")
    bundle = Path(given) if given else made(selector, tmp_path)
    done = island.run(sys.executable, bundle / "install.py", "--target", "env")
    assert done.returncode == 0, done.stderr
    localsel = folder / "env" / "bin" / "localsel"
    demo = island.run(localsel, "demo")
    assert demo.returncode == 0, demo.stderr
    assert "Chose 40 of 485 instructions" in demo.stderr
    assert given or "mine" in island.run(localsel, "models").stdout
