"""`localsel methods`: what each needs and costs, for people and programs."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from localsel.cli.method_lines import card, table
from localsel.cli.methods import described
from localsel.cli.run import command as run_command
from localsel.methods import METHODS
from localsel.methods.base import Method
from localsel.settings import METHODS_OWN
from tests.conftest import Command

NAMES = list(METHODS.places)


def told(name: str) -> dict[str, Any]:
    return described(name, METHODS.load(name))


def test_the_whole_table_is_one_document(localsel: Command) -> None:
    found = {each["name"]: each for each in localsel("methods", "--json").document}
    assert list(found) == NAMES
    assert found == {name: json.loads(json.dumps(told(name))) for name in NAMES}
    assert [name for name in NAMES if found[name]["asks_queries"]] == ["selectllm"]


def test_one_is_one_document(localsel: Command) -> None:
    found = localsel("methods", "ifd", "--json").document
    assert found["needs"] == ["a model", "responses"] and not found["tunes"]
    assert found["variants"] == ["cherry", "superfiltering"]
    filtering, experienced = found["otherwise"]
    assert filtering["set"] == {"variant": "superfiltering"}
    assert filtering["needs"] == ["a model", "an embedder", "responses"]
    assert experienced["set"] == {"pre_experience": True}
    assert experienced["tunes"] and experienced["draws"]
    assert experienced["needs"] == ["a Hugging Face folder", "an embedder", "responses"]
    own = {each["name"] for each in experienced["options"]}
    assert {"tune_rows", "tune_rate"} <= own
    assert "tune_rows" not in {each["name"] for each in found["options"]}


def test_an_unknown_one_is_refused_with_the_nearest(localsel: Command) -> None:
    done = localsel("methods", "alpagasos")
    assert done.code == 2
    assert "Did you mean 'alpagasus'?" in done.complaint


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_names_all(localsel: Command, width: int) -> None:
    done = localsel("methods", COLUMNS=str(width))
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= width
    starts = [line.split()[0] for line in lines if line.startswith("  ")]
    assert set(NAMES) <= set(starts)
    assert ("arXiv 2308.12032" in done.stdout) == (width == 120)


def test_a_method_stands_under_what_it_needs() -> None:
    text = "\n".join(table([told(name) for name in NAMES], 80))
    below = text.split("needs a model, responses\n")[1].partition("\n\n")[0]
    assert "\n  alpagasus " in below and "random" not in below


@pytest.mark.parametrize("name", NAMES)
def test_all_about_one(name: str) -> None:
    method: type[Method] = METHODS.load(name)
    found = told(name)
    *lines, example = card(found, method, 80)
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    assert text.startswith(f"{name}: {method.about}")
    for facts in (found, *found["otherwise"]):
        assert {each["name"] for each in facts["options"]} <= set(METHODS_OWN)
        assert all(f"--{each['name'].replace('_', '-')} " in text for each in facts["options"])
    assert all(variant in text for variant in found["variants"])
    _, verb, *words = shlex.split(example)
    assert verb == "run"
    flags = run_command.make_context(verb, words).params
    assert flags["method"] in (None, name)
    assert bool(flags["model"]) == method.needs_backend


def test_what_is_fine_tuned_has_to_be_a_folder() -> None:
    text = "\n".join(card(told("ifd"), METHODS.load("ifd"), 80))
    assert "With --pre-experience: " in text
    assert "\nneeds      a Hugging Face folder, an embedder, responses\n" in text
