"""`bundle create`, `verify` and `install` → exit codes, a line for each finding, one sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.bundles import copy_of, manifest_of, sign
from tests.conftest import Command


def test_a_sound_bundle_is_said_to_be_sound(localsel: Command, bundle: Path) -> None:
    done = localsel("bundle", "verify", bundle)
    assert (done.code, done.stdout) == (0, "")
    assert done.complaint == f"{bundle} is sound, and made for this machine."
    assert localsel("bundle", "verify", bundle, "--json").document == []


def test_every_finding_is_a_line(localsel: Command, bundle: Path, tmp_path: Path) -> None:
    copy = copy_of(bundle, tmp_path)
    with (copy / "models" / "linked.gguf").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    (copy / "README.txt").unlink()
    (copy / "autorun\x1b[2J.inf").touch()
    done = localsel("bundle", "verify", copy)
    assert done.code == 3
    assert done.stdout.splitlines() == [
        "extra: autorun␛[2J.inf: not part of the bundle",
        "missing: README.txt: missing",
        "changed: models/linked.gguf: its content was changed",
    ]
    found = localsel("bundle", "verify", copy, "--json")
    assert found.code == 3
    assert [each["kind"] for each in found.document] == ["extra", "missing", "changed"]
    assert set(found.document[0]) == {"kind", "path", "said"}


@pytest.mark.parametrize("line", [["verify"], ["install", "--target", "env"]])
def test_a_folder_that_is_no_bundle(localsel: Command, tmp_path: Path, line: list[str]) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        done = localsel("bundle", line[0], folder, *line[1:])
        assert done.code == 2
        assert done.complaint == (
            f"localsel: {folder} is no bundle: it holds no manifest.json. Check the path."
        )


def test_an_environment_that_is_there_is_left_alone(
    localsel: Command, bundle: Path, tmp_path: Path
) -> None:
    target = tmp_path / "env"
    target.mkdir()
    (target / "mine").touch()
    done = localsel("bundle", "install", bundle, "--target", target)
    assert done.code == 2
    assert done.complaint == f"localsel: {target} is not empty. Choose another --target."
    assert [path.name for path in target.iterdir()] == ["mine"]
    inside = localsel("bundle", "install", bundle, "--target", bundle / "env")
    assert inside.code == 2
    assert "lies in the bundle" in inside.complaint


def test_links_in_a_circle_are_one_sentence(
    localsel: Command, bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for folder, target in ((tmp_path / "a", "env"), (bundle, tmp_path / "b")):
        done = localsel("bundle", "install", folder, "--target", target)
        assert done.code == 2
        assert "Traceback" not in done.stderr
        assert done.complaint.startswith("localsel: ") and done.complaint.endswith(".")


def test_a_wheel_that_is_none_is_one_sentence(
    localsel: Command, bundle: Path, tmp_path: Path
) -> None:
    copy, manifest = copy_of(bundle, tmp_path), manifest_of(bundle)
    entry = next(each for each in manifest["files"] if each["kind"] == "wheel")
    (copy / entry["path"]).write_bytes(b"PK")
    entry |= {"size": 2, "sha256": hashlib.sha256(b"PK").hexdigest()}
    sign(copy, manifest)
    done = localsel("bundle", "install", copy, "--target", tmp_path / "env")
    assert done.code == 3
    assert f"{entry['path']} is no wheel." in done.complaint
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "env").exists()


def test_nothing_is_installed_from_a_damaged_bundle(
    localsel: Command, bundle: Path, tmp_path: Path
) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / "prompts" / "reason.toml").unlink()
    done = localsel("bundle", "install", copy, "--target", tmp_path / "env")
    assert done.code == 3
    assert done.complaint.endswith(
        "cannot be used, one thing is wrong with it: prompts/reason.toml: missing."
    )
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--extra", "tensorflow"], 2, "There is no extra 'tensorflow'. --extra takes llamacpp"),
        (["--model", "first"], 2, "first is a rule without weights"),
        (["--model", "http://127.0.0.1:9/v1"], 2, "is a server, and no model to carry"),
        (["--model", "nowhere.gguf"], 3, "There is no model nowhere.gguf."),
        (["--model", "broken.gguf"], 3, "broken.gguf is not a GGUF file"),
        (["--embedder", "~nobody-here/x"], 3, "~nobody-here/x"),
        (["--embedder", "."], 3, "There is no sentence-transformers model in"),
    ],
)
def test_what_cannot_be_carried_is_refused_before_anything_is_made(
    localsel: Command, options: list[str], code: int, said: str
) -> None:
    (localsel.folder / "broken.gguf").write_text("no weights")
    done = localsel("bundle", "create", "out", *options)
    assert done.code == code
    assert said in done.complaint
    assert len(done.complaint.splitlines()) == 1
    assert not (localsel.folder / "out").exists()


def test_a_folder_of_something_else_is_not_made_a_bundle(localsel: Command, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    done = localsel("bundle", "create", tmp_path)
    assert done.code == 2
    assert done.complaint == (
        f"localsel: {tmp_path} is not empty, and is no bundle. Choose another DIR."
    )
