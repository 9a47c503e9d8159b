"""A workspace in a folder that everybody may enter → nothing in it that anybody else can read."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

from tests.conftest import CHECKOUT, Command


def readable_by_others(path: Path, top: Path) -> bool:
    """Whether no folder on the way, nor the file itself, keeps them out."""
    way = [path, *(each for each in path.parents if each.is_relative_to(top))]
    return all(stat.S_IMODE(each.stat().st_mode) & 0o044 for each in way)


def test_everything_that_is_kept_is_the_owners(localsel: Command, tmp_path: Path) -> None:
    workspace, data = tmp_path / "open", tmp_path / "few.jsonl"
    workspace.mkdir(mode=0o755)
    rows = [{"instruction": f"Say {number} words about bread."} for number in range(6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    at = ("--workspace", workspace)
    nano = CHECKOUT / "models" / "nano-llama" / "nano-llama.gguf"
    run = ("run", data, "--budget", 2, "--model", "first", *at)
    assert localsel("models", "add", nano, "--copy", "--name", "mine", *at).code == 0
    assert localsel(*run).code == 0
    assert localsel(*run, "--seed", 1, "--detach").code == 0
    deadline = time.monotonic() + 120
    while any(run["state"] == "running" for run in localsel("runs", "--json", *at).document):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    kept = [path for path in workspace.rglob("*") if path.is_file()]
    assert {"localsel.db", "mine.gguf"} <= {path.name for path in kept}
    assert {path.parent.name for path in kept} >= {"vectors", "locks", "logs", "models"}
    assert [path for path in kept if readable_by_others(path, workspace)] == []
