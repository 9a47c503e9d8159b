"""`localsel report` → one page of a run, or of several over one plan; whole, or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Command, Finished

NAMES = {"report.html", "report.md", "comparison.json"}


@pytest.mark.parametrize("named", ["last", "id"])
def test_one_run_has_a_page(
    localsel: Command, finished: Finished, tmp_path: Path, named: str
) -> None:
    out = tmp_path / "made" / "here"
    run = "last" if named == "last" else finished.id[:6]
    done = localsel("report", run, "--out", out, "--workspace", finished.workspace, "--json")
    assert done.code == 0, done.stderr
    assert {path.name for path in out.iterdir()} == NAMES
    assert json.loads((out / "comparison.json").read_text(encoding="utf-8")) == done.document
    (selector,) = done.document["selectors"]
    assert (selector["run"], selector["name"]) == (finished.id, "random:7")
    assert done.document["pairs"] == []
    page = (out / "report.html").read_text(encoding="utf-8")
    assert finished.id in page
    assert "<script" not in page.lower()
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)


def test_without_a_folder_it_is_called_report(localsel: Command, finished: Finished) -> None:
    done = localsel("report", finished.id, "--workspace", finished.workspace)
    assert done.code == 0, done.stderr
    assert {path.name for path in (localsel.folder / "report").iterdir()} == NAMES
    assert done.stdout == ""
    assert "report.html" in done.complaint
    # Again, over the first: the same text.
    before = (localsel.folder / "report" / "report.md").read_bytes()
    assert localsel("report", finished.id, "--workspace", finished.workspace).code == 0
    assert (localsel.folder / "report" / "report.md").read_bytes() == before


def test_nothing_is_made_for_a_run_that_is_not_there(
    localsel: Command, finished: Finished, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    done = localsel("report", "0000", "--out", out, "--workspace", finished.workspace)
    assert done.code == 2
    assert "There is no run" in done.complaint
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_refused(
    localsel: Command, finished: Finished, tmp_path: Path
) -> None:
    file, taken = tmp_path / "file", tmp_path / "taken"
    file.write_text("something")
    (taken / "comparison.json").mkdir(parents=True)
    for out in (file, taken):
        done = localsel("report", "last", "--out", out, "--workspace", finished.workspace)
        assert (done.code, done.stdout) == (2, "")
        assert str(out) in done.complaint
        assert "Traceback" not in done.stderr
    assert [path.name for path in taken.iterdir()] == ["comparison.json"]
