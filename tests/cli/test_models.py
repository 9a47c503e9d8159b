"""`models add` and names → a selector that is found wherever localsel looks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Command


@pytest.mark.parametrize("copy", [True, False])
def test_an_added_model_has_a_name(
    localsel: Command, selector: Path, tmp_path: Path, copy: bool
) -> None:
    at = ("--workspace", tmp_path / "workspace")
    options = ("--copy",) if copy else ()
    done = localsel("models", "add", selector, "--name", "mine", *options, *at)
    assert done.code == 0, done.stderr
    assert "--model mine" in done.complaint
    found = {
        each["name"]: Path(each["path"]) for each in localsel("models", "--json", *at).document
    }
    assert found["mine"].is_symlink() != copy
    assert found["mine"].read_bytes() == selector.read_bytes()
    assert localsel("models", "add", selector, "--name", "other", *at).code == 0
    for name in ("mine", "other"):
        assert localsel("models", "check", name, *at).code == 0
    again = localsel("models", "add", selector, "--name", "mine.gguf", *at)
    assert again.code == 2
    assert "There is a model 'mine' already" in again.complaint


def test_the_first_folder_that_has_a_name_counts(
    localsel: Command, selector: Path, example_pool: Path, workspace: Path, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(selector, shelf / "borrowed.gguf")
    run = ("run", example_pool, "--budget", 2, "--model", "borrowed", "--workspace", workspace)
    done = localsel(*run, "--json", LOCALSEL_MODELS=str(shelf))
    assert done.code == 0, done.stderr
    assert done.document["selector"]["path"] == str(shelf / "borrowed.gguf")
    here = localsel.folder / "models"
    here.mkdir()
    shutil.copy(selector, here / "borrowed.gguf")
    listed = localsel("models", "--json", LOCALSEL_MODELS=str(shelf)).document
    found = [each["path"] for each in listed if each["name"] == "borrowed"]
    assert found == ["models/borrowed.gguf"]


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("nano-lama", "nano-llama.gguf?"),
        ("shelf/borowed.gguf", "Did you mean shelf/borrowed.gguf?"),
        ("nothing-like-it-anywhere", "`localsel models` lists what is here."),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest(
    localsel: Command, example_pool: Path, selector: Path, model: str, hint: str
) -> None:
    (localsel.folder / "shelf").mkdir()
    shutil.copy(selector, localsel.folder / "shelf" / "borrowed.gguf")
    done = localsel("run", example_pool, "--budget", 2, "--model", model)
    assert done.code == 3
    assert f"There is no model {model}." in done.complaint
    assert hint in done.complaint


def test_llama_cpp_is_not_heard(localsel: Command, example_pool: Path, workspace: Path) -> None:
    at = ("--workspace", workspace)
    for model in ("nano-llama", "nano-gemma2"):
        run = localsel(
            "run", example_pool, "--budget", 3, "--model", model, "--display", "none", *at
        )
        assert (run.code, run.stderr) == (0, "")


@pytest.mark.parametrize("name", ["a/b", "..", "."])
def test_a_name_is_no_path(localsel: Command, selector: Path, name: str) -> None:
    done = localsel("models", "add", selector, "--name", name)
    assert done.code == 2
    assert "a name has no slashes" in done.complaint


def test_what_cannot_be_used_is_not_added(localsel: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and then nothing")
    at = ("--workspace", tmp_path / "workspace")
    assert localsel("models", "add", broken, *at).code == 3
    assert "broken" not in {each["name"] for each in localsel("models", "--json", *at).document}
