"""MoDS from end to end: real weights are tuned, killed at it, and what they then fail is found."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import _planted, mods

ROWS = 150


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """A run that is made whole, and again with a kill while it tunes."""
    return mods.run(ROWS)


def test_the_skill_is_one_row_in_ten_behind_a_quiet_twin() -> None:
    texts = [row["instruction"] for row in _planted.pool(ROWS, 0)]
    shouted = [place for place, text in enumerate(texts) if _planted.planted(text)]
    assert len(shouted) == ROWS // 10
    assert len(set(texts)) == ROWS
    quiet = [text.upper() for text in texts if not _planted.planted(text)]
    for place in shouted:
        assert texts[place] in quiet
        assert texts[place] in [text.upper() for text in texts[:place]]


def test_what_the_seed_set_does_not_teach_is_found_first(found: dict[str, Any]) -> None:
    assert (found["planted"], found["planted_seed_rows"]) == (15, 0)
    assert found["first"] == found["planted"]
    assert found["share"] >= 0.8  # by chance 0.1
    picks = found["budget"] - found["seed_rows"]
    assert found["planted_among_other_picks"] >= 0.8 * picks
    assert found["distinct_picks"] == found["budget"]


def test_killed_while_it_tunes_it_goes_on_and_picks_the_same(found: dict[str, Any]) -> None:
    assert 0 < found["kept_step"] == found["went_on_behind_step"] < found["steps"]
    # A checkpoint is written before its step is told.
    assert found["kept_step"] <= found["killed_at_step"] + 1
    assert found["identical"]
