"""`verify` → sound, or every single fault by name."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localsel.bundle.installer.checking import MANIFEST, SUM, Finding, Refused, is_inside, verify
from tests.bundles import Damage, copy_of, manifest_of, sign

EACH = int(os.environ.get("DAMAGES", "50"))
"""How often each kind of damage is done."""


def kinds(bundle: Path) -> list[tuple[str, str]]:
    return [(each.kind, each.path) for each in verify(bundle)]


def test_a_bundle_is_sound_as_it_was_made(bundle: Path) -> None:
    assert verify(bundle) == []


def test_every_file_has_its_size_sha256_and_licence(bundle: Path) -> None:
    entries = {each["path"]: each for each in manifest_of(bundle)["files"]}
    there = {
        path.relative_to(bundle).as_posix(): path.stat().st_size
        for path in bundle.rglob("*")
        if path.is_file()
    }
    assert {path: each["size"] for path, each in entries.items()} == {
        path: size for path, size in there.items() if path not in (MANIFEST, SUM)
    }
    assert all(len(each["sha256"]) == 64 and each["licence"] for each in entries.values())
    wheel = next(each for path, each in entries.items() if path.startswith("wheels/click"))
    assert (wheel["licence"], wheel["tags"]) == ("BSD-3-Clause", "py3-none-any")
    assert entries["install.py"]["licence"] == "Apache-2.0"


def test_nothing_in_a_bundle_is_a_link(bundle: Path) -> None:
    assert not [path for path in bundle.rglob("*") if path.is_symlink()]
    assert (bundle / "models" / "linked.gguf").read_bytes()[:4] == b"GGUF"


def test_the_sum_is_one_that_other_tools_read(bundle: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", SUM], cwd=bundle, check=True)


def test_every_damage_is_found_and_named(bundle: Path, tmp_path: Path) -> None:
    whole = Path(os.environ.get("BUNDLE", bundle))
    damage = Damage(copy_of(whole, tmp_path), seed=6)
    for _ in range(EACH):
        for kind in Damage.KINDS:
            path, findings = damage.found(kind)
            named = {each.path for each in findings}
            name = path.relative_to(damage.bundle).as_posix()
            # A manifest and its sum vouch for each other: that one of them is wrong is all we know.
            assert named == {MANIFEST if name == SUM and kind in ("flip", "cut") else name}, kind
    assert verify(damage.bundle) == []


def test_links_are_refused_wherever_they_lead(bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(bundle, tmp_path)
    aside = tmp_path / "aside"
    shutil.move(copy / "models" / "linked.gguf", aside)
    (copy / "models" / "linked.gguf").symlink_to(aside)
    shutil.move(copy / "prompts", tmp_path / "prompts")
    (copy / "prompts").symlink_to(tmp_path / "prompts")
    (copy / "dangling").symlink_to("nowhere")
    links = {path for kind, path in kinds(copy) if kind == "link"}
    assert links == {"models/linked.gguf", "prompts", "dangling"}


def test_a_pipe_is_not_waited_for(bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / "README.txt").unlink()
    os.mkfifo(copy / "README.txt")
    assert kinds(copy) == [("link", "README.txt")]


def test_an_empty_folder_does_not_belong(bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / "more").mkdir()
    assert kinds(copy) == [("extra", "more")]


@contextmanager
def no_file_can_be_opened() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_manifest_that_the_disk_does_not_give_is_a_finding(bundle: Path) -> None:
    with no_file_can_be_opened():
        findings = verify(bundle)
    assert findings == [
        Finding("unreadable", MANIFEST, f"cannot be read: {os.strerror(errno.EMFILE)}")
    ]


def test_a_folder_that_cannot_be_read_is_a_finding(bundle: Path, tmp_path: Path) -> None:
    """Deeper than a path may be long, which is refused to root, too."""
    copy = copy_of(bundle, tmp_path)
    name, here = "deep" * 50, os.open(copy, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    ((kind, path),) = kinds(copy)
    assert kind == "unreadable"
    assert path.startswith(f"{name}/{name}")
    shutil.rmtree(copy)


@pytest.mark.parametrize(
    "path", ["../out", "/etc/passwd", "a//b", "./a", "a/..", "", "a\\b", "c:x", "a\nb", "end."]
)
def test_a_path_out_of_the_bundle_is_refused(bundle: Path, tmp_path: Path, path: str) -> None:
    assert not is_inside(path)
    copy, manifest = copy_of(bundle, tmp_path), manifest_of(bundle)
    manifest["files"][0]["path"] = path
    sign(copy, manifest)
    assert kinds(copy) == [("manifest", path)]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("python", "cpython 3.8", "made for cpython 3.8"),
        ("machine", "riscv64", "made for riscv64"),
        ("system", "Plan9", "made for Plan9"),
        ("libc", "glibc 99.1", "made for glibc 99.1 or later"),
        ("libc", "musl 1.2", "made for musl 1.2 or later"),
        ("cpu", ["avx4096"], "lacks avx4096"),
    ],
)
def test_another_platform_is_said(
    bundle: Path, tmp_path: Path, key: str, value: object, said: str
) -> None:
    copy, manifest = copy_of(bundle, tmp_path), manifest_of(bundle)
    manifest["platform"][key] = value
    sign(copy, manifest)
    (finding,) = verify(copy)
    assert (finding.kind, finding.path) == ("platform", key)
    assert said in finding.said


def test_an_older_libc_is_good_enough(bundle: Path, tmp_path: Path) -> None:
    copy, manifest = copy_of(bundle, tmp_path), manifest_of(bundle)
    name = manifest["platform"]["libc"].partition(" ")[0]
    manifest["platform"]["libc"] = f"{name} 0.9"
    sign(copy, manifest)
    assert verify(copy) == []


@pytest.mark.parametrize(
    "text", ["[]", "{}", "no", '{"bundle": "localsel", "format": 1, "files": [3], "platform": {}}']
)
def test_a_manifest_of_something_else_is_one_finding(
    bundle: Path, tmp_path: Path, text: str
) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / MANIFEST).write_text(text)
    digest = subprocess.check_output([sys.executable, "-c", SUM_OF, str(copy / MANIFEST)])
    (copy / SUM).write_bytes(digest)
    assert kinds(copy) == [("manifest", MANIFEST)]


SUM_OF = """
import hashlib, sys
content = open(sys.argv[1], "rb").read()
print(hashlib.sha256(content).hexdigest() + "  manifest.json")
"""


def test_a_place_for_damage_is_always_found(bundle: Path, tmp_path: Path) -> None:
    """Among files that are empty, and names that are there in great letters, too."""
    copy = copy_of(bundle, tmp_path)
    for path in [path for path in copy.rglob("*") if path.is_file() and path.name != MANIFEST]:
        path.write_bytes(b"")
    (copy / "manifest.JSON").touch()
    damage = Damage(copy, seed=1)
    for _ in range(EACH):
        assert damage.place("flip").name == damage.place("cut").name == MANIFEST
        assert not damage.place("add").exists()


def test_a_folder_of_something_else_is_no_bundle(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(Refused, match="is no bundle") as refused:
            verify(folder)
        assert refused.value.code == 2
