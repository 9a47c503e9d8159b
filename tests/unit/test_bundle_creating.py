"""`create` → a whole bundle, also in several starts; or one sentence and nothing half."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from io import IOBase
from pathlib import Path
from types import FrameType

import pytest

from localsel.bundle.contents import Wanted
from localsel.bundle.installer.checking import MANIFEST, SUM, UNFINISHED, verify
from localsel.errors import LocalselError, UsageError
from localsel.stages.embed import default_embedder
from tests.bundles import copy_of, make, manifest_of


class Stopping:
    """Hears how far it is, and stops it there, as ctrl+c would."""

    def __init__(self, stage: str, at: int) -> None:
        self.stage, self.at = stage, at

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage == self.stage and done >= self.at:
            raise KeyboardInterrupt


def nodes(bundle: Path) -> dict[str, int]:
    """Which files are the very same as before."""
    return {
        path.relative_to(bundle).as_posix(): path.stat().st_ino
        for path in bundle.rglob("*")
        if path.is_file() and path.name not in (MANIFEST, SUM)
    }


@pytest.mark.parametrize(("stage", "at"), [("wheels", 1), ("copy", 1), ("copy", 1_000_000)])
def test_a_stopped_start_leaves_nothing_half_and_the_next_goes_on(
    tmp_path: Path, selector: Path, stage: str, at: int
) -> None:
    model = Path(shutil.copy(selector, tmp_path / "linked.gguf"))
    folder = tmp_path / "bundle"
    with pytest.raises(KeyboardInterrupt):
        make(folder, Wanted(models=(model,)), tell=Stopping(stage, at))
    assert [each.kind for each in verify(folder)] == ["unfinished"]
    before = {path: node for path, node in nodes(folder).items() if path[0] != "."}
    del before[UNFINISHED]
    contents = {path: (folder / path).read_bytes() for path in before}
    make(folder, Wanted(models=(model,)))
    assert verify(folder) == []
    assert before.items() <= nodes(folder).items()
    assert contents == {path: (folder / path).read_bytes() for path in contents}
    assert not (folder / UNFINISHED).exists()


def test_the_same_command_again_writes_nothing_again(tmp_path: Path, selector: Path) -> None:
    model = Path(shutil.copytree(selector.parent, tmp_path / "nano"))
    wanted = Wanted(models=(model,))
    folder = make(tmp_path / "bundle", wanted)
    before, manifest = nodes(folder), manifest_of(folder)
    make(folder, wanted)
    assert nodes(folder) == before
    assert manifest_of(folder) == manifest


def test_what_is_no_longer_wanted_goes_and_what_was_damaged_comes_back(
    bundle: Path, tmp_path: Path
) -> None:
    copy = copy_of(bundle, tmp_path)
    wheel = next(copy.glob("wheels/click-*"))
    wheel.write_bytes(b"PK")
    (copy / "docs" / "README.md").unlink()
    make(copy)
    assert verify(copy) == []
    assert not (copy / "models").exists()
    assert wheel.read_bytes() == (bundle / "wheels" / wheel.name).read_bytes()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear")
    with pytest.raises(UsageError, match="is not empty, and is no bundle"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_strange_file_in_a_bundle_is_named(bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / "docs" / "letter.txt").write_text("Dear")
    with pytest.raises(UsageError, match=r"holds docs/letter\.txt, which is no part of a bundle"):
        make(copy)


def test_an_unfinished_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    folder = tmp_path / "bundle"
    folder.mkdir()
    entry = {"path": "../outside", "size": 4, "sha256": "0" * 64}
    (folder / UNFINISHED).write_text(json.dumps({"files": [entry]}))
    with pytest.raises(UsageError, match="cannot be read"):
        make(folder)
    assert outside.read_text() == "mine"


def test_whatever_is_written_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    synced = set()

    def seen(frame: FrameType, event: str, called: object) -> None:
        if event == "c_return" and called is os.fsync:
            # Whoever calls it holds the file, by whatever name.
            for held in frame.f_locals.values():
                if isinstance(held, IOBase) and not held.closed:
                    synced.add(os.fstat(held.fileno()).st_ino)

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        folder = make(tmp_path / "bundle")
    finally:
        sys.setprofile(before)
    assert set(nodes(folder).values()) <= synced


def test_a_folder_with_nothing_but_an_early_end_in_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / ".partial").mkdir()
    assert verify(make(tmp_path)) == []


def test_what_fat32_cannot_hold_is_said_before_anything_is_copied(tmp_path: Path) -> None:
    said: list[str] = []
    own = Path(shutil.copytree(default_embedder(), tmp_path / "own"))
    with (own / "huge.bin").open("wb") as file:
        file.truncate(2**32)  # a hole, which takes no room
    wanted = Wanted(embedders=(own,))
    with pytest.raises((KeyboardInterrupt, LocalselError)):
        make(tmp_path / "bundle", wanted, say=said.append, tell=Stopping("wheels", 0))
    fat = "FAT32 cannot hold embedders/own/huge.bin, which has 4 GiB or more; exFAT can."
    assert said[1] == fat


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a folder"):
        make(tmp_path / "file")


def test_without_pip_there_are_no_wheels(tmp_path: Path) -> None:
    """An environment like this one, in which nobody has put pip."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    (there,) = (tmp_path / "env").glob("lib/python*/site-packages")
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if each.name != "pip" and not each.name.startswith("pip-"):
            (there / each.name).symlink_to(each)
    python = tmp_path / "env" / "bin" / "python"
    line = [python, "-P", "-m", "localsel", "bundle", "create", tmp_path / "bundle"]
    done = subprocess.run(line, capture_output=True, encoding="utf-8")
    assert done.returncode == LocalselError.exit_code
    assert "There is no pip in this environment" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_disk_with_too_little_room_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    own = Path(shutil.copytree(default_embedder(), tmp_path / "own"))
    with (own / "huge.bin").open("wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).free + 2**30)  # a hole, which takes no room
    with pytest.raises(LocalselError, match=r"has [\d.,]+ GiB free, where about [\d.,]+ GiB are"):
        make(tmp_path / "bundle", Wanted(embedders=(own,)))
    assert not list(tmp_path.rglob("*.whl"))


def test_it_says_how_much_it_will_be(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "bundle", say=said.append, tell=Stopping("wheels", 0))
    assert re.match(r"At most \d+ KiB will be written: 2 packages and \d+ files\.", said[0])
