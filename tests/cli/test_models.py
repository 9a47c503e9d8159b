"""`models add` and names → a selector that is found wherever localsel looks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, Command
from tests.vocabularies import random_model

NANO = CHECKOUT / "models" / "nano-llama"


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A Hugging Face folder without a GGUF of its name."""
    made = tmp_path / "others" / "judge-2.5"
    shutil.copytree(NANO, made, ignore=shutil.ignore_patterns("*.gguf"))
    return made


FIELDS = {
    *("name", "architecture", "parameters", "context", "vocabulary", "layers", "width"),
    *("quantisation", "tokenizer", "special_tokens", "chat_template", "takes_a_system_message"),
    *("bos_from", "mebibytes", "sha256", "backend", "context_used", "memory", "canary", "sample"),
}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_card_of_either_format(kind: str, localsel: Command, folder: Path) -> None:
    path = NANO / "nano-llama.gguf" if kind == "file" else folder
    done = localsel("models", "check", path, "--context", 1024, "--threads", 1, "--json")
    assert done.code == 0, done.stderr
    card = done.document
    assert set(card) >= FIELDS
    assert card["backend"] == ("llamacpp" if kind == "file" else "transformers")
    assert (card["architecture"], card["parameters"]) == ("llama", 1_197_184)
    assert (card["context"], card["context_used"]) == (8192, 1024)
    needs = card["memory"]
    assert needs["kv_cache"] == 4 * 4 * 64 * 1024 * (2 if kind == "file" else 4)
    assert needs["total"] == sum(value for name, value in needs.items() if name in PARTS)
    assert "× 1,024 tokens" in needs["how"]
    assert card["special_tokens"]["eos"] == {"id": 4, "text": "<|eot_id|>"}
    assert (card["bos_from"], card["takes_a_system_message"]) == ("template", True)
    assert card["canary"].startswith("held")
    chances = card["sample"]["probabilities"]
    assert card["sample"]["picked"] == max(chances, key=chances.get)
    assert sum(chances.values()) == pytest.approx(1, abs=1e-3)


PARTS = ("weights", "kv_cache", "working")


def test_both_formats_of_one_model_answer_alike(localsel: Command, folder: Path) -> None:
    cards = [
        localsel("models", "check", path, "--json").document
        for path in (NANO / "nano-llama.gguf", folder)
    ]
    first, second = (card["sample"]["probabilities"] for card in cards)
    assert all(first[label] == pytest.approx(second[label], abs=0.01) for label in first)


def test_a_card_for_people(localsel: Command) -> None:
    done = localsel("models", "check", "nano-gemma2")
    assert done.code == 0, done.stderr
    words = done.stdout.split("\n")
    for line in (
        "bos token                <bos> (2)",
        "takes a system message   no",
        "bos from                 template",
        "memory: KV cache         16.0 MiB",
    ):
        assert line in words
    assert sum("← picked" in line for line in words) == 1
    assert done.complaint == "It can be used."


def test_a_context_that_is_too_small_for_a_question(localsel: Command, tmp_path: Path) -> None:
    """The card is made; the question is not asked, and that is said."""
    wordy = {"tokenizer.chat_template": "{{ 'So it is. ' * 60 }}{{ messages[0].content }}"}
    path = random_model("llama-2", tmp_path / "wordy.gguf", facts=wordy)
    card = localsel("models", "check", path, "--context", 256, "--json").document
    assert "no room for a question" in card["sample"]["error"]


@pytest.mark.parametrize(
    ("model", "flags", "said"),
    [
        ("first", (), "nothing to check"),
        ("nano-llama", ("--context", 9000), "reads at most 8192 tokens"),
        ("nano-llama", ("--backend", "transformers"), "is no Hugging Face folder"),
    ],
)
def test_what_cannot_be_checked(
    model: str, flags: tuple[object, ...], said: str, localsel: Command
) -> None:
    done = localsel("models", "check", model, *flags)
    assert done.code == 3
    assert said in done.complaint and "Traceback" not in done.stderr


@pytest.mark.parametrize("copy", [True, False])
def test_an_added_folder_has_a_name(
    copy: bool, localsel: Command, folder: Path, tmp_path: Path
) -> None:
    at = ("--workspace", tmp_path / "workspace")
    done = localsel("models", "add", folder, *(("--copy",) if copy else ()), *at)
    assert done.code == 0, done.stderr
    assert "--model judge-2.5" in done.complaint
    (found,) = (
        each for each in localsel("models", "--json", *at).document if each["name"] == "judge-2.5"
    )
    taken = Path(found["path"])
    assert (taken.is_symlink(), taken.is_dir()) == (not copy, True)
    assert found["mebibytes"] == pytest.approx(2.3, abs=0.05)
    assert (tmp_path / "workspace" / "models").stat().st_mode & 0o077 == 0
    again = localsel("models", "add", folder, *at)
    assert again.code == 2 and "There is a model 'judge-2.5' already" in again.complaint
    card = localsel("models", "check", "judge-2.5", "--json", *at).document
    assert card["backend"] == "transformers"


def test_quality_models_are_told_apart(localsel: Command) -> None:
    kinds = {each["name"]: each["kind"] for each in localsel("models", "--json").document}
    assert kinds == {"nano-llama": "selector", "nano-gemma2": "selector", "nano-quality": "quality"}


def test_embedders_are_no_selectors(localsel: Command, folder: Path) -> None:
    shelf = folder.parent
    named = {
        each["name"] for each in localsel("models", "--json", LOCALSEL_MODELS=str(shelf)).document
    }
    (folder / "modules.json").write_text("[]")
    later = {
        each["name"] for each in localsel("models", "--json", LOCALSEL_MODELS=str(shelf)).document
    }
    assert named - later == {"judge-2.5"}


def test_a_model_is_added_by_the_name_that_it_has(localsel: Command, tmp_path: Path) -> None:
    at = ("--workspace", tmp_path / "workspace")
    done = localsel("models", "add", "nano-llama", "--name", "mine", *at)
    assert done.code == 0, done.stderr
    taken = tmp_path / "workspace" / "models" / "mine.gguf"
    assert taken.is_symlink() and taken.read_bytes().startswith(b"GGUF")
    gone = localsel("models", "add", "nano-nothing", *at)
    assert gone.code == 3 and "There is no model nano-nothing" in gone.complaint
    assert [each.name for each in taken.parent.iterdir()] == ["mine.gguf"]
