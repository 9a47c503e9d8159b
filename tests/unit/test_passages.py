"""A passage → the tokens of its texts; here every character is a token, and its code the number."""

from __future__ import annotations

import pytest

from localsel.backends.base import Beginning, Passage
from localsel.backends.passages import LaidOut, begin, lay_out
from localsel.errors import AnswerError

START = (1,)


def tokens(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def told(passage: Passage, start: tuple[int, ...] = START, limit: int = 10) -> str:
    """Why it fails."""
    failed = lay_out(passage, tokens, start, limit)
    assert isinstance(failed, AnswerError)
    return str(failed)


@pytest.mark.parametrize(
    ("limit", "kept"), [(100, "answer"), (10, "answer"), (9, "answe"), (5, "a")]
)
def test_the_longest_text_is_cut_to_the_limit_and_the_others_alike(limit: int, kept: str) -> None:
    laid = lay_out(Passage(("abc", "", "x"), "answer"), tokens, START, limit)
    befores = ((*START, *tokens("abc")), START, (*START, *tokens("x")))
    assert laid == LaidOut(tuple((*each, *tokens(kept)) for each in befores), len(kept))


def test_one_of_which_nothing_is_left_fails() -> None:
    assert "4 of 4 are taken" in told(Passage(("", "abc"), "answer"), limit=4)
    assert "11 of 4 are taken" in told(Passage(("0123456789",), "answer"), limit=4)
    assert "has no tokens" in told(Passage(("abc",), ""))


def test_a_first_token_needs_one_before_it() -> None:
    assert "no token before it" in told(Passage(("abc", ""), "answer"), start=())
    assert isinstance(lay_out(Passage(("abc", ""), "answer"), tokens, START, 10), LaidOut)


def test_what_is_gone_on_with_leaves_room_for_a_token() -> None:
    assert begin(Beginning("abc"), tokens, START, 5) == (*START, *tokens("abc"))
    assert begin(Beginning(""), tokens, START, 5) == START
    for text, start, context, expected in (
        ("abcd", START, 5, "takes 5 tokens of a context of 5"),
        ("", (), 5, "no token before it"),
    ):
        failed = begin(Beginning(text), tokens, start, context)
        assert isinstance(failed, AnswerError)
        assert expected in str(failed)
