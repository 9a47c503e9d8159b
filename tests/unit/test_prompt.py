"""Templates and candidates → the exact prompt, shortened by a visible rule where it has to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localsel.backends.base import CUT, Opening
from localsel.backends.scripted import ScriptedBackend
from localsel.errors import BackendError, UsageError
from localsel.methods.fitting import LEAST_ROOM, TOKENS_PER_PICK, Fitter
from localsel.records import Prompt
from localsel.stages.prompt import (
    Template,
    after_pick,
    find_template,
    load_template,
    render,
    room_per_candidate,
    show,
    template_names,
)

relaxed = settings(deadline=None)

SMALL = Template(
    name="small",
    about="for tests",
    criteria="short ones",
    head="Prefer {criteria}.\n",
    candidate="[{label}] {text} [{label}]\n",
    tail="Choose {quota}.\n",
    answer="Best: [",
)

FILE = """
about = "for tests"
criteria = "short ones"
head = "Prefer {criteria}."
candidate = "[{label}] {text}"
tail = "Choose {quota}."
answer = "["
"""

texts = st.text(max_size=30)
PLACEHOLDERS = (
    "{label}",
    "{quota}",
    "{text}",
    "{criteria}",
    "{0}",
    "{",
    "}",
    "{}",
    "{{text}}",
    "%s",
)


# --- rendering -----------------------------------------------------------------------------------


def test_a_query_is_rendered_part_by_part() -> None:
    prompt = render(SMALL, ["Sing.", "Dance."], quota=2)
    assert prompt == Prompt(
        "Prefer short ones.\n", ("[1] Sing. [1]\n", "[2] Dance. [2]\n"), "Choose 2.", "Best: ["
    )
    assert prompt.content == "Prefer short ones.\n[1] Sing. [1]\n[2] Dance. [2]\nChoose 2."


def test_the_labels_count_from_one() -> None:
    prompt = render(SMALL, ["x"] * 12, quota=1)
    assert prompt.labels == ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")
    assert [each.split("]")[0] for each in prompt.candidates] == [f"[{n}" for n in prompt.labels]


def test_criteria_of_ones_own_replace_those_of_the_template() -> None:
    assert render(SMALL, [], 1, criteria="odd ones").head == "Prefer odd ones.\n"
    assert render(SMALL, [], 1, criteria="").head == "Prefer short ones.\n"


def test_an_answer_goes_on_label_by_label() -> None:
    assert SMALL.answer + after_pick("4") + after_pick("11") == "Best: [4] [11] ["


@relaxed
@given(st.lists(st.one_of(texts, st.sampled_from(PLACEHOLDERS)), max_size=5), st.integers(1, 9))
def test_whatever_a_candidate_says_stands_there_literally(shown: list[str], quota: int) -> None:
    prompt = render(SMALL, shown, quota)
    assert prompt.candidates == tuple(
        f"[{label}] {text} [{label}]\n" for label, text in enumerate(shown, start=1)
    )
    assert (prompt.head, prompt.tail) == ("Prefer short ones.\n", f"Choose {quota}.")


def test_placeholders_inside_a_text_stay_what_they_are() -> None:
    assert show(SMALL, 3, "{label} {quota} {text}") == "[3] {label} {quota} {text} [3]\n"


def test_the_published_question_renders_whole() -> None:
    prompt = render(find_template("published"), ["Sing.", "Dance."], quota=1)
    assert "{" not in prompt.content
    assert prompt.content.count("[1]") == prompt.content.count("[2]") == 2
    assert prompt.answer.endswith("[")
    assert not prompt.tail.endswith("\n")


# --- finding and reading templates ---------------------------------------------------------------


@pytest.mark.parametrize("name", template_names())
def test_every_template_is_found_by_name(name: str) -> None:
    assert find_template(name).name == name


def test_the_published_one_is_among_them() -> None:
    assert "published" in template_names()


def test_a_template_is_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(FILE)
    template = find_template(str(path))
    assert template == load_template(path)
    assert (template.name, template.answer) == ("mine", "[")


@pytest.mark.parametrize("name", ["publishd", "nowhere/mine.toml", "", "published.toml"])
def test_a_template_that_is_not_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(UsageError) as caught:
        find_template(name)
    assert str(caught.value).startswith(f"There is no prompt {name!r}. Known: ")
    assert "published" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("[{label}]", ""), "lacks {label} in its part 'candidate'"),
        (lambda text: text.replace("{text}", ""), "lacks {text} in its part 'candidate'"),
        (lambda text: text.replace("tail =", "tale ="), "missing or unknown: tail, tale"),
        (lambda text: text + 'name = "x"', "missing or unknown: name"),
        (lambda text: text.replace('"Choose {quota}."', "5"), "has to give text for tail"),
        (lambda text: text.replace('"[{label}] {text}"', "5"), "has to give text for candidate"),
        (lambda text: text.replace('"[{label}] {text}"', '["{label}", "{text}"]'), "give text for"),
        (lambda text: text + "?", "cannot be read"),
        (lambda text: "", "missing or unknown: about, answer, candidate, criteria, head, tail"),
    ],
)
def test_a_broken_template_is_refused(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(change(FILE))
    with pytest.raises(UsageError) as caught:
        load_template(path)
    assert str(caught.value).startswith(f"The prompt {path} ")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_template_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"about = '\xff'")
    with pytest.raises(UsageError, match="cannot be read"):
        load_template(tmp_path / "mine.toml")


# --- room ----------------------------------------------------------------------------------------


@relaxed
@given(st.lists(st.integers(0, 60), max_size=8), st.integers(0, 300))
def test_the_cap_fits_and_no_larger_one_would(lengths: list[int], room: int) -> None:
    cap = room_per_candidate(lengths, room)

    def needed(limit: int) -> int:
        return sum(min(length, limit) for length in lengths)

    assert needed(cap) <= room
    assert needed(cap + 1) > room or cap == max(lengths, default=0)


@relaxed
@given(st.lists(st.integers(1, 60), min_size=1), st.integers(-50, 0))
def test_no_room_is_a_cap_of_nothing(lengths: list[int], room: int) -> None:
    assert room_per_candidate(lengths, room) == 0


# --- fitting -------------------------------------------------------------------------------------


def fitter(context: int) -> tuple[Fitter, ScriptedBackend]:
    """A token of the scripted selector is a character."""
    backend = ScriptedBackend.open(Opening("first", context=context))
    return Fitter([backend], SMALL, None), backend


def frame(count: int, quota: int) -> int:
    prompt = render(SMALL, [""] * count, quota)
    return len(prompt.content) + len(prompt.answer) + TOKENS_PER_PICK * quota


def test_what_fits_is_shown_whole() -> None:
    shown = ["a" * 40, "b" * 3]
    prompt, cut = fitter(frame(2, 1) + 43)[0].fit(shown, 1)
    assert (prompt, cut) == (render(SMALL, shown, 1), ())


def test_one_token_too_many_shortens_only_the_longest() -> None:
    shown = ["a" * 30, "b" * 29 + "c" * 30 + "d" * 31, "e" * 30]
    prompt, cut = fitter(frame(3, 1) + 149)[0].fit(shown, 1)
    assert cut == (1,)
    assert (prompt.candidates[0], prompt.candidates[2]) == (
        f"[1] {shown[0]} [1]\n",
        f"[3] {shown[2]} [3]\n",
    )
    kept = prompt.candidates[1].removeprefix("[2] ").removesuffix(" [2]\n")
    start, end = kept.split(CUT)
    assert shown[1].startswith(start)
    assert shown[1].endswith(end)
    assert len(start) == pytest.approx(2 * len(end), abs=2)
    assert 80 <= len(kept) <= 89


@relaxed
@given(
    st.lists(st.text("abc", min_size=1, max_size=90), min_size=1, max_size=6),
    st.integers(0, 400),
    st.integers(1, 3),
)
def test_a_fitted_prompt_is_within_the_context_and_names_every_cut(
    shown: list[str], room: int, quota: int
) -> None:
    context = frame(len(shown), quota) + room
    fit, backend = fitter(context)
    try:
        prompt, cut = fit.fit(shown, quota)
    except BackendError:
        assert room < sum(min(len(text), LEAST_ROOM + 3) for text in shown)
        return
    assert backend.count_prompt(prompt) + TOKENS_PER_PICK * quota <= context
    for place, (text, candidate) in enumerate(zip(shown, prompt.candidates, strict=True)):
        assert (candidate == show(SMALL, place + 1, text)) == (place not in cut)
        assert (CUT in candidate) == (place in cut)
    whole = [len(text) for place, text in enumerate(shown) if place not in cut]
    shortened = {len(prompt.candidates[place]) - len(show(SMALL, place + 1, "")) for place in cut}
    assert len(shortened) <= 1
    assert all(len(shown[place]) > length for place in cut for length in whole)
    assert bool(cut) == (sum(map(len, shown)) > room)


def test_a_context_that_cannot_hold_a_few_words_of_each_is_refused() -> None:
    with pytest.raises(BackendError) as caught:
        fitter(frame(9, 1) + 9 * (LEAST_ROOM - 1))[0].fit(["a" * 50] * 9, 1)
    assert caught.value.exit_code == 3
    assert caught.value.message.endswith("tokens cannot hold 9 candidates.")
    assert "--query-size" in caught.value.hint


def test_a_context_smaller_than_the_question_is_refused() -> None:
    with pytest.raises(BackendError, match="cannot hold 2 candidates"):
        fitter(10)[0].fit(["abc", "d"], 1)


def test_the_room_for_the_answer_is_kept_free() -> None:
    shown = ["a" * 100] * 4
    one, _ = fitter(400)[0].fit(shown, 1)
    three, _ = fitter(400)[0].fit(shown, 3)
    assert len(one.content) - len(three.content) >= 2 * TOKENS_PER_PICK
