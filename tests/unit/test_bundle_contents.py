"""What is to be carried → its files, as real ones, each with its licence."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import gguf
import pytest

from localsel.bundle import contents, installer, licences
from localsel.bundle.contents import Item, Wanted, items, parts
from localsel.errors import BackendError, UsageError
from localsel.settings import resource
from localsel.stages.embed import default_embedder, folder_fingerprint
from tests.conftest import CHECKOUT


def of_kind(kind: str, wanted: Wanted) -> dict[str, Item]:
    return {item.path: item for item in items(wanted) if item.kind == kind}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Hugging Face folder as a download cache keeps it: links to files that are elsewhere."""
    blobs, folder = tmp_path / "blobs", tmp_path / "my-llama"
    shutil.copytree(resource("models") / "nano-llama", blobs)
    folder.mkdir()
    for path in blobs.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def test_of_a_hugging_face_folder_goes_what_is_read_of_it(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling.py").write_text("code")
    found = of_kind("model", Wanted(models=(folder,)))
    names = {path.rpartition("/")[2] for path in found}
    assert {"config.json", "tokenizer.json", "model.safetensors", "README.md"} <= names
    assert not {"pytorch_model.bin", "modeling.py"} & names
    assert {path.split("/")[1] for path in found} == {"my-llama"}
    assert {item.licence for item in found.values()} == {"apache-2.0"}


def test_a_link_into_itself_has_an_end_and_one_out_is_refused(tmp_path: Path) -> None:
    own = Path(shutil.copytree(default_embedder(), tmp_path / "own"))
    (own / "again").symlink_to(own)
    found = of_kind("embedder", Wanted(embedders=(own,)))
    assert found and not [path for path in found if "again" in path]
    (tmp_path / "home").mkdir()
    (own / "more").symlink_to(tmp_path / "home")
    with pytest.raises(UsageError, match=r"own/more is a link to a folder outside of .*/own\."):
        items(Wanted(embedders=(own,)))


def test_an_embedder_goes_whole_so_that_its_vectors_stay_the_same(tmp_path: Path) -> None:
    own = Path(shutil.copytree(default_embedder(), tmp_path / "own"))
    (own / "notes").mkdir()
    (own / "notes" / "mine.txt").write_text("mine")
    for item in of_kind("embedder", Wanted(embedders=(own,))).values():
        target = tmp_path / "there" / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(item.source, target)
    assert folder_fingerprint(tmp_path / "there" / "embedders" / "own") == folder_fingerprint(own)


def test_what_comes_with_localsel_is_not_carried_twice() -> None:
    for name in ("nano-llama", "nano-llama/nano-llama.gguf"):
        model = resource("models") / name
        assert of_kind("model", Wanted(models=(model,))) == {}


def test_own_weights_beside_them_in_a_checkout_are_carried(tmp_path: Path, selector: Path) -> None:
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "localsel", tmp_path / "localsel", ignore=without)
    for name in ("prompts", "docs"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    shutil.copytree(CHECKOUT / "models" / "nano-llama", tmp_path / "models" / "nano-llama")
    for name in ("mine.gguf", "nano-mine.gguf"):
        shutil.copy(selector, tmp_path / "models" / name)
    code = """
from pathlib import Path
from localsel.bundle.contents import Wanted, items
found = items(Wanted(models=tuple(sorted(Path("models").iterdir()))))
print(*(item.path for item in found if item.kind == "model"))
"""
    line = [sys.executable, "-c", code]
    # The current folder comes before what is installed.
    done = subprocess.run(line, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    assert done.stdout.split() == ["models/mine.gguf", "models/nano-mine.gguf"]


def test_a_name_that_localsel_has_itself_is_refused(tmp_path: Path, selector: Path) -> None:
    other = Path(shutil.copy(selector, tmp_path / "nano-gemma2.gguf"))
    with pytest.raises(UsageError, match="localsel has a nano-gemma2 of its own"):
        items(Wanted(models=(other,)))
    # A folder's name has no ending that is cut off.
    folder = Path(shutil.copytree(selector.parent, tmp_path / "nano-llama.5"))
    assert f"models/{folder.name}/config.json" in of_kind("model", Wanted(models=(folder,)))


def test_the_selectors_of_localsel_are_known_by_name() -> None:
    assert {path.name for path in resource("models").glob("nano-*")} == set(contents.OWN)


def test_own_prompts_go_along_and_localsels_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("mine")
    (tmp_path / "published.toml").write_text("not mine")
    found = of_kind("prompt", Wanted(own_prompts=tmp_path))
    assert {"prompts/mine.toml", "prompts/published.toml", "prompts/reason.toml"} <= set(found)
    assert found["prompts/mine.toml"].licence == licences.NOT_STATED
    assert found["prompts/published.toml"].source == resource("prompts") / "published.toml"


def test_the_manual_is_there() -> None:
    docs = of_kind("doc", Wanted())
    assert {"README.txt", "docs/README.md", "docs/air-gap.md", "docs/tui.md"} <= set(docs)


def test_a_model_in_several_files_goes_with_all_of_them(tmp_path: Path) -> None:
    names = [f"big-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in parts(tmp_path / names[0])] == names
    (tmp_path / names[2]).unlink()
    with pytest.raises(BackendError, match=f"one of 3 files, and .*{names[2]} is missing"):
        parts(tmp_path / names[0])


def test_a_broken_model_is_found_here_not_there(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and no more")
    with pytest.raises(BackendError, match="is broken"):
        items(Wanted(models=(broken,)))


def test_a_rule_has_no_weights_to_carry() -> None:
    with pytest.raises(UsageError, match="a rule without weights"):
        items(Wanted(models=(Path("random:7"),)))


def test_names_that_a_stick_cannot_hold_or_tell_apart_are_refused(
    tmp_path: Path, selector: Path
) -> None:
    for name in ("a/model.gguf", "b/Model.gguf", "what?.gguf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(selector, tmp_path / name)
    with pytest.raises(UsageError, match=r"Two files would be models/Model\.gguf"):
        items(Wanted(models=(tmp_path / "a/model.gguf", tmp_path / "b/Model.gguf")))
    with pytest.raises(UsageError, match="Not every disk can hold"):
        items(Wanted(models=(tmp_path / "what?.gguf",)))


def test_the_licence_of_a_gguf_is_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("general.file_type", 1)
    writer.add_array("general.tags", ["one", "two"])
    writer.add_array("general.numbers", [1, 2, 3])
    writer.add_license("gemma")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert licences.of_gguf(path) == "gemma"
    path.write_bytes(path.read_bytes()[:60])
    assert licences.of_gguf(path) == licences.NOT_STATED


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        (
            "License-Expression: MIT AND (BSD-3-Clause OR GPL-2.0)",
            "MIT AND (BSD-3-Clause OR GPL-2.0)",
        ),
        ("License: BSD", "BSD"),
        (
            f"License: {'All of it. ' * 20}\nClassifier: License :: OSI Approved :: BSD License",
            "BSD License",
        ),
        ("License: UNKNOWN\nLicense-File: LICENSE", "in its LICENSE"),
        ("Name: nothing", licences.NOT_STATED),
    ],
)
def test_the_licence_of_a_wheel_is_what_its_metadata_say(metadata: str, licence: str) -> None:
    assert licences.of_metadata(metadata) == licence


def test_a_card_without_a_licence_states_none(tmp_path: Path) -> None:
    assert licences.of_folder(tmp_path) == licences.NOT_STATED
    (tmp_path / "README.md").write_text("# Model\n\nlicense: written in the text\n")
    assert licences.of_folder(tmp_path) == licences.NOT_STATED


def test_the_installer_needs_nothing_but_python() -> None:
    """Its own modules, and those of the standard library."""
    for path in Path(str(installer.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= sys.stdlib_module_names
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or str(node.module).partition(".")[0] in (
                    sys.stdlib_module_names
                )
