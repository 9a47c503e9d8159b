"""What `methods --json` tells, and what was filled in → the method as it will be, and its needs."""

from __future__ import annotations

import pytest

from localsel.cli.methods import described
from localsel.methods import METHODS
from localsel.settings import Sourced
from localsel.tui.described import Described, beside, chosen, needed, needs_model, sentence, unfit

KNOWN: dict[str, Described] = {name: described(name, METHODS.load(name)) for name in METHODS.places}


def told(name: str, **values: str) -> Described:
    return chosen(KNOWN[name], values, {})


def test_another_setting_makes_another_thing_of_a_method() -> None:
    assert needed(told("ifd")) == "a model, responses"
    assert needed(told("ifd", variant="cherry")) == "a model, responses"
    assert needed(told("ifd", variant="superfiltering")) == "a model, an embedder, responses"
    tuned = told("ifd", pre_experience="on")
    assert tuned["tunes"] and needs_model(tuned)
    assert needed(tuned) == "a Hugging Face folder, an embedder, responses"
    assert sentence(tuned) == sentence(told("ifd"))


@pytest.mark.parametrize("value", [True, 1, "true", "True", "TRUE", "1"])
def test_what_a_file_or_the_environment_says_counts_too(value: object) -> None:
    assert chosen(KNOWN["ifd"], {}, {"pre_experience": Sourced(value, "there")})["tunes"]
    assert not chosen(KNOWN["ifd"], {}, {"pre_experience": Sourced(False, "there")})["tunes"]


def test_every_method_without_a_plan_may_be_a_baseline() -> None:
    groups = beside(KNOWN)
    names = [name for group in groups.values() for name in group]
    assert sorted([*names, "random", "selectllm"]) == sorted(KNOWN)
    assert next(iter(groups)) == "nothing"
    assert [*groups.items()] == sorted(
        groups.items(), key=lambda each: len(KNOWN[each[1][0]]["needs"])
    )


def test_what_cannot_work_is_said() -> None:
    ifd, asking = told("ifd"), told("selectllm")
    assert unfit([asking], (), False, False).endswith("several make a comparison.")
    assert unfit([ifd], (), False, False) == "Mark a selector with space."
    assert unfit([ifd], ("a", "b"), False, False) == "ifd works with one model: mark only one."
    assert "needs responses" in unfit([ifd], ("a",), False, True)
    assert "needs responses" in unfit([asking, ifd], ("a", "b"), False, True)
    tuned = told("ifd", pre_experience="on")
    assert unfit([tuned], ("a",), False, False) == (
        "ifd fine-tunes its model: a is no Hugging Face folder."
    )


def test_what_works_is_not_spoken_of() -> None:
    assert unfit([told("random")], ("a", "b"), False, True) == ""
    assert unfit([told("selectllm")], ("a", "b"), False, True) == ""
    assert unfit([told("ifd", pre_experience="on")], ("a",), True, False) == ""
