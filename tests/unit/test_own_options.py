"""An option that only some methods know says which, and what it means to each."""

from __future__ import annotations

import pytest

from localsel.cli.methods import described
from localsel.methods import METHODS
from localsel.settings import METHODS_OWN
from localsel.settings.own import is_named, knowing, meaning, usual


def knowers(option: str) -> set[str]:
    """The methods that have it, by themselves or with another setting."""
    found = set()
    for name in METHODS.places:
        told = described(name, METHODS.load(name))
        options = [each["options"] for each in (told, *told["otherwise"])]
        if option in {each["name"] for some in options for each in some}:
            found.add(name)
    return found


@pytest.mark.parametrize("option", METHODS_OWN)
def test_its_sentence_names_exactly_the_methods_that_have_it(option: str) -> None:
    names = knowing(option)
    assert {each for each in METHODS.places if is_named(each, names)} == knowers(option)
    assert all(any(is_named(each, {name}) for each in METHODS.places) for name in names)


def test_of_several_meanings_each_method_has_its_own() -> None:
    assert meaning("threshold", "alpagasus") == "The least rating."
    assert meaning("threshold", "deita") == "The largest cosine to a pick."
    assert meaning("tune_rows", "ifd") == meaning("tune_rows", "mods") == "Rows to tune on."
    assert "least rating; deita" in meaning("threshold", "one-from-elsewhere")


def test_of_several_defaults_each_method_has_its_own() -> None:
    assert [usual("tune_rows", each) for each in ("mods", "ifd")] == ["half the budget", "1,000"]
    assert (usual("threshold", "deita"), usual("quality_above", "mods")) == ("0.9", "0")
    assert usual("quality_model", "mods") == "nano-quality, a toy"
    assert usual("pre_experience", "ifd") == ""


def test_a_family_goes_by_its_first_word() -> None:
    assert is_named("perplexity-low", {"perplexity"})
    assert not is_named("perplexing", {"perplexity"})
