"""Parts of a prompt → a template file and back."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localsel.errors import UsageError
from localsel.stages.prompt import load_template, template_names
from localsel.tui.templates import (
    PARTS,
    draft,
    fault,
    keep,
    parts_of,
    place_of,
    references,
    to_toml,
)

TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\"\\\n\r\t'{}#\x00\x7f"))
)


@given(texts=st.lists(TEXTS, min_size=5, max_size=5))
def test_every_text_comes_back_as_it_was(texts: list[str], tmp_path_factory: object) -> None:
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    parts = dict(zip((part for part in PARTS if part != "candidate"), texts, strict=True))
    parts["candidate"] = "{label}{text}"
    path = draft(parts, tmp_path_factory.getbasetemp())
    template = load_template(path)
    assert {part: getattr(template, part) for part in PARTS} == parts


@pytest.mark.parametrize("name", template_names())
def test_localsels_own_are_fit_and_come_back(name: str, tmp_path: Path) -> None:
    parts = parts_of(name)
    assert fault(parts) == ""
    assert parts_of(str(draft(parts, tmp_path))) == parts


def test_half_a_character_is_a_question_mark() -> None:
    assert to_toml({"head": "\ud800"}) == 'head = "?"\n'


def test_a_fault_is_one_sentence_that_names_no_place() -> None:
    says = fault(parts_of("published") | {"candidate": "nothing"})
    assert says == "The prompt as edited lacks {label} in its part 'candidate'."


def test_a_name_is_kept_in_the_workspace_and_a_path_where_it_says(tmp_path: Path) -> None:
    assert place_of("mine", tmp_path) == tmp_path / "prompts" / "mine.toml"
    assert place_of("/a/b.toml", tmp_path) == Path("/a/b.toml")


@pytest.mark.parametrize("typed", ["", " ", "..", "a/b", "a b", "\x1b]0;x\x07"])
def test_what_is_no_name_is_refused(typed: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name"):
        place_of(typed, tmp_path)


def test_localsels_own_are_never_written_over(tmp_path: Path) -> None:
    from localsel.settings import resource

    with pytest.raises(UsageError, match="localsel's own"):
        place_of(str(resource("prompts") / "published.toml"), tmp_path)


def test_what_is_kept_is_listed_and_only_its_owner_sees_it(tmp_path: Path) -> None:
    path = place_of("mine", tmp_path)
    parts = parts_of("published") | {"criteria": "short"}
    keep(parts, path, tmp_path)
    assert references(tmp_path)[-1] == str(path)
    assert parts_of(str(path)) == parts
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        keep(parts_of("published"), tmp_path / "none" / "mine.toml", tmp_path)
