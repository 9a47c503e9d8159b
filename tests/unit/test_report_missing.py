"""A comparison in which something is absent → a report that leaves it out, or says why."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from localsel.stages import report
from tests.unit.test_report import parsed, tables, text
from tests.unit.test_report_sample import NAMES, comparison

Spoil = Callable[[dict[str, Any]], object]


def said(told: dict[str, Any]) -> str:
    """The page in words; both forms are sound, and neither speaks of None or nan."""
    page, sheet = report.html(told), report.markdown(told)
    for written in (text(parsed(page)), sheet):
        assert not {"None", "nan", "inf", "null", "NaN", "[]", "{}"} & set(written.split())
    return text(parsed(page))


def test_nothing_at_all() -> None:
    words = said({})
    assert "No summary was made" in words and "What 0 selectors chose" in words


def test_one_order_says_what_it_cannot_tell() -> None:
    told = comparison(2, orders=1)
    words, made = said(told), tables(report.html(told))
    assert "asked in one order" in words and "--orders 2" in words
    assert "Agreement with itself in another order" not in made
    pairs = made["Agreement of two selectors"]
    assert len(pairs) == 2 and pairs[1][1] == "same order"
    assert "asked in one order" not in said(comparison(2))
    assert "the same order. The stronger" in words and "above the diagonal" not in words


def test_no_vectors() -> None:
    words = said(comparison(2, vectors=False))
    assert "Coverage cannot be said" in words and "There is no map" in words
    assert "Coverage against budget" not in words


def test_no_baselines() -> None:
    words = said(comparison(2, baselines=False))
    assert "No baseline was run" in words and "against random" not in words
    assert "Coverage of the pool" in words
    assert "No baseline was run" not in said(comparison(2))


def test_one_selector_only() -> None:
    told = comparison(1)
    words, made = said(told), tables(report.html(told))
    assert "There is no pair to compare" in words and "nobody disagrees with it" in words
    assert "Picks in common" not in words and "Picked by nobody else" not in made
    assert made["Agreement with itself in another order"][1][0] == NAMES[0]
    assert "What 1 selector chose" in words


def test_five_selectors() -> None:
    told = comparison(5)
    made = tables(report.html(told))
    said(told)
    assert len(made["Agreement of two selectors"]) == 1 + 2 * 10
    assert [row[0] for row in made["Who took part"][1:]] == [*NAMES, "random", "coreset"]


def test_a_failed_selector() -> None:
    told = comparison(3)
    told["selectors"][1] = {"name": NAMES[1], "state": "failed", "error": "out of memory"}
    told["pairs"] = told["pairs"][1:2]
    told["failed"] = [{"name": NAMES[1], "error": "out of memory"}, {"name": "x", "error": None}]
    words, made = said(told), tables(report.html(told))
    assert made["Who took part"][2][:3] == [NAMES[1], "selector", "failedout of memory"]
    assert made["What failed"][1:] == [[NAMES[1], "out of memory"], ["x", "not said"]]
    assert "What failed" not in said(comparison(3))
    assert [row[0] for row in made["Position and certainty"][1:]] == [NAMES[0], NAMES[2]]
    assert NAMES[1] in words


def test_a_human() -> None:
    told = comparison(3)
    human = told["selectors"][2]
    for name in ("position", "entropy", "self_agreement", "self_pair", "cost", "sha256", "path"):
        human[name] = None
    human |= {"kind": "human", "label_prior": []}
    for pair in told["pairs"][1:]:
        for name in ("overlap", "shared", "jaccard", "kappa", "expected", "p_value", "interval"):
            pair[name] = {"same_order": None, "cross_order": None}
    for cluster in told["disagreements"]:
        for candidate in cluster["candidates"]:
            del candidate["probabilities"][NAMES[2]]
            candidate["picked_by"] = [NAMES[2]]
    made = tables(report.html(told))
    said(told)
    assert made["Who took part"][3][1] == "human"
    assert len(made["Agreement of two selectors"]) == 1 + 2
    assert len(made["Agreement of the final selections"]) == 1 + 3
    assert [row[0] for row in made["Cost and faults"][1:]] == list(NAMES[:2])
    assert made["Cluster 0, queries 0, 1, disagreement 1.000"][1][4] == "–✓picked"


def _imported(told: dict[str, Any]) -> None:
    for name in ("data", "layout", "pool_rows", "budget", "questions", "clusters", "plan"):
        told[name] = None
    told |= {"settings": None, "versions": {}, "connections_attempted": None, "created": None}
    told["pool"] = None
    for each in told["selectors"]:
        each |= dict.fromkeys(("path", "sha256", "run", "state", "cost", "profile", "coverage"))


def _numberless(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _numberless(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_numberless(value) for value in told]
    return math.nan if isinstance(told, float) else told


SPOILS: dict[str, Spoil] = {
    "imported": _imported,
    "no pool": lambda told: told.pop("pool"),
    "no fleiss": lambda told: told.update(fleiss=None),
    "no chance": lambda told: told.update(chance=None),
    "no map picks": lambda told: told["map"].update(picks={}),
    "empty pool": lambda told: told["map"].update(pool=[]),
    "no explained": lambda told: told["map"].update(explained=None),
    "no curve": lambda told: [each.update(curve=None) for each in told["selectors"]],
    "one point": lambda told: [each.update(curve=each["curve"][:1]) for each in told["selectors"]],
    "nothing chosen": lambda told: [
        line.update(chosen=0) for line in told["selectors"][0]["position"]["curve"]
    ],
    "nothing expected": lambda told: [
        line.update(expected=0) for line in told["selectors"][0]["position"]["curve"]
    ],
    "no disagreements": lambda told: told.update(disagreements=[]),
    "no examples": lambda told: told.pop("disagreements"),
    "no probabilities": lambda told: told["disagreements"][0]["candidates"][0].update(
        probabilities=None, picked_by=None, text=None
    ),
    "no cluster": lambda told: told["disagreements"][0].update(cluster=None, queries=None),
    "no z": lambda told: told["selectors"][0]["against_random"]["radius"].update(z=None),
    "no spread": lambda told: told["baselines"][0].update(spread=None, seeds_used=None),
    "p of nothing": lambda told: told["selectors"][0]["position"].update(p_value=0.0),
    "far future": lambda told: told.update(created=1e300),
    "no summary": lambda told: told.update(summary=[]),
    "strangers": lambda told: told["pairs"][0].update(a="nobody"),
    "plan in a word": lambda told: told.update(plan="c0ffee"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_what_is_missing_is_left_out(name: str) -> None:
    told = comparison(2)
    SPOILS[name](told)
    assert len(said(told)) > 1_000


@pytest.mark.parametrize("key", comparison(2))
def test_any_part_may_be_absent(key: str) -> None:
    without = {name: value for name, value in comparison(2).items() if name != key}
    said(without)
    said({**without, key: None})


@pytest.mark.parametrize("key", sorted(comparison(2)["selectors"][0].keys() - {"name"}))
def test_any_part_of_a_selector_may_be_absent(key: str) -> None:
    told = comparison(2)
    told["selectors"][0][key] = None
    said(told)
    del told["selectors"][0][key]
    said(told)


def test_numbers_that_are_none_are_left_out() -> None:
    assert "nan" not in said(_numberless(comparison(2))).lower().split()


def test_offline_is_said_only_where_it_is_known() -> None:
    told = {**comparison(2), "connections_attempted": 0, "connections_refused": []}
    claim, held = "everything was made on this machine", {"guard": True, "allowed": []}
    assert claim in said({**told, "offline": held})
    for other in (None, {**held, "guard": False}):
        words = said({**told, "offline": other})
        assert "0 connections were attempted." in words and claim not in words
    reached = [{"to": "<b>ollama:11434", "by": "httpcore", "how": "connect", "times": 9}]
    words = said({**told, "offline": {**held, "allowed": reached}})
    assert "Let through, as was asked for: <b>ollama:11434." in words and claim not in words


def test_reasons() -> None:
    told = comparison(2)
    _imported(told)
    words = said(told)
    assert "What the runs cost is not in their records" in words
    assert "Neither settings nor versions" in words
    assert "connections were attempted" not in words
    told["connections_attempted"] = 2
    assert "2 connections were attempted, and refused." in said(told)
    told["connections_refused"] = [{"to": "192.0.2.1:80", "by": "<b>spy"}]
    assert "and refused: <b>spy to 192.0.2.1:80." in said(told)
    assert "holds no examples" in said({**comparison(2), "disagreements": None})
    assert "the same picks in every cluster" in said({**comparison(2), "disagreements": []})
